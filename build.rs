//! Lists the catalogue and the samples, so that adding one is adding a file, and reads the YAML, so that no start has to.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("src/provider/catalogue");
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = names(&folder)?
        .iter()
        .filter(|name| name.ends_with(".yaml"))
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
    samples()
}

/// Lists the samples of each provider by name.
fn samples() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("src/provider/samples");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut entries = Vec::new();
    for provider in names(&folder)? {
        let within = folder.join(&provider);
        for file in names(&within)? {
            let (name, media) = match (file.strip_suffix(".json"), file.strip_suffix(".form")) {
                (Some(name), _) if !name.ends_with(".expected") => (name, "application/json"),
                (_, Some(name)) => (name, "application/x-www-form-urlencoded"),
                _ => continue,
            };
            let (body, expected) = (within.join(&file), within.join(format!("{name}.expected.json")));
            if !expected.exists() {
                return Err(
                    format!("src/provider/samples/{provider}/{file} has no {name}.expected.json beside it").into()
                );
            }
            entries.push(format!(
                "Documented {{ provider: {provider:?}, name: {name:?}, media_type: {media:?}, body: include_str!({:?}), expected: include_str!({:?}) }}",
                body.display().to_string(),
                expected.display().to_string(),
            ));
        }
    }
    let text = format!("/// By provider and name.\nstatic DOCUMENTED: &[Documented] = &[{}];\n", entries.join(",\n"));
    fs::write(Path::new(&env::var("OUT_DIR")?).join("samples.rs"), text)?;
    Ok(())
}

/// What a folder holds, sorted.
fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names: Vec<String> =
        fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}
