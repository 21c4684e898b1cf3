//! The real servers that tests run against, and the little that is needed to start, hurt and read them.
//!
//! Only `operator` knows Hookgate. Every server listens on 127.0.0.1, keeps its files in a folder of its own, and is gone
//! when its guard is dropped or the test process ends, however it ends.
#![allow(dead_code, reason = "not every test uses every helper")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test without its server fails loudly")]

pub mod accounts;
pub mod balancer;
pub mod cluster;
pub mod flood;
pub mod folder;
pub mod framed;
pub mod image;
pub mod nats;
pub mod nats_cluster;
pub mod nodes;
pub mod operator;
pub mod port;
pub mod process;
pub mod proxy;
pub mod run;
pub mod servers;
pub mod wait;
pub mod watcher;
pub mod wire;
