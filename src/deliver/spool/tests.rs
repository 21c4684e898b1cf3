//! The spool on a real file system.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};

use tempfile::TempDir;

use super::record::tests::record;
use super::*;

const SPACE: u64 = 64 << 20;

fn open(folder: &TempDir) -> (Spool, Recovered) {
    Spool::open(&folder.path().join("spool"), SPACE).unwrap()
}

fn all(drain: &mut Drain) -> Vec<(Position, Record)> {
    std::iter::from_fn(|| drain.take().unwrap()).collect()
}

fn files(folder: &TempDir) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder.path().join("spool")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "spool")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_append_is_there_after_a_restart_in_order_and_once() {
    let folder = TempDir::new().unwrap();
    let (spool, _) = open(&folder);
    let appended = futures::future::join_all((0..500).map(|id| spool.append(record("uid", id, 300)))).await;
    assert!(appended.iter().all(Result::is_ok));
    assert_eq!(spool.stock().events, 500);
    drop(spool);
    let (spool, recovered) = open(&folder);
    assert!(recovered.damaged.is_empty());
    let read = all(&mut spool.reader());
    assert_eq!(read.iter().map(|(_, record)| &record.msg_id).collect::<BTreeSet<_>>().len(), 500);
    for (at, record) in &read[..499] {
        spool.done(record, at);
    }
    assert_eq!(spool.stock().events, 1);
    spool.refuse(&read[499].1, &read[499].0, "10054").await.unwrap();
    assert_eq!((spool.stock().events, spool.stock().bytes, spool.refused_stock().events), (0, 0, 1));
    assert!(files(&folder).is_empty());
    drop(spool);
    let (spool, _) = open(&folder);
    let refused = all(&mut spool.refused());
    assert_eq!(refused[0].1.refused, "10054");
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let folder = TempDir::new().unwrap();
    let (spool, _) = open(&folder);
    spool.append(record("uid", 1, 10)).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("spool")), 0o700);
    assert!(files(&folder).iter().all(|file| mode(file) == 0o600));
    assert_eq!(mode(&folder.path().join("spool").join(LOCK)), 0o600);
}

#[tokio::test]
async fn a_second_process_is_told_and_a_marker_is_seen() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("spool");
    let (spool, _) = open(&folder);
    assert!(!spool.is_persistent());
    assert!(matches!(Spool::open(&path, SPACE), Err(OpenError::InUse)));
    drop(spool);
    init(&path, true).unwrap();
    assert!(open(&folder).0.is_persistent());
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let (spool, _) = open(&folder);
    spool.append(record("uid", 1, 10)).await.unwrap();
    drop(spool);
    let file = files(&folder).remove(0);
    let mut header = fs::read(&file).unwrap()[..24].to_vec();
    header[8] = 2;
    let sum = crc32fast::hash(&header[..20]);
    header[20..].copy_from_slice(&sum.to_le_bytes());
    fs::OpenOptions::new().write(true).open(&file).unwrap().write_all_at(&header, 0).unwrap();
    let before = fs::read(&file).unwrap();
    let error = Spool::open(&folder.path().join("spool"), SPACE).unwrap_err();
    assert!(error.to_string().contains("format version 2, this program reads 1"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn damage_is_told_by_file_and_offset_and_takes_nothing_else_with_it() {
    let folder = TempDir::new().unwrap();
    let (spool, _) = open(&folder);
    for id in 0..3 {
        spool.append(record("uid", id, 100)).await.unwrap();
    }
    drop(spool);
    let file = files(&folder).remove(0);
    let length = record("uid", 0, 100).disk_len() as u64;
    let second = 24 + length;
    fs::OpenOptions::new().write(true).open(&file).unwrap().write_all_at(b"?", second + 60).unwrap();
    let (spool, recovered) = open(&folder);
    let [damage] = recovered.damaged.as_slice() else { panic!("{:?}", recovered.damaged) };
    assert_eq!(damage.file, file.file_name().unwrap().to_str().unwrap());
    assert_eq!(damage.bytes.start, second);
    let read = all(&mut spool.reader());
    assert_eq!(read.iter().map(|(_, record)| record.msg_id.as_str()).collect::<Vec<_>>(), ["uid:0", "uid:2"]);
    for (at, record) in &read {
        spool.done(record, at);
    }
    assert_eq!(spool.stock(), Stock::default());
    let kept = fs::read_dir(folder.path().join("spool")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(kept.into_iter().any(|name| name.to_string_lossy().ends_with(".damaged")), "for somebody to look at");
}

#[tokio::test]
async fn what_a_killed_process_left_half_written_is_told_and_takes_no_space_for_ever() {
    let folder = TempDir::new().unwrap();
    let (spool, _) = open(&folder);
    for id in 0..2 {
        spool.append(record("uid", id, 100)).await.unwrap();
    }
    drop(spool);
    let file = files(&folder).remove(0);
    let second = 24 + record("uid", 0, 100).disk_len() as u64;
    let whole = fs::read(&file).unwrap();
    // Within the marker, within the frame, at its end, and within the body.
    for left in [3, 20, 28, 70] {
        let end = second + left;
        fs::write(&file, &whole[..usize::try_from(end).unwrap()]).unwrap();
        let (spool, recovered) = open(&folder);
        assert_eq!(recovered.damaged.len(), 1);
        assert!(recovered.damaged[0].torn && recovered.damaged[0].bytes == (second..end), "{:?}", recovered.damaged);
        let read = all(&mut spool.reader());
        assert_eq!(read.len(), 1);
        for (at, record) in &read {
            spool.done(record, at);
        }
        assert_eq!(spool.stock(), Stock::default());
        let left = fs::read_dir(folder.path().join("spool")).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(left.into_iter().all(|name| !name.to_string_lossy().contains(".spool")), "nothing is kept of it");
    }
}

#[tokio::test]
async fn looking_leaves_everything_as_it_is() {
    let folder = TempDir::new().unwrap();
    let (spool, _) = open(&folder);
    spool.append(record("uid", 1, 10)).await.unwrap();
    drop(spool);
    let file = files(&folder).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    // Its only record is damaged: a spool in use would set the file aside.
    bytes[60] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let path = folder.path().join("spool");
    let Contents { mut records, damaged } = read(&path, false).unwrap();
    assert_eq!((records.take().unwrap(), damaged.len()), (None, 1));
    drop(records);
    assert_eq!(fs::read(&file).unwrap(), bytes);
    drop(open(&folder));
    assert!(!file.exists(), "set aside");
}
