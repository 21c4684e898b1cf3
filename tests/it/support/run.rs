//! Programs that run to their end: kubectl, helm, and the commands of the program under test.

use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What a program said, and how it ended.
#[must_use = "a failed command is only seen when it is asked: `.ok()` or `.status`"]
#[derive(Debug)]
pub struct Output {
    command: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Its standard output. Panics with all that it said when it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "`{}` failed ({}):\n{}{}", self.command, self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// Its standard error. Panics with all that it said when it did not fail.
    #[track_caller]
    pub fn err(self) -> String {
        assert!(
            !self.status.success(),
            "`{}` should have failed, but said:\n{}{}",
            self.command,
            self.stdout,
            self.stderr
        );
        self.stderr
    }
}

/// Runs a command with `input` on its standard input.
pub async fn run(mut command: Command, input: &str) -> Output {
    let name = format!("{:?}", command.as_std());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{name}`: {error}"));
    let mut stdin = child.stdin.take().expect("a piped input");
    // Both at once: a program may fill its output before it has read its input, or end without reading it.
    let (_, output) = tokio::join!(
        async move {
            let _ = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
        },
        child.wait_with_output()
    );
    let output = output.unwrap_or_else(|error| panic!("cannot wait for `{name}`: {error}"));
    Output {
        command: name,
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
