//! Lists the catalogue, so that adding a provider is adding a file, and reads its YAML, so that no start has to.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("src/provider/catalogue");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names: Vec<String> = fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    names.sort();
    let entries = names
        .iter()
        .map(|file| {
            let (id, path) = (file.trim_end_matches(".yaml"), folder.join(file));
            let manifest: serde_json::Value = serde_saphyr::from_str(&fs::read_to_string(&path)?)
                .map_err(|error| format!("src/provider/catalogue/{file}: {error}"))?;
            let json = manifest.to_string();
            Ok(format!("({id:?}, include_str!({:?}), {json:?})", path.display().to_string()))
        })
        .collect::<Result<Vec<String>, Box<dyn std::error::Error>>>()?;
    let text = format!(
        "/// Built-in definitions: id, manifest as YAML and the same as JSON.\nstatic SOURCES: &[(&str, &str, &str)] = &[{}];\n",
        entries.join(",\n")
    );
    fs::write(Path::new(&env::var("OUT_DIR")?).join("catalogue.rs"), text)?;
    Ok(())
}
