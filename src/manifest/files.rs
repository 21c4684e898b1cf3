//! Files that are read again and again: only those that changed since are parsed and judged anew.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{FileProblem, Loaded, ObjectKey, listed, read_one};

/// What changes when a file does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    length: u64,
    /// Another file under the same name has another one.
    number: u64,
}

/// A file or folder, as it was read last.
#[derive(Debug, Default)]
pub struct Files {
    known: BTreeMap<PathBuf, (Stamp, Loaded)>,
    /// What was wrong with the folder itself; `None`: nothing was read yet.
    wrong: Option<Vec<FileProblem>>,
}

impl Files {
    /// Reads a file, or the files of a folder, of which those count that changed. `None`: none did since the last time.
    pub fn read(&mut self, path: &Path) -> Option<Loaded> {
        let mut loaded = Loaded::default();
        let files = match path.is_dir() {
            true => listed(path, &mut loaded),
            false => vec![path.to_owned()],
        };
        let mut before = std::mem::take(&mut self.known);
        let wrong = Some(loaded.problems.clone());
        let mut same = self.wrong == wrong;
        self.wrong = wrong;
        for file in files {
            // Before it is read: what changes meanwhile is read again the next time.
            let stamp = Stamp::of(&file);
            let entry = match before.remove(&file) {
                Some(known) if known.0 == stamp => known,
                _ => {
                    same = false;
                    let mut own = Loaded::default();
                    read_one(&file, &mut own);
                    // The lines of fields have been told with what is wrong; nobody asks for them again.
                    own.origins.values_mut().for_each(|origin| origin.lines.clear());
                    (stamp, own)
                }
            };
            self.known.insert(file, entry);
        }
        if same && before.is_empty() {
            return None;
        }
        self.known.values().for_each(|(_, own)| loaded.absorb(own));
        Some(loaded)
    }
}

impl Stamp {
    /// Follows links: the file behind a link is what is read.
    fn of(file: &Path) -> Self {
        match std::fs::metadata(file) {
            Ok(metadata) => Self { changed: metadata.modified().ok(), length: metadata.len(), number: metadata.ino() },
            Err(_) => Self { changed: None, length: 0, number: 0 },
        }
    }
}

impl Loaded {
    /// Adds what another file said, as if it had been read behind the others: an object that stands already counts no more.
    fn absorb(&mut self, other: &Self) {
        let taken: Vec<&ObjectKey> = other.origins.keys().filter(|key| self.origins.contains_key(key)).collect();
        let is_new = |key: &ObjectKey| !taken.contains(&key);
        let key = |kind: &str, namespace: &Option<String>, name: &Option<String>| {
            ObjectKey::new(kind, namespace.as_deref().unwrap_or_default(), name.as_deref().unwrap_or_default())
        };
        for source in &other.sources {
            if is_new(&key("WebhookSource", &source.metadata.namespace, &source.metadata.name)) {
                self.sources.push(source.clone());
            }
        }
        for provider in &other.providers {
            if is_new(&key("WebhookProvider", &None, &provider.metadata.name)) {
                self.providers.push(provider.clone());
            }
        }
        for ((namespace, name), secret) in &other.secrets {
            if is_new(&ObjectKey::new("Secret", namespace, name)) {
                self.secrets.insert((namespace.clone(), name.clone()), secret.clone());
            }
        }
        for (key, written) in other.broken.iter().filter(|(key, _)| is_new(key)) {
            self.broken.insert(key.clone(), written.clone());
        }
        let known = other.problems.iter().filter(|problem| problem.object.as_ref().is_none_or(is_new));
        let mut problems: Vec<FileProblem> = known.cloned().collect();
        if !taken.is_empty() {
            problems.extend(taken.iter().map(|key| {
                let (line, object) = (other.origins[*key].line, Some((*key).clone()));
                let message = self.origins[*key].taken();
                FileProblem { line, object, ..FileProblem::of_file(&other.origins[*key].file, message) }
            }));
            problems.sort_by_key(|problem| problem.line);
        }
        self.problems.extend(problems);
        self.notes.extend(other.notes.iter().cloned());
        for (key, origin) in other.origins.iter().filter(|(key, _)| is_new(key)) {
            self.origins.insert(key.clone(), origin.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::read_file;

    fn source(name: &str, provider: &str) -> String {
        format!(
            "---\napiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\nmetadata: {{name: {name}, namespace: sales}}\nspec: {{provider: {provider}}}\n"
        )
    }

    /// What was read, but for the lines of fields.
    fn said(loaded: &Loaded) -> String {
        let origins: Vec<_> = loaded.origins.iter().map(|(key, origin)| (key, &origin.file, origin.line)).collect();
        format!("{:?} {:?} {:?} {:?} {origins:?}", loaded.sources, loaded.broken, loaded.problems, loaded.notes)
    }

    #[test]
    fn what_is_read_again_is_what_is_read_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut files) = (folder.path(), Files::default());
        let write = |file: &str, text: &str| {
            // As editors and Kubernetes do: another file under the same name.
            std::fs::write(path.join("new"), text).unwrap();
            std::fs::rename(path.join("new"), path.join(file)).unwrap();
        };
        let mut check = |what: &str| {
            let read = files.read(path).unwrap_or_else(|| panic!("{what}: nothing changed"));
            assert_eq!(said(&read), said(&read_file(path)), "{what}");
            assert!(files.read(path).is_none(), "{what}: read twice");
        };
        check("an empty folder");
        write("a.yaml", &source("one", "github"));
        write("b.yaml", &(source("two", "stripe") + &source("three", "NOT_A_NAME")));
        check("two files");
        write("c.yaml", &(source("one", "stripe") + "---\nkind: x\n"));
        check("an object that stands already, and no object");
        write("a.yaml", &source("one", "zoom"));
        check("one of them changed");
        std::fs::remove_file(path.join("a.yaml")).unwrap();
        check("the first is gone, and the second counts");
        write("b.yaml", "{{{ no yaml");
        check("a file that is none");
        write("d.txt", "not ours");
        assert!(files.read(path).is_none(), "other files are nobody's");
    }
}
