//! The one layer of the image: a tar of its files, compressed.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use oci_spec::image::MediaType;
use tar::{Builder, EntryType, Header};

use crate::blob::{Blob, digest};
use crate::tree::Tree;

/// The layer, and the digest of its tar before it was compressed.
pub fn layer(tree: &Tree, epoch: u64) -> anyhow::Result<(Blob, String)> {
    let mut tar = Builder::new(Vec::new());
    let folders: BTreeSet<&Path> = tree.files.keys().flat_map(|path| path.ancestors().skip(1)).collect();
    for folder in folders.into_iter().filter(|folder| *folder != Path::new("/")) {
        let mut header = header(EntryType::Directory, 0, 0o755, epoch);
        tar.append_data(&mut header, within(folder), std::io::empty())?;
    }
    for (path, file) in &tree.files {
        let mut header = header(EntryType::Regular, file.content.len() as u64, file.mode(), epoch);
        tar.append_data(&mut header, within(path), file.content.as_slice())?;
    }
    let plain = tar.into_inner()?;
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    packed.write_all(&plain)?;
    Ok((Blob::new(MediaType::ImageLayerGzip, packed.finish()?)?, digest(&plain)))
}

/// Everything is root's and read by all: the program's user can change nothing.
pub fn header(kind: EntryType, size: u64, mode: u32, epoch: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(epoch);
    header
}

fn within(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
