//! NOTICE: what the binary consists of, and the licences of all of it.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::parts::{Part, Parts};

/// What the C library's licence asks of who links it.
const RELINKING: &str = "The GNU C Library is used under the LGPL: the source of Hookgate is published under the Apache License 2.0,\n\
and `make image` links it anew with another version of the library.\n";

/// The whole document.
pub fn notice(parts: &Parts) -> Result<String, std::fmt::Error> {
    let mut text =
        String::from("Hookgate\nLicensed under the Apache License, Version 2.0.\n\nIts binary contains:\n\n");
    for Part { name, version, licence, repository, .. } in parts.all.iter().skip(1) {
        let source = if repository.is_empty() { String::new() } else { format!(", {repository}") };
        writeln!(text, "{name} {version} ({licence}){source}")?;
    }
    write!(text, "\n{RELINKING}")?;
    // Most have one of a few texts: each stands once, below all whose it is.
    let mut whose: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for part in &parts.all {
        for text in &part.texts {
            let owners = whose.entry(text.trim()).or_default();
            let owner = format!("{} {}", part.name, part.version);
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
    }
    let mut texts: Vec<(Vec<String>, &str)> = whose.into_iter().map(|(text, owners)| (owners, text)).collect();
    texts.sort();
    for (owners, licence) in texts {
        write!(text, "\n{}\n{}:\n\n{licence}\n", "=".repeat(100), owners.join(", "))?;
    }
    Ok(text)
}
