//! The folder that a server writes to.

use std::ops::Deref;
use std::path::Path;

use super::watcher::Watcher;

/// A temporary folder that is removed when it is dropped, and also when this process ends without dropping it.
pub struct Folder {
    // Declared first, thus dropped first: one of the two removes the folder, not both.
    _watcher: Watcher,
    folder: tempfile::TempDir,
}

impl Folder {
    pub fn new(name: &str) -> Folder {
        let folder =
            tempfile::Builder::new().prefix(&format!("hookgate-{name}-")).tempdir().expect("a temporary folder");
        // The servers that write there are killed by watchers of their own, at the same moment.
        let watcher = Watcher::at_exit("sleep 1; rm -rf -- \"$1\"", folder.path());
        Folder { _watcher: watcher, folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file in this folder and returns its path.
    pub fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.path()
    }
}
