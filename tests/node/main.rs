//! The chart on a real node: kubelet, containerd, pods that run the image. One node, one promise after the other.
//!
//! Needs root, for namespaces; in CI it fails where it cannot run, elsewhere it says so and is skipped. Runs itself once more in a
//! network namespace of its own, so that nothing leaves by a default route. `--demo`: install, one delivery, its event.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it says what runs")]

#[path = "../it/receive_wire.rs"]
#[allow(dead_code, reason = "not every test uses all of it")]
mod receive_wire;
#[path = "../it/support/mod.rs"]
mod support;

mod demo;
mod disks;
mod dns;
mod node;
mod promises;
mod sender;

use std::os::unix::fs::MetadataExt;
use std::process::{Command, ExitCode};
use std::time::Instant;

use node::Node;

/// Says that this process stands in the namespace.
const INSIDE: &str = "HOOKGATE_NODE_INSIDE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let demo = arguments.iter().any(|argument| argument == "--demo");
    // Whoever asks for tests by name, or for a list, means others.
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-') && argument.parse::<u32>().is_err());
    if wanted.is_some_and(|wanted| !"node".starts_with(wanted.as_str())) || arguments.iter().any(|one| one == "--list")
    {
        println!("test result: ok. 0 passed; 0 failed; 0 ignored");
        return ExitCode::SUCCESS;
    }
    if let Err(why) = can_run() {
        assert!(std::env::var_os("CI").is_none(), "the node suite cannot run in CI: {why}");
        println!("skipped: the node suite: {why}");
        return if demo { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    if std::env::var_os(INSIDE).is_none() {
        let own = std::env::current_exe().expect("this program");
        let again = Command::new("unshare").args(["--net", "--"]).arg(own).args(&arguments).env(INSIDE, "1").status();
        return match again {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        };
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let started = Instant::now();
        let node = Node::start().await;
        println!("a node is Ready after {:.1} s", started.elapsed().as_secs_f64());
        match demo {
            true => demo::show(&node).await,
            false => promises::hold(&node).await,
        }
    });
    ExitCode::SUCCESS
}

/// Whether a node can be run here.
fn can_run() -> Result<(), &'static str> {
    if std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() != 0) {
        return Err("it needs root");
    }
    if !std::path::Path::new("/sys/fs/cgroup").exists() {
        return Err("there are no cgroups");
    }
    let unshared = Command::new("unshare").args(["--net", "true"]).status();
    if !unshared.is_ok_and(|status| status.success()) {
        return Err("there are no network namespaces");
    }
    node::programs().map(drop)
}
