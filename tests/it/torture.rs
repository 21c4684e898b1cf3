//! Nothing acknowledged is lost, doubled or invented, and nothing is refused, whatever is killed, paused or cut off.
//!
//! The ledger is kept outside the process under test. A seed makes the schedule of faults again:
//! `HOOKGATE_TORTURE_SEED`, `_KILLS`, `_EVENTS` (acknowledged ones) and `_SECONDS` (the longest it may take) set the size. Disks that
//! tear and forget are those of the spool's own model, which `make torture` runs too.

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
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::control_outage::install_crds;
use crate::ledger::{Gate, Load, judge, shares, syncs};
use crate::spool::MANIFEST;
use crate::support::cluster::Cluster;
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::hookgate;
use crate::support::process::Process;
use crate::support::proxy::{Proxy, Weather};
use crate::support::wait::eventually;

/// A number of the environment.
fn size(name: &str, default: u64) -> u64 {
    std::env::var(format!("HOOKGATE_TORTURE_{name}")).ok().map_or(default, |text| text.parse().unwrap())
}

/// The schedules of two tasks that hurt, which a seed makes again.
fn schedules() -> (Rng, Rng) {
    let seed = size("SEED", fastrand::u64(..));
    println!("HOOKGATE_TORTURE_SEED={seed}");
    (Rng::with_seed(seed), Rng::with_seed(seed ^ 1))
}

