//! One running server, or any other long-running program under test.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::bail;

use super::watcher::Watcher;

/// A child process with a log file. It is killed and reaped when this is dropped, and killed when the test process ends.
pub struct Process {
    name: String,
    child: Child,
    /// Dropped by hand, before the child is reaped and its id free for others.
    watcher: Option<Watcher>,
    log: PathBuf,
    /// Where this run's output begins in a log that an earlier run began.
    log_start: u64,
}

impl Process {
    /// Starts `command` with its output appended to `<folder>/<name>.log`.
    pub fn start(name: &str, folder: &Path, command: &mut Command) -> Process {
        let log = folder.join(format!("{name}.log"));
        let mut output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", log.display()));
        let log_start = output.seek(SeekFrom::End(0)).expect("the length of a log");
        let errors = output.try_clone().expect("a second handle of a log");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", command.get_program().display()));
        let watcher = Some(Watcher::at_exit("kill -KILL \"$1\"", child.id().to_string()));
        Process { name: name.to_owned(), child, watcher, log, log_start }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name without SIG: `TERM`, `STOP`, `HUP`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.pid().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send {signal} to {}", self.name);
    }

    /// Every thread of it is stopped, as `STOP` does in its own time.
    pub fn is_stopped(&self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.pid())) else { return false };
        threads.flatten().all(|thread| {
            let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            status.lines().any(|line| line.starts_with("State:\tT"))
        })
    }

    /// How it ended, or nothing while it runs.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child process")
    }

    /// Waits for its end. Panics with its log when it still runs after `timeout`.
    pub async fn wait_exit(&mut self, timeout: Duration) -> ExitStatus {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(Instant::now() < deadline, "{} still runs after {timeout:?}.{}", self.name, self.log_tail());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until `check` holds for this process's log. The error says what happened instead, with the log.
    pub async fn ready(&mut self, timeout: Duration, mut check: impl AsyncFnMut(&str) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.exited() {
                bail!("{} ended ({status}) before it was ready.{}", self.name, self.log_tail());
            }
            if check(&self.log()).await {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} was not ready within {timeout:?}.{}", self.name, self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it at once, as a crash or a lost machine would, and waits until it is gone.
    pub fn kill(&mut self) {
        self.watcher = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it has written since this start.
    pub fn log(&self) -> String {
        let mut text = Vec::new();
        let read = OpenOptions::new().read(true).open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.log_start))?;
            file.read_to_end(&mut text)
        });
        match read {
            Ok(_) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => format!("(no log: {error})"),
        }
    }

    /// The end of the log, as a paragraph for a failure message.
    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let shown = &lines[lines.len().saturating_sub(40)..];
        format!(" The end of its log:\n{}", shown.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
