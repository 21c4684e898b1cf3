//! Ports for servers that must be told theirs, and that come back to it after a restart.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that kernels give to outgoing connections: one of those could take a server's port while it is down.
const FIRST: u32 = 15_000;
const COUNT: u32 = 17_000;

/// What servers say when another process took their port first.
const TAKEN: &str = "address already in use";

/// A port of 127.0.0.1 on which nobody listened a moment ago. The same process never gets one twice.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test processes that run side by side begin far from each other.
    let begin = std::process::id().wrapping_mul(997);
    (0..COUNT)
        .map(|_| FIRST + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("a free port")
}

/// Starts a server on a free port; on another one when somebody was quicker. Panics with any other failure.
pub async fn on_free_port<T>(mut start: impl AsyncFnMut(u16) -> anyhow::Result<T>) -> T {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match start(free_port()).await {
            Ok(server) => return server,
            Err(failure) if attempts < 5 && format!("{failure:#}").contains(TAKEN) => {}
            Err(failure) => panic!("{failure:#}"),
        }
    }
}
