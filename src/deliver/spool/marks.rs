//! Which records of a segment are done, so that a restart publishes none of them again: by then their streams may have forgotten
//! the ids by which they would know them.
//!
//! A mark is written when the acknowledgement is there, beside the segment, and never synced: one that a power cut takes away, or
//! that is damaged, means that its record is published once more.

use std::collections::{BTreeMap, HashSet};
use std::io;

use super::files::{Files, Handle};
use super::segment::Name;

/// An offset and the check sum that makes it one of this segment.
const MARK: usize = 8 + 4;
const SUFFIX: &str = ".done";

/// The files that are written.
#[derive(Debug)]
pub(super) struct Marks<H>(BTreeMap<u64, (H, u64)>);

impl<H> Default for Marks<H> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<H: Handle> Marks<H> {
    /// The record at this offset is done.
    ///
    /// # Errors
    /// Where the disk refuses the mark: the next one is written over what there is of it.
    pub(super) fn add<F: Files<File = H>>(&mut self, files: &F, name: Name, offset: u64) -> io::Result<()> {
        let (file, end) = match self.0.entry(name.id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                let file = files.write(&file(name))?;
                let length = file.length()?;
                new.insert((file, length - length % MARK as u64))
            }
        };
        file.write_all_at(&mark(name, offset), *end)?;
        *end += MARK as u64;
        Ok(())
    }

    /// The segment is gone, and nobody asks for its marks.
    pub(super) fn forget<F: Files<File = H>>(&mut self, files: &F, name: Name) {
        self.0.remove(&name.id);
        // Where there are none, or they stay: what has no segment is removed at the next start.
        let _ = files.remove(&file(name));
    }
}

/// The offsets of records that an earlier run was done with. What cannot be read is none.
pub(super) fn read<F: Files>(files: &F, name: Name) -> HashSet<u64> {
    let bytes = files.open(&file(name)).and_then(|file| {
        let mut bytes = vec![0; usize::try_from(file.length()?).unwrap_or_default()];
        let read = file.read_full_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    });
    let bytes = bytes.unwrap_or_default();
    let offset = |one: &[u8; MARK]| {
        let offset = u64::from_le_bytes(one[..8].try_into().unwrap_or_default());
        (mark(name, offset) == *one).then_some(offset)
    };
    bytes.as_chunks::<MARK>().0.iter().filter_map(offset).collect()
}

/// Removes marks of segments that are not there.
pub(super) fn tidy<F: Files>(files: &F, all: &[String], segments: &[Name]) {
    let known: HashSet<String> = segments.iter().map(|name| file(*name)).collect();
    for stale in all.iter().filter(|name| name.ends_with(SUFFIX) && !known.contains(*name)) {
        let _ = files.remove(stale);
    }
}

fn file(name: Name) -> String {
    format!("{}{SUFFIX}", name.file())
}

fn mark(name: Name, offset: u64) -> [u8; MARK] {
    let mut mark = [0; MARK];
    let (place, sum) = mark.split_at_mut(8);
    place.copy_from_slice(&offset.to_le_bytes());
    sum.copy_from_slice(&name.salt().sum(&[&name.id.to_le_bytes(), place]).to_le_bytes());
    mark
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::files::Folder;
    use super::super::record::Salt;
    use super::*;

    #[test]
    fn marks_read_back_and_what_is_torn_or_damaged_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let files = Folder::new(folder.path().to_owned());
        let (name, other) = (Name::new(1, Salt(7)), Name::new(2, Salt(7)));
        let mut marks = Marks::default();
        for offset in [24, 100, 3000] {
            marks.add(&files, name, offset).unwrap();
        }
        assert_eq!(read(&files, name), HashSet::from([24, 100, 3000]));
        let path = folder.path().join(file(name));
        let mut bytes = fs::read(&path).unwrap();
        bytes[13] ^= 1;
        bytes.truncate(30);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&files, name), HashSet::from([24]), "one flipped, one torn");
        Marks::default().add(&files, name, 5000).unwrap();
        assert_eq!(read(&files, name), HashSet::from([24, 5000]), "what is torn is written over");
        fs::copy(&path, folder.path().join(file(other))).unwrap();
        assert_eq!(read(&files, other), HashSet::new(), "those of another segment");
        let all = files.list().unwrap();
        tidy(&files, &all, &[name]);
        assert_eq!(files.list().unwrap(), [file(name)]);
        marks.forget(&files, name);
        assert_eq!((read(&files, name), files.list().unwrap().len()), (HashSet::new(), 0));
    }
}
