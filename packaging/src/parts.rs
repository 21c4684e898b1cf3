//! What the binary consists of: the product, the crates that are linked into it, Rust's standard library, the C library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use spdx::Expression;

/// The product's package.
const PRODUCT: &str = "hookgate";

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// As its authors call it.
    pub name: String,
    /// Theirs too.
    pub version: String,
    /// An SPDX expression.
    pub licence: String,
    /// Where its source is; empty: it does not say.
    pub repository: String,
    /// Its package URL (purl), by which scanners know it.
    pub url: String,
    /// The texts of its licences and notices.
    pub texts: Vec<String>,
}

/// All of them, and which needs which.
#[derive(Debug)]
pub struct Parts {
    /// The product itself is the first.
    pub all: Vec<Part>,
    /// By their places in `all`.
    pub needs: BTreeSet<(usize, usize)>,
}

impl Parts {
    /// Reads them from the manifests of the product and of the crates that it locks, for a target such as `x86_64-unknown-linux-gnu`.
    pub fn read(target: &str) -> anyhow::Result<Self> {
        let linked = linked(target)?;
        let options = ["--locked", "--filter-platform", target].map(str::to_owned);
        let metadata = MetadataCommand::new().other_options(options).exec()?;
        let mut packages: Vec<&Package> = metadata
            .packages
            .iter()
            .filter(|package| linked.contains(&(package.name.to_string(), package.version.to_string())))
            .collect();
        ensure!(packages.len() == linked.len(), "{} crates are linked, {} known", linked.len(), packages.len());
        packages.sort_by_key(|package| (package.name.as_str() != PRODUCT, &package.name, &package.version));
        let mut all = packages.iter().map(|package| of_crate(package)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut needs = needs(&metadata, &packages);
        for part in [standard_library()?, c_library()?] {
            needs.insert((0, all.len()));
            all.push(part);
        }
        Ok(Self { all, needs })
    }
}

/// Name and version of each crate whose code is in the binary: none that only runs while it is built.
fn linked(target: &str) -> anyhow::Result<BTreeSet<(String, String)>> {
    let edges = ["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"];
    let tree =
        output(Command::new("cargo").args(["tree", "--locked", "--package", PRODUCT, "--target", target]).args(edges))?;
    let named = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    });
    Ok(named.collect())
}

fn needs(metadata: &Metadata, packages: &[&Package]) -> BTreeSet<(usize, usize)> {
    let places: BTreeMap<&PackageId, usize> =
        packages.iter().enumerate().map(|(place, package)| (&package.id, place)).collect();
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let edges = nodes.flat_map(|node| {
        let linked =
            node.deps.iter().filter(|needed| needed.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        linked.map(|needed| (places.get(&node.id), places.get(&needed.pkg)))
    });
    edges.filter_map(|(one, other)| one.copied().zip(other.copied())).collect()
}

fn of_crate(package: &Package) -> anyhow::Result<Part> {
    let (name, version) = (package.name.to_string(), package.version.to_string());
    let told = package.license.as_deref().with_context(|| format!("{name} {version} names no licence"))?;
    // Old manifests write a slash.
    let licence = Expression::canonicalize(told)?.unwrap_or_else(|| told.to_owned());
    let expression = Expression::parse(&licence).with_context(|| format!("{name} {version}: {told}"))?;
    let folder = package.manifest_path.parent().with_context(|| package.manifest_path.to_string())?;
    let mut texts = Vec::new();
    // What stands below the product itself is no part of it.
    let depth = if package.source.is_some() { 3 } else { 1 };
    for file in texts_below(folder.as_std_path(), depth)? {
        texts.push(String::from_utf8_lossy(&fs::read(&file)?).into_owned());
    }
    if texts.is_empty() {
        texts = canonical(&expression, &package.authors.join(", "));
    }
    let url = match package.source {
        Some(_) => format!("pkg:cargo/{name}@{}", escaped(&version)),
        None => format!("pkg:github/hookgate/{name}@v{version}"),
    };
    let repository = package.repository.clone().unwrap_or_default();
    Ok(Part { name, version, licence, repository, url, texts })
}

/// The files of a crate that are licences or notices, also those of sources that it brings along.
fn texts_below(folder: &Path, depth: usize) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 1 && !name.starts_with('.') && !["src", "target", "tests"].contains(&&*name) {
            found.extend(texts_below(&entry.path(), depth - 1)?);
        }
        let begins = ["licen", "copying", "copyright", "notice", "unlicense"];
        let is_code = [".rs", ".go", ".py", ".c", ".h", ".toml", ".html"].iter().any(|end| name.ends_with(end));
        if kind.is_file() && begins.iter().any(|begin| name.starts_with(begin)) && !is_code {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// For crates that bring no text: that of each licence they name.
fn canonical(expression: &Expression, authors: &str) -> Vec<String> {
    let named = expression.requirements().filter_map(|named| named.req.license.id());
    let texts: BTreeSet<&str> = named.map(|licence| licence.text()).collect();
    let whose = if authors.is_empty() { String::new() } else { format!("Copyright {authors}\n\n") };
    texts.into_iter().map(|text| format!("{whose}{text}")).collect()
}

fn standard_library() -> anyhow::Result<Part> {
    let told = output(Command::new("rustc").arg("--version"))?;
    let version = told.split(' ').nth(1).with_context(|| told.clone())?.to_owned();
    let expression = Expression::parse("MIT OR Apache-2.0")?;
    Ok(Part {
        name: "rust-std".to_owned(),
        licence: expression.to_string(),
        repository: "https://github.com/rust-lang/rust".to_owned(),
        url: format!("pkg:github/rust-lang/rust@{version}"),
        version,
        texts: canonical(&expression, "The Rust Project Contributors"),
    })
}

/// The C library of this machine, which is linked into a release binary and packed beside a debug one.
fn c_library() -> anyhow::Result<Part> {
    let told = output(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let Some(upstream) = told.trim().strip_prefix("glibc ") else { bail!("getconf GNU_LIBC_VERSION: {told}") };
    // A distribution's own version says which of its security fixes are in.
    let packaged =
        Command::new("dpkg-query").args(["--show", "--showformat", "${source:Version}", "libc6-dev"]).output();
    let packaged = packaged.ok().filter(|packaged| packaged.status.success());
    let packaged = packaged.map(|packaged| String::from_utf8_lossy(&packaged.stdout).trim().to_owned());
    let (version, url) = match packaged {
        Some(version) => (version.clone(), format!("pkg:deb/debian/glibc@{}?arch=source", escaped(&version))),
        None => (upstream.to_owned(), format!("pkg:generic/glibc@{upstream}")),
    };
    let expression = Expression::parse("LGPL-2.1-or-later")?;
    Ok(Part {
        name: "glibc".to_owned(),
        version,
        licence: expression.to_string(),
        repository: "https://sourceware.org/git/glibc.git".to_owned(),
        url,
        texts: canonical(&expression, "The Free Software Foundation and contributors"),
    })
}

/// A version as a package URL has it.
fn escaped(version: &str) -> String {
    version.replace('+', "%2B")
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let done = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?)
}
