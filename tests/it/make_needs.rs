//! `make demo` says at once what is missing, with the command that installs it.
#![allow(clippy::expect_used, reason = "a test fails loudly")]

use std::path::Path;

use crate::support::run::run;

#[tokio::test]
async fn what_is_missing_is_said_with_the_command_that_installs_it() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/needs.sh");
    let nothing = tempfile::tempdir().expect("a folder");
    let mut command = tokio::process::Command::new("/bin/bash");
    command.arg(script).args(["cargo", "go", "cc"]).env("PATH", nothing.path());
    let output = run(command, "").await;
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 6, "{lines:?}");
    for (line, said) in [(0, "cargo"), (1, "rustup"), (2, "go"), (3, "go.dev/dl"), (4, "C compiler")] {
        assert!(lines[line].contains(said), "{lines:?}");
    }
}
