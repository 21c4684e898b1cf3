//! Watches a file or folder of manifests: the same events that a cluster sends, without one.
//!
//! Reads what changed whenever something did, and says in the log what is wrong and where. Knows of changes by the file system's
//! notices, and by looking every two seconds where those fail (network file systems, some container mounts).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{debug, info, warn};

use super::event::Event;
use super::manifests::Manifests;
use super::settings::Settings;
use crate::manifest::{FileProblem, Files, Loaded};

/// How often to look without a notice.
const LOOK: Duration = Duration::from_secs(2);
/// Whoever writes files is done when nothing happened for this long.
const QUIET: Duration = Duration::from_millis(100);
/// A folder that is written to without end is read all the same.
const LONGEST: Duration = Duration::from_secs(1);

/// Reads `path` now and whenever it changes, until nobody receives the events.
pub(crate) async fn run(path: PathBuf, settings: Arc<Settings>, events: mpsc::Sender<Event>) {
    let (notices, mut noticed) = mpsc::channel(1);
    let _watcher = notices_of(&path, notices);
    let mut manifests = Manifests::new(&*settings.source_base);
    let mut told = BTreeSet::new();
    let mut files = Files::default();
    let mut was_file = false;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = events.closed() => return,
            _ = look.tick() => {}
            Some(()) = noticed.recv() => quiet(&mut noticed).await,
        }
        let (read, mut known) = (path.clone(), std::mem::take(&mut files));
        let reading = tokio::task::spawn_blocking(move || (known.read(&read), known));
        let Ok((loaded, known)) = reading.await else { continue };
        files = known;
        let Some(mut loaded) = loaded else { continue };
        tell(&loaded, &mut told);
        loaded.keep_sources(|namespace, labels| settings.selects(namespace, labels));
        // A removed file is a removed source; but nothing is served, and nothing removed, because a folder is not there.
        match (path.exists(), path.is_dir()) {
            (true, is_folder) => was_file = !is_folder,
            (false, _) if was_file => {}
            (false, _) => continue,
        }
        let folder = manifests.merge(&loaded);
        info!(path = %path.display(), sources = folder.sources.len(), providers = folder.providers.len(), "manifests were read");
        if events.send(Event::Folder(Box::new(folder))).await.is_err() {
            return;
        }
    }
}

/// Notices of the file system. A file is watched by its folder, because whoever replaces it makes another file.
fn notices_of(path: &Path, notices: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let folder = if path.is_dir() {
        path
    } else {
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    };
    let notice = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A notice that waits already says the same.
            let _ = notices.try_send(());
        }
    };
    let watcher = notify::recommended_watcher(notice)
        .and_then(|mut watcher| watcher.watch(folder, RecursiveMode::NonRecursive).map(|()| watcher));
    watcher.inspect_err(|error| debug!(%error, "no notices of the file system: looking every {LOOK:?}")).ok()
}

async fn quiet(noticed: &mut mpsc::Receiver<()>) {
    let end = Instant::now() + LONGEST;
    while Instant::now() < end {
        if !matches!(tokio::time::timeout(QUIET, noticed.recv()).await, Ok(Some(()))) {
            return;
        }
    }
}

/// Tells each problem once, for as long as it lasts.
fn tell(loaded: &Loaded, told: &mut BTreeSet<FileProblem>) {
    for note in &loaded.notes {
        debug!("{note}");
    }
    let now: BTreeSet<FileProblem> = loaded.problems.iter().cloned().collect();
    for problem in now.difference(told) {
        warn!("{problem} (what was read before stays)");
    }
    if now.is_empty() && !told.is_empty() {
        info!("every manifest is valid again");
    }
    *told = now;
}
