//! The file system as the spool needs it, so that a test can put one in its place that fails and forgets.
//!
//! Knows nothing of records. Every file is readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// One folder of files.
pub(in super::super) trait Files {
    /// An open file of it.
    type File: Handle;

    /// Makes a file that is not there yet.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file for writing, and makes it where it is not there.
    fn write(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file for reading.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name.
    fn rename(&self, name: &str, to: &str) -> io::Result<()>;

    /// Makes what was created, renamed and removed outlive a crash.
    fn sync(&self) -> io::Result<()>;
}

/// An open file.
pub(in super::super) trait Handle {
    /// Writes some bytes at an offset, and says how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Reads some bytes at an offset; 0 at the end.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes what was written outlive a crash. After an error nothing is known of what was written since the last
    /// success, and a second call proves nothing: the file must not be written again.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file to this length.
    fn cut(&self, length: u64) -> io::Result<()>;

    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Writes all of these bytes.
    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Fills as much of these bytes as the file holds, and says how much.
    fn read_full_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// A folder of the real file system.
#[derive(Clone, Debug)]
pub(in super::super) struct Folder {
    path: PathBuf,
    /// Nothing in it is changed.
    looks: bool,
}

impl Folder {
    /// The folder, which must be there.
    pub(in super::super) fn new(path: PathBuf) -> Self {
        Self { path, looks: false }
    }

    /// The same for somebody who only looks: what would be removed or renamed stays as it is.
    pub(in super::super) fn to_look(path: PathBuf) -> Self {
        Self { path, looks: true }
    }
}

impl Files for Folder {
    type File = File;

    fn create(&self, name: &str) -> io::Result<File> {
        if self.looks {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(self.path.join(name))
    }

    fn write(&self, name: &str) -> io::Result<File> {
        if self.looks {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.path.join(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        File::open(self.path.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if self.looks { Ok(()) } else { fs::remove_file(self.path.join(name)) }
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        if self.looks { Ok(()) } else { fs::rename(self.path.join(name), self.path.join(to)) }
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Handle for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}
