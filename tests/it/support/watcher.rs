//! What must happen when this test process ends without running its destructors: a static is never dropped, and
//! Ctrl-C or a killed test run drops nothing at all.

use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};

/// A small shell that waits for the end of this process and then runs one command. Dropping it calls that off.
pub struct Watcher(Child);

impl Watcher {
    /// `script` is shell text that sees `argument` as `$1`.
    pub fn at_exit(script: &str, argument: impl AsRef<OsStr>) -> Watcher {
        // Nobody ever writes to this shell's input. It reads end-of-file when the kernel closes the other end, which only
        // this process holds. It ignores the signals of a terminal and of test runners, which reach the whole group.
        let child = Command::new("sh")
            .arg("-c")
            .arg(format!("trap '' HUP INT TERM; read -r _; {script}"))
            .arg("watcher")
            .arg(argument)
            .stdin(Stdio::piped())
            // Else whoever reads the output of this test process would wait for the watcher too.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("tests need `sh` on PATH");
        Watcher(child)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Killed before its input is closed, so that it never acts on a process id that is someone else's by then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
