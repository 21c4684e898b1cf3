//! Where the programs come from that tests start.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The path of a program that `tests/servers/build.sh` knows. The first use on a machine builds it, which takes minutes
/// for the Kubernetes ones; the script says so on standard error.
pub fn program(name: &str) -> PathBuf {
    static KNOWN: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    // A test that failed here left the map as it was: others may go on.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_default().entry(name.to_owned()).or_insert_with(|| build(name).join(name)).clone()
}

/// The folder that has a program, once it is there.
pub fn build(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/build.sh");
    let by_hand =
        format!("Run `tests/servers/build.sh {name}` by hand: it needs `bash`, Go 1.26 and a Go module proxy.");
    let built = Command::new(&script)
        .arg(name)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}. {by_hand}", script.display()));
    let printed = String::from_utf8_lossy(&built.stdout);
    match printed.lines().last() {
        Some(folder) if built.status.success() => PathBuf::from(folder),
        _ => panic!("This test needs {name}, and {} failed ({}). {by_hand}", script.display(), built.status),
    }
}
