//! An OCI image layout in a tar, as registries' clients, containerd and engines read it.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use oci_spec::image::{
    Arch, ConfigBuilder, HistoryBuilder, ImageConfigurationBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType,
    OciLayoutBuilder, Os, PlatformBuilder, RootFsBuilder, SCHEMA_VERSION,
};
use tar::{Builder, EntryType};

use crate::blob::Blob;
use crate::chart::Chart;
use crate::layer::{header, layer};
use crate::tree::{PROGRAM, Tree, USER};

/// What is said of an image.
#[derive(Debug)]
pub struct Image<'a> {
    /// Its name and version.
    pub chart: &'a Chart,
    /// The processor it is for.
    pub architecture: Arch,
    /// The commit it was built from; empty: unknown.
    pub revision: &'a str,
    /// When that commit was made.
    pub created: Timestamp,
}

/// Where the source is.
pub const SOURCE: &str = "https://github.com/hookgate/hookgate";

impl Image<'_> {
    fn labels(&self) -> HashMap<String, String> {
        let labels = [
            ("title", "hookgate"),
            ("description", &self.chart.description),
            ("version", &self.chart.version),
            ("revision", self.revision),
            ("created", &self.created.to_string()),
            ("source", SOURCE),
            ("url", SOURCE),
            ("licenses", "Apache-2.0"),
        ];
        let told = labels.into_iter().filter(|(_, value)| !value.is_empty());
        told.map(|(name, value)| (format!("org.opencontainers.image.{name}"), value.to_owned())).collect()
    }
}

/// Writes the layout; its image's digest.
pub fn write(file: &Path, image: &Image<'_>, tree: &Tree) -> anyhow::Result<String> {
    let epoch = image.created.as_second().try_into().context("a time before 1970")?;
    let (layer, diff) = layer(tree, epoch)?;
    let created = image.created.to_string();
    let run = ConfigBuilder::default()
        .user(format!("{USER}:{USER}"))
        .env(["PATH=/usr/bin".to_owned()])
        .entrypoint([PROGRAM.to_owned()])
        .working_dir("/")
        .labels(image.labels())
        .build()?;
    let config = ImageConfigurationBuilder::default()
        .created(created.clone())
        .architecture(image.architecture.clone())
        .os(Os::Linux)
        .config(run)
        .rootfs(RootFsBuilder::default().diff_ids([diff]).build()?)
        .history([HistoryBuilder::default().created(created).created_by("make image").build()?])
        .build()?;
    let config = Blob::json(MediaType::ImageConfig, &config)?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(config.descriptor.clone())
        .layers([layer.descriptor.clone()])
        .annotations(image.labels())
        .build()?;
    let mut manifest = Blob::json(MediaType::ImageManifest, &manifest)?;
    let digest = manifest.descriptor.digest().to_string();
    let platform = PlatformBuilder::default().architecture(image.architecture.clone()).os(Os::Linux).build()?;
    manifest.descriptor.set_platform(Some(platform));
    // containerd takes the whole name from its own annotation, everyone else the tag.
    let names = [
        ("io.containerd.image.name", image.chart.reference()),
        ("org.opencontainers.image.ref.name", image.chart.version.clone()),
    ];
    let names = names.map(|(name, value)| (name.to_owned(), value));
    manifest.descriptor.set_annotations(Some(HashMap::from(names)));
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests([manifest.descriptor.clone()])
        .build()?;
    let index = Blob::json(MediaType::ImageIndex, &index)?;
    let version = OciLayoutBuilder::default().image_layout_version("1.0.0").build()?;

    let mut tar = Builder::new(File::create(file).with_context(|| file.display().to_string())?);
    let mut add = |path: &str, bytes: &[u8]| {
        tar.append_data(&mut header(EntryType::Regular, bytes.len() as u64, 0o644, epoch), path, bytes)
    };
    add("oci-layout", &serde_json::to_vec(&version)?)?;
    add("index.json", &index.bytes)?;
    for blob in [&config, &layer, &manifest] {
        add(&format!("blobs/sha256/{}", blob.descriptor.digest().digest()), &blob.bytes)?;
    }
    tar.finish()?;
    Ok(digest)
}
