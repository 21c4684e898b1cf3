//! A disk that forgets at a crash any subset of the sectors and folder entries that were not synced, whose failed syncs mark
//! pages clean, and whose writes are short or end in the middle for want of space.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::deliver::spool::files::{Files, Handle};

const SECTOR: usize = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// As programs see it.
    pub(super) seen: Vec<u8>,
    /// As it is on the platter.
    pub(super) kept: Vec<u8>,
    dirty: BTreeSet<usize>,
}

impl Inode {
    /// Puts one sector on the platter as it is seen now.
    fn keep(&mut self, sector: usize) {
        let from = (sector * SECTOR).min(self.seen.len());
        let to = (from + SECTOR).min(self.seen.len());
        if self.kept.len() < to {
            self.kept.resize(to, 0);
        }
        self.kept[from..to].copy_from_slice(&self.seen[from..to]);
    }
}

#[derive(Debug, Default)]
pub(super) struct Platter {
    pub(super) inodes: Vec<Inode>,
    pub(super) seen: BTreeMap<String, usize>,
    pub(super) kept: BTreeMap<String, usize>,
    /// The next calls that fail, by kind.
    pub(super) faults: HashMap<Fault, u32>,
    /// How many bytes files may hold together.
    pub(super) space: usize,
    pub(super) random: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    Write,
    Short,
    Sync,
    Folder,
    Create,
    Cut,
    Read,
}

impl Platter {
    pub(super) fn chance(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random >> 33
    }

    fn fails(&mut self, fault: Fault) -> io::Result<()> {
        match self.faults.get_mut(&fault) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(io::Error::other(format!("{fault:?}")))
            }
            _ => Ok(()),
        }
    }

    /// Power is lost: any subset of what was not synced is there afterwards.
    pub(super) fn crash(&mut self) {
        for inode in 0..self.inodes.len() {
            for sector in std::mem::take(&mut self.inodes[inode].dirty) {
                if self.chance().is_multiple_of(2) {
                    self.inodes[inode].keep(sector);
                }
            }
            self.inodes[inode].seen = self.inodes[inode].kept.clone();
        }
        let names: BTreeSet<String> = self.seen.keys().chain(self.kept.keys()).cloned().collect();
        for name in names {
            if self.seen.get(&name) != self.kept.get(&name) && self.chance().is_multiple_of(2) {
                match self.seen.get(&name) {
                    Some(inode) => self.kept.insert(name, *inode),
                    None => self.kept.remove(&name),
                };
            }
        }
        self.seen = self.kept.clone();
    }
}

#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    /// An empty one with room for so many bytes.
    pub(super) fn new(space: usize) -> Self {
        Self(Arc::new(Mutex::new(Platter { space, ..Platter::default() })))
    }

    pub(super) fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }
}

#[derive(Debug)]
pub(super) struct Open(Disk, usize);

impl Files for Disk {
    type File = Open;

    fn create(&self, name: &str) -> io::Result<Open> {
        let mut platter = self.platter();
        platter.fails(Fault::Create)?;
        assert!(!platter.seen.contains_key(name), "{name} is there");
        platter.inodes.push(Inode::default());
        let inode = platter.inodes.len() - 1;
        platter.seen.insert(name.to_owned(), inode);
        Ok(Open(self.clone(), inode))
    }

    fn write(&self, name: &str) -> io::Result<Open> {
        let known = self.platter().seen.get(name).copied();
        known.map_or_else(|| self.create(name), |inode| Ok(Open(self.clone(), inode)))
    }

    fn open(&self, name: &str) -> io::Result<Open> {
        let mut platter = self.platter();
        platter.fails(Fault::Read)?;
        let inode = platter.seen.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Open(self.clone(), inode))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.platter().seen.keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.platter().seen.remove(name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        let mut platter = self.platter();
        let inode = platter.seen.remove(name).ok_or(io::ErrorKind::NotFound)?;
        platter.seen.insert(to.to_owned(), inode);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut platter = self.platter();
        platter.fails(Fault::Folder)?;
        platter.kept = platter.seen.clone();
        Ok(())
    }
}

impl Handle for Open {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut platter = self.0.platter();
        platter.fails(Fault::Write)?;
        let used: usize = platter.seen.values().map(|inode| platter.inodes[*inode].seen.len()).sum();
        let mut length = bytes.len().min(platter.space.saturating_sub(used));
        if platter.fails(Fault::Short).is_err() {
            length = length.min(bytes.len() / 3 + 1);
        }
        if length == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let from = usize::try_from(offset).unwrap();
        let inode = &mut platter.inodes[self.1];
        if inode.seen.len() < from + length {
            inode.seen.resize(from + length, 0);
        }
        inode.seen[from..from + length].copy_from_slice(&bytes[..length]);
        inode.dirty.extend(from / SECTOR..=(from + length - 1) / SECTOR);
        Ok(length)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut platter = self.0.platter();
        platter.fails(Fault::Read)?;
        let seen = &platter.inodes[self.1].seen;
        let from = usize::try_from(offset).unwrap().min(seen.len());
        let length = bytes.len().min(seen.len() - from);
        bytes[..length].copy_from_slice(&seen[from..from + length]);
        Ok(length)
    }

    fn sync(&self) -> io::Result<()> {
        let mut platter = self.0.platter();
        let failed = platter.fails(Fault::Sync);
        let dirty = std::mem::take(&mut platter.inodes[self.1].dirty);
        for sector in dirty {
            // After an error the pages count as clean, whether they were written or not.
            if failed.is_ok() || platter.chance().is_multiple_of(2) {
                platter.inodes[self.1].keep(sector);
            }
        }
        failed
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        let mut platter = self.0.platter();
        platter.fails(Fault::Cut)?;
        let length = usize::try_from(length).unwrap();
        platter.inodes[self.1].seen.truncate(length);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.platter().inodes[self.1].seen.len() as u64)
    }
}
