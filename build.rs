//! Lists the catalogue, so that adding a provider is adding a file.
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
    let entries: Vec<String> = names
        .iter()
        .map(|file| {
            let id = file.trim_end_matches(".yaml");
            format!("({id:?}, include_str!({:?}))", folder.join(file).display().to_string())
        })
        .collect();
    let text = format!(
        "/// Built-in definitions: id and manifest.\nstatic SOURCES: &[(&str, &str)] = &[{}];\n",
        entries.join(",\n")
    );
    fs::write(Path::new(&env::var("OUT_DIR")?).join("catalogue.rs"), text)?;
    Ok(())
}
