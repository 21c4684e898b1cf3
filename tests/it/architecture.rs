//! The borders that the design draws hold in the code: dependencies point inward, and no vendor is named in Rust.
#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use hookgate::provider::catalogue::built_ins;

/// Every Rust file of a module that is compiled into the product.
fn files(module: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let single = root.join(format!("{module}.rs"));
    if single.exists() {
        found.push(single);
    }
    let mut folders = vec![root.join(module)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "module {module} has no files");
    found
}

/// The code of a file less its tests.
fn code(path: &Path) -> String {
    let name = path.to_string_lossy();
    if name.ends_with("/tests.rs") || name.contains("/tests/") {
        return String::new();
    }
    let text = fs::read_to_string(path).expect("a readable file");
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

#[test]
fn dependencies_point_inward() {
    // A module, and what its code must never name.
    let borders: [(&str, &[&str]); 11] = [
        (
            "api",
            &[
                "kube::Client",
                "kube::runtime",
                "kube_",
                "axum",
                "async_nats",
                "crate::provider",
                "crate::route",
                "crate::control",
                "crate::receive",
                "crate::deliver",
                "crate::admin",
                "crate::cli",
            ],
        ),
        ("json", &["kube", "axum", "async_nats", "crate::api", "crate::provider", "crate::route", "crate::control"]),
        (
            "provider",
            &[
                "kube::",
                "axum",
                "async_nats",
                "crate::route",
                "crate::control",
                "crate::receive",
                "crate::deliver",
                "crate::admin",
                "crate::cli",
            ],
        ),
        ("route", &["kube::", "axum", "async_nats", "crate::control", "crate::receive", "crate::admin", "crate::cli"]),
        (
            "manifest",
            &["kube::Client", "axum", "async_nats", "crate::control", "crate::receive", "crate::deliver", "crate::cli"],
        ),
        (
            "fetch",
            &[
                "kube::",
                "axum",
                "async_nats",
                "crate::route",
                "crate::control",
                "crate::receive",
                "crate::deliver",
                "crate::cli",
            ],
        ),
        (
            "metrics",
            &[
                "kube::",
                "axum",
                "async_nats",
                "crate::provider",
                "crate::route",
                "crate::control",
                "crate::receive",
                "crate::deliver",
            ],
        ),
        ("deliver", &["kube::", "axum", "crate::control", "crate::receive", "crate::admin", "crate::cli"]),
        ("receive", &["kube", "async_nats", "crate::control", "crate::admin", "crate::cli"]),
        ("control", &["axum", "async_nats", "crate::receive", "crate::admin", "crate::cli"]),
        ("admin", &["kube", "async_nats", "crate::control", "crate::cli"]),
    ];
    let mut wrong = Vec::new();
    for (module, forbidden) in borders {
        for file in files(module) {
            for (number, line) in code(&file).lines().enumerate() {
                let line = line.trim();
                if line.starts_with("//") {
                    continue;
                }
                if let Some(name) = forbidden.iter().find(|name| line.contains(**name)) {
                    wrong.push(format!("{}:{}: {module} must not know {name}: {line}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_vendor_is_named_in_code() {
    let ids: Vec<&str> = built_ins().map(|built_in| built_in.id).collect();
    assert!(ids.len() > 5);
    let mut wrong = Vec::new();
    for module in
        ["provider", "route", "control", "receive", "deliver", "admin", "fetch", "json", "manifest", "metrics", "cli"]
    {
        for file in files(module) {
            for (number, line) in code(&file).lines().enumerate() {
                if line.trim_start().starts_with("//") {
                    continue;
                }
                if let Some(id) = ids.iter().find(|id| line.contains(&format!("\"{id}\""))) {
                    wrong.push(format!("{}:{}: names {id}: {}", file.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "providers are data:\n{}", wrong.join("\n"));
}