/// Hurts nats-server or the way to it, and lets it be again.
async fn hurt(nats: &mut Nats, proxy: &Proxy, rng: &mut Rng) -> u64 {
    let pause = Duration::from_millis(rng.u64(50..900));
    match rng.u8(0..100) {
        0..60 => {
            nats.kill();
            tokio::time::sleep(pause / 3).await;
            nats.start_again().await;
            return 1;
        }
        60..75 => {
            nats.pause();
            tokio::time::sleep(pause).await;
            nats.resume();
        }
        75..90 => {
            proxy.set(Weather::Deaf);
            tokio::time::sleep(pause).await;
            proxy.set(Weather::Fair);
        }
        _ => {
            proxy.set(Weather::Hole);
            tokio::time::sleep(pause).await;
            proxy.set(Weather::Fair);
        }
    }
    0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_stored_once_whatever_is_killed() {
    let (kills, events) = (size("KILLS", 60), size("EVENTS", 250_000));
    let limit = Duration::from_secs(size("SECONDS", 900));
    let (mut first, mut second) = schedules();
    let mut nats = Nats::start().await;
    let proxy = Proxy::before(nats.port()).await;
    let mut gate = Gate::new(proxy.url()).await;
    // A server that starts reads every message of its window, and is gone the longer for it.
    gate.arguments.extend(["--duplicate-window=90s", "--guard-window=30s"].map(str::to_owned));
    let begun = Instant::now();
    let mut process = gate.start().await;
    let load = Load::start(&gate);
    let (done, killed) = (AtomicBool::new(false), AtomicU64::new(0));
    let most = AtomicU64::new(0);
    let enough = || {
        let over =
            killed.load(Ordering::SeqCst) >= kills && load.answered() as u64 >= events || begun.elapsed() > limit;
        done.fetch_or(over, Ordering::SeqCst) || over
    };
    // Kills are spread over all the events.
    let in_step = async || {
        while !enough() && killed.load(Ordering::SeqCst) * events > (load.answered() as u64 + events / 10) * kills {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let kill_gate = async {
        while !enough() {
            tokio::time::sleep(Duration::from_millis(first.u64(50..600))).await;
            in_step().await;
            if first.u8(0..8) == 0 {
                process.signal("STOP");
                tokio::time::sleep(Duration::from_millis(first.u64(10..300))).await;
                process.signal("CONT");
                continue;
            }
            let waiting = gate.gauge("hookgate_spool_events ").await;
            most.fetch_max(if waiting == u64::MAX { 0 } else { waiting }, Ordering::SeqCst);
            gate.kill(&mut process);
            killed.fetch_add(1, Ordering::SeqCst);
            process = gate.start().await;
        }
    };
    let hurt_nats = async {
        while !enough() {
            tokio::time::sleep(Duration::from_millis(second.u64(50..900))).await;
            in_step().await;
            killed.fetch_add(hurt(&mut nats, &proxy, &mut second).await, Ordering::SeqCst);
        }
    };
    tokio::join!(kill_gate, hurt_nats);
    let ledger = load.end().await;
    let took = begun.elapsed();
    gate.drained().await;
    let killed = killed.into_inner();
    println!(
        "{killed} kills in {took:?}; {} acknowledgements swallowed; in the spool at most {most:?}",
        proxy.swallowed()
    );
    judge("torture", &nats, &ledger).await;
    drop(process);
    let refused = hookgate(&["spool", "ls", "--refused", gate.spool.to_str().unwrap()]).await.ok();
    assert_eq!(refused, "", "NATS refused something for good");
    let acknowledged = ledger.answers.len() as u64;
    assert!(killed >= kills && acknowledged >= events, "{killed} kills, {acknowledged} events in {took:?}");
}

/// A small file system in memory that outlives the processes that use it. `None` where the kernel lets nobody mount.
async fn small_disk(place: &Path, folder: &Folder) -> Option<(Process, Vec<String>)> {
    std::fs::create_dir(place).unwrap();
    let script = format!("mount -t tmpfs -o size=2m tmpfs {place:?} && exec sleep infinity");
    let mut holder = Process::start("disk", folder, Command::new("unshare").args(["-rm", "sh", "-c", &script]));
    let mounts = format!("/proc/{}/mountinfo", holder.pid());
    let mounted =
        async |_: &str| std::fs::read_to_string(&mounts).is_ok_and(|mounts| mounts.contains(&*place.to_string_lossy()));
    if let Err(failure) = holder.ready(Duration::from_secs(10), mounted).await {
        eprintln!("no file system of its own: {failure:#}");
        return None;
    }
    let within = format!("nsenter --target {} --user --mount --preserve-credentials --", holder.pid());
    Some((holder, within.split(' ').map(str::to_owned).collect()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_stored_once_although_the_disk_is_full_now_and_then() {
    let (mut rng, _) = schedules();
    let mut nats = Nats::start().await;
    let mut gate = Gate::new(nats.url()).await;
    let disk = gate.folder.join("disk");
    let Some((holder, within)) = small_disk(&disk, &gate.folder).await else { return };
    (gate.within, gate.spool) = (within, disk.join("spool"));
    gate.arguments.push("--spool-volatile".to_owned());
    let ballast = format!("/proc/{}/root{}", holder.pid(), disk.join("ballast").display());
    let mut process = gate.start().await;
    let load = Load::start(&gate);
    let goes_on = async || {
        let before = load.answered();
        eventually("requests are answered", Duration::from_secs(30), async || load.answered() > before + 100).await;
    };
    let rounds = (size("KILLS", 60) / 15).max(2);
    for round in 0..rounds {
        nats.kill();
        goes_on().await;
        gate.excuse();
        // Until not a byte is left.
        let full = std::fs::write(&ballast, vec![0; 4 << 20]).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        tokio::time::sleep(Duration::from_millis(rng.u64(50..400))).await;
        if round % 2 == 0 {
            gate.kill(&mut process);
            process = gate.start().await;
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(50..400))).await;
        let holds = async || gate.gauge("hookgate_spool_events ").await > 0;
        eventually("it tells what it holds", Duration::from_secs(10), holds).await;
        std::fs::remove_file(&ballast).unwrap();
        nats.start_again().await;
        gate.drained().await;
        goes_on().await;
        gate.excuse();
    }
    let ledger = load.end().await;
    gate.drained().await;
    println!("{rounds} times without a byte left");
    judge("a full disk", &nats, &ledger).await;
    drop(process);
}

/// What makes writes and syncs of a process fail, as a library that is loaded before all others.
fn faults(folder: &Folder) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/faults.c");
    let library = folder.join("faults.so").display().to_string();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o", &library]).arg(source).status().unwrap();
    assert!(built.success(), "a C compiler");
    library
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_stored_once_although_the_disk_fails_and_writes_by_halves() {
    let (mut rng, _) = schedules();
    let mut nats = Nats::start().await;
    let mut gate = Gate::new(nats.url()).await;
    let failing = gate.folder.join("failing");
    gate.environment.extend([
        ("LD_PRELOAD".to_owned(), faults(&gate.folder)),
        ("HOOKGATE_FAULTS_IN".to_owned(), gate.spool.display().to_string()),
        ("HOOKGATE_FAULTS_WHILE".to_owned(), failing.display().to_string()),
    ]);
    let mut process = gate.start().await;
    let load = Load::start(&gate);
    let goes_on = async || {
        let before = load.answered();
        eventually("requests are answered", Duration::from_secs(30), async || load.answered() > before + 100).await;
    };
    let mut refusals = 0;
    let rounds = (size("KILLS", 60) / 15).max(2);
    for round in 0..rounds {
        nats.kill();
        goes_on().await;
        gate.excuse();
        std::fs::write(&failing, "").unwrap();
        // What fails is answered 503, and what does not is durable.
        tokio::time::sleep(Duration::from_millis(rng.u64(200..600))).await;
        if round % 2 == 0 {
            gate.kill(&mut process);
            // It finds what was written by halves, on a disk that still fails.
            process = gate.start().await;
            tokio::time::sleep(Duration::from_millis(rng.u64(50..400))).await;
        }
        std::fs::remove_file(&failing).unwrap();
        nats.start_again().await;
        gate.drained().await;
        goes_on().await;
        gate.excuse();
        let log = process.log();
        refusals += log.matches("Input/output error").count();
    }
    let ledger = load.end().await;
    gate.drained().await;
    println!("{rounds} times on a disk that fails, {refusals} lines of the log name it");
    assert!(refusals > 0, "{}", process.log());
    judge("a failing disk", &nats, &ledger).await;
    drop(process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_stored_once_although_the_api_server_is_killed_too() {
    let (mut first, mut second) = schedules();
    let (mut cluster, mut nats) = tokio::join!(Cluster::start(), Nats::start());
    install_crds(&cluster).await;
    cluster.kubectl(&["create", "namespace", "sales"]).await.ok();
    cluster.kubectl_apply(MANIFEST).await.ok();
    let proxy = Proxy::before(nats.port()).await;
    let mut gate = Gate::in_cluster(proxy.url(), &cluster.kubeconfig()).await;
    gate.arguments.extend(["--namespace", "sales", "--lease-namespace", "sales"].map(str::to_owned));
    let mut process = gate.start().await;
    let load = Load::paced(&gate, Duration::from_millis(10));
    let rounds = (size("KILLS", 60) / 20).max(2);
    for _ in 0..rounds {
        cluster.stop_apiserver();
        hurt(&mut nats, &proxy, &mut first).await;
        tokio::time::sleep(Duration::from_millis(first.u64(50..900))).await;
        // It starts while the API server does, and is ready once that is there.
        let back = async {
            tokio::time::sleep(Duration::from_millis(second.u64(0..2000))).await;
            gate.kill(&mut process);
            process = gate.start().await;
        };
        tokio::join!(cluster.start_apiserver(), back);
        hurt(&mut nats, &proxy, &mut first).await;
    }
    let ledger = load.end().await;
    gate.drained().await;
    println!("{rounds} API servers killed");
    judge("API server", &nats, &ledger).await;
    drop(process);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_seconds_without_nats_refuse_nobody_and_hold_nobody_up() {
    let mut nats = Nats::start().await;
    let gate = Gate::new(nats.url()).await;
    let process = gate.start().await;
    let load = Load::start(&gate);
    eventually("some are stored", Duration::from_secs(30), async || load.answered() > 100).await;
    nats.kill();
    let (before, away) = (load.answered(), Instant::now());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(load.answered() > before + 100, "answered while NATS is away");
    let still = Instant::now();
    nats.start_again().await;
    let back = load.answered();
    eventually("requests go on", Duration::from_secs(30), async || load.answered() > back + 100).await;
    let ledger = load.end().await;
    gate.drained().await;
    let spooled = ledger.took.iter().filter(|(begun, _)| *begun > away && *begun < still).map(|(_, took)| *took);
    println!("spooled: 2xx {}; this disk's sync {}", shares(spooled), syncs(&gate.folder));
    let after = ledger.took.iter().filter(|(begun, _)| *begun > still).map(|(_, took)| *took);
    println!(
        "{} were answered while NATS was away; while it came back and the spool drained: 2xx {}",
        back - before,
        shares(after)
    );
    judge("5 s without NATS", &nats, &ledger).await;
    assert!(ledger.late.is_empty(), "{:?}", ledger.late);
    drop(process);
}
