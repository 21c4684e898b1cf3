//! Anonymous memory of the process, held below its limit by giving up connections before the kernel gives up the process.
//!
//! Looks from a thread of its own: the runtime may be busy with what fills the memory. Pages of files do not count: the
//! kernel takes those back by itself.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::crowd::Crowd;

/// Looks while there is plenty of memory, while there is less than half, and while little is left until connections give way:
/// a flood of this machine's own speed takes a megabyte in a few milliseconds.
const CALM: Duration = Duration::from_millis(100);
const TENSE: Duration = Duration::from_millis(20);
const ALERT: Duration = Duration::from_millis(4);
/// How long the allocator keeps what is given back to it.
const RETURN: Duration = Duration::from_secs(1);
/// Limits of this size say that there is none.
const UNLIMITED: u64 = 1 << 50;

/// The memory limit of the cgroup (v2, else v1), less a quarter for what is not counted here: sockets, page tables, the
/// page cache that is in use. `None` where there is no limit.
pub(crate) fn cgroup_limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    limit_of(&own, Path::new("/sys/fs/cgroup")).map(less_a_quarter)
}

fn less_a_quarter(limit: u64) -> u64 {
    limit - limit / 4
}

/// The smallest limit of a cgroup and those that it is within.
fn limit_of(own: &str, root: &Path) -> Option<u64> {
    let read =
        |path: &Path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok().filter(|limit| *limit < UNLIMITED);
    let places = own.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        match rest.split_once(':')? {
            ("", path) => Some((root.to_owned(), path, "memory.max")),
            (kinds, path) if kinds.split(',').any(|kind| kind == "memory") => {
                Some((root.join("memory"), path, "memory.limit_in_bytes"))
            }
            _ => None,
        }
    });
    // Within a container the own path may be that of the host, while the root of the mount is the container's.
    places
        .flat_map(|(root, path, file)| {
            let own = root.join(path.trim_start_matches('/'));
            let within: Vec<_> =
                own.ancestors().take_while(|at| at.starts_with(&root)).map(|at| at.join(file)).collect();
            within
        })
        .filter_map(|path| read(&path))
        .min()
}

/// Anonymous memory of this process in bytes.
fn used() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// Watches until the port is closed.
pub(super) fn watch(limit: u64, crowd: &Arc<Crowd>) {
    let crowd = Arc::downgrade(crowd);
    let look = move || {
        let mut pause = CALM;
        let mut shed = (0, Instant::now());
        loop {
            std::thread::sleep(pause);
            let (Some(used), Some(crowd)) = (used(), crowd.upgrade()) else { return };
            pause = match used {
                used if used > limit / 8 * 5 => ALERT,
                used if used > limit / 2 => TENSE,
                _ => CALM,
            };
            // What is closed is given back within a second: more gives way before only while memory grows all the same.
            if used > limit / 4 * 3 && (used > shed.0 || shed.1.elapsed() >= RETURN) {
                shed = (used, Instant::now());
                crowd.shed(used - limit / 4 * 3, used > limit);
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("memory".to_owned()).spawn(look) {
        tracing::warn!(%error, "memory is not watched");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_limit_of_the_own_cgroup_and_those_around_it_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(limit_of("0::/a/b\n", root.path()), None);
        write("a/b/memory.max", "max\n");
        assert_eq!(limit_of("0::/a/b\n", root.path()), None);
        write("a/memory.max", "268435456\n");
        assert_eq!(limit_of("0::/a/b\n", root.path()), Some(256 << 20));
        write("memory/pod/memory.limit_in_bytes", "134217728\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        let both = "12:cpu,cpuacct:/pod\n9:memory:/pod\n0::/\n";
        assert_eq!(limit_of(both, root.path()), Some(128 << 20));
        assert_eq!(limit_of(both, root.path()).map(less_a_quarter), Some(96 << 20));
    }

    #[test]
    fn what_is_used_is_known() {
        assert!(used().is_some_and(|used| used > 100 << 10));
    }
}
