//! Nothing acknowledged is lost, doubled or invented, and nothing is refused, whatever is killed, paused or cut off.
//!
//! The ledger is kept here, outside the process under test. A seed makes the schedule of faults again:
//! `HOOKGATE_TORTURE_SEED`, `_KILLS`, `_EVENTS` and `_SECONDS` (the longest it may take) set the size.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails loudly, and prints its figures"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::ledger::{Gate, Load, judge, shares, syncs};
use crate::support::nats::Nats;
use crate::support::operator::hookgate;
use crate::support::proxy::{Proxy, Weather};
use crate::support::wait::eventually;

/// A number of the environment.
fn size(name: &str, default: u64) -> u64 {
    std::env::var(format!("HOOKGATE_TORTURE_{name}")).ok().map_or(default, |text| text.parse().unwrap())
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
    let seed = size("SEED", fastrand::u64(..));
    let (kills, events) = (size("KILLS", 60), size("EVENTS", 5_000));
    let limit = Duration::from_secs(size("SECONDS", 150));
    println!("HOOKGATE_TORTURE_SEED={seed}");
    let (mut first, mut second) = (Rng::with_seed(seed), Rng::with_seed(seed ^ 1));
    let mut nats = Nats::start().await;
    let proxy = Proxy::before(nats.port()).await;
    let gate = Gate::new(proxy.url()).await;
    let begun = Instant::now();
    let mut process = gate.start().await;
    let load = Load::start(&gate);
    let (done, killed) = (AtomicBool::new(false), AtomicU64::new(0));
    let most = AtomicU64::new(0);
    let enough = || {
        let sent = load.sent();
        let over = killed.load(Ordering::SeqCst) >= kills && sent >= events || begun.elapsed() > limit;
        done.fetch_or(over, Ordering::SeqCst) || over
    };
    let kill_gate = async {
        while !enough() {
            tokio::time::sleep(Duration::from_millis(first.u64(50..600))).await;
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
    assert!(killed >= kills, "{killed} kills in {took:?}");
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
