//! A spool that cannot be used says why in a sentence, and nothing that was accepted is lost by it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails loudly, and prints its figures"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::spool::{MANIFEST, arrived, manifests, send, start};
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::{binary, hookgate};
use crate::support::port::free_port;
use crate::support::process::Process;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(20);

/// Starts on a spool that cannot be used; what it says at its end.
async fn refused(spool: &Path) -> String {
    let manifests = manifests();
    let (sources, spool) = (manifests.path().to_str().unwrap(), spool.to_str().unwrap());
    let ports = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let output = hookgate(&[
        "run",
        "--manifests",
        sources,
        "--spool-dir",
        spool,
        "--spool-volatile",
        "--listen",
        &ports[0],
        "--admin-listen",
        &ports[1],
        "--nats-url",
        "nats://127.0.0.1:1",
    ])
    .await;
    output.err()
}

#[tokio::test]
async fn a_second_process_on_the_same_spool_says_so_and_hurts_nothing() {
    let (manifests, spool, mut nats) = (manifests(), Folder::new("spool"), Nats::start().await);
    let operator = start(manifests.path(), &nats, &spool, &["--spool-volatile"]).await;
    nats.kill();
    for id in 0..5 {
        assert_eq!(send(&operator, "github", &format!("id-{id}")).await, 200);
    }
    let said = refused(&spool.path().join("spool")).await;
    assert!(said.contains("--spool-dir") && said.contains("another hookgate uses it"), "{said}");
    assert_eq!(send(&operator, "github", "id-5").await, 200);
    nats.start_again().await;
    arrived(&nats, 6).await;
}

#[tokio::test]
async fn a_spool_of_a_newer_format_is_left_as_it_is() {
    let folder = Folder::new("spool");
    let mut header = b"HOOKGATE".to_vec();
    header.extend_from_slice(&2_u32.to_le_bytes());
    header.extend_from_slice(&10_u64.to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    header.extend_from_slice(b"what only the newer one reads");
    let file = folder.join("0000000000000001-000000000000000a.spool");
    std::fs::write(&file, &header).unwrap();
    let said = refused(folder.path()).await;
    assert!(said.contains("format version 2") && said.contains("drain it with the version that wrote it"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), header);
    let path = folder.path().to_str().unwrap();
    for command in [&["spool", "ls", path][..], &["drain", "--spool-dir", path]] {
        let said = hookgate(command).await.err();
        assert!(said.contains("format version 2"), "{said}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), header);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    // Nobody may make a folder there, whoever runs this.
    let said = refused(Path::new("/proc/hookgate-spool")).await;
    assert!(said.contains("--spool-dir /proc/hookgate-spool: "), "{said}");
    let folder = Folder::new("spool");
    let file = folder.write("file", "");
    let said = refused(&file).await;
    assert!(said.contains(&format!("--spool-dir {}: ", file.display())), "{said}");
}

/// A disk of 128 KiB: a file system in memory that only the process under test sees.
#[tokio::test]
async fn a_full_disk_refuses_with_a_word_when_to_come_again_and_what_it_holds_arrives() {
    let (folder, mut nats) = (Folder::new("full"), Nats::start().await);
    folder.write("sources.yaml", MANIFEST);
    let disk = folder.join("disk");
    std::fs::create_dir(&disk).unwrap();
    let (port, admin) = (free_port(), free_port());
    let script = format!(
        "mount -t tmpfs -o size=128k tmpfs {disk:?} && exec {binary:?} run --manifests {sources:?} --spool-dir {disk:?} \
         --spool-volatile --nats-url {nats} --listen 127.0.0.1:{port} --admin-listen 127.0.0.1:{admin}",
        binary = binary(),
        sources = folder.join("sources.yaml"),
        nats = nats.url(),
    );
    let mut process = Process::start("hookgate", &folder, Command::new("unshare").args(["-rm", "sh", "-c", &script]));
    let started = process.ready(SOON, async |log| log.contains(" serves")).await;
    if let Err(failure) = &started
        && format!("{failure:#}").contains("unshare:")
    {
        // Kernels that let nobody mount: the injected disk of the spool's own tests is full there.
        eprintln!("no file system of its own: {failure:#}");
        return;
    }
    started.unwrap();
    let client = crate::support::operator::Client::at(port, admin);
    eventually("it is ready", SOON, async || client.get("/readyz").await.is_some_and(|answer| answer.status == 200))
        .await;
    nats.kill();
    let (mut accepted, mut full) = (Vec::new(), 0);
    for id in 0..400 {
        let id = format!("id-{id}");
        match crate::spool::post(&client, "github", &id).await {
            Some(answer) if answer.status == 200 => accepted.push(id),
            Some(answer) => {
                assert_eq!(answer.status, 503, "{answer:?}");
                assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
                full += 1;
            }
            None => panic!("no answer: {}", process.log()),
        }
    }
    assert!(accepted.len() > 20 && full > 20, "{} accepted, {full} refused", accepted.len());
    nats.start_again().await;
    arrived(&nats, accepted.len() as u64).await;
    assert_eq!(crate::spool::post(&client, "github", "after").await.unwrap().status, 200, "room again");
}
