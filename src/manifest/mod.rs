//! Manifests in files: WebhookSources, WebhookProviders and Secrets, read as `kubectl apply` would read them.
//!
//! What is in `sources` and `providers` has passed the CRD's schema and rules; whatever else stood in the files is a
//! problem that names file and line, or a note. Reading never fails as a whole: one broken file harms no other. What several
//! objects or a provider decide is not judged here. No message quotes a value of a Secret.

mod document;
mod files;
mod object;
mod secret;
mod tree;

pub use files::Files;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use zeroize::Zeroizing;

use crate::api::provider::WebhookProvider;
use crate::api::source::WebhookSource;
use crate::secret::SecretData;

/// All that files said.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Valid sources, each with a namespace, in the order of files and lines.
    pub sources: Vec<WebhookSource>,
    /// Valid providers, in the order of files and lines.
    pub providers: Vec<WebhookProvider>,
    /// Secrets by namespace and name.
    pub secrets: BTreeMap<(String, String), SecretData>,
    /// Sources and providers that schema or rules refuse, as they are written, without status: what is wrong with them is in `problems`.
    pub broken: BTreeMap<ObjectKey, serde_json::Value>,
    /// What is wrong, in the order of files and lines.
    pub problems: Vec<FileProblem>,
    /// Objects that are none of ours and were skipped.
    pub notes: Vec<FileProblem>,
    origins: BTreeMap<ObjectKey, Origin>,
}

/// What an object is called. Orders by kind, then namespace, then name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind, such as `WebhookSource`.
    pub kind: String,
    /// Its namespace; empty for what lives in none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// A key of its parts.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// Where an object was written.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// Its first line, counted from 1.
    pub line: usize,
    lines: BTreeMap<String, usize>,
}

impl Origin {
    /// What is said to an object of the same name.
    fn taken(&self) -> String {
        format!("stands already in {}:{}: write it once", self.file.display(), self.line)
    }

    /// The line of a field such as `spec.path`, else of what it would stand in.
    pub fn line_of(&self, path: &str) -> usize {
        let mut rest = path;
        loop {
            if let Some(line) = self.lines.get(rest) {
                return *line;
            }
            match rest.rfind(['.', '[']) {
                Some(end) => rest = &rest[..end],
                None => return self.line,
            }
        }
    }
}

/// Something wrong in a file. Prints as `FILE:LINE: WebhookSource sales/calls: spec.path: …`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileProblem {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// The column of a syntax error, counted from 1.
    pub column: Option<usize>,
    /// The object, where one could be recognized.
    pub object: Option<ObjectKey>,
    /// The field, such as `spec.path`; empty for the object or file itself.
    pub path: String,
    /// The value seen and the value wanted.
    pub message: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        if let Some(column) = self.column {
            write!(f, "{column}:")?;
        }
        if let Some(object) = &self.object {
            write!(f, " {object}:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.message)
    }
}

impl FileProblem {
    /// The same place, to say something that is no problem of the field.
    pub fn note(self, message: String) -> Self {
        Self { path: String::new(), message, ..self }
    }

    fn of_file(file: &Path, message: String) -> Self {
        Self { file: file.to_owned(), line: 0, column: None, object: None, path: String::new(), message }
    }
}

impl Loaded {
    /// Adds a file, or a folder's `*.yaml`, `*.yml` and `*.json` by name, without its subfolders and without hidden files.
    pub fn read(&mut self, path: impl AsRef<Path>) {
        read_path(path.as_ref(), self);
    }

    /// Adds a file, or a folder with its subfolders.
    pub fn read_deep(&mut self, path: impl AsRef<Path>) {
        let mut seen = BTreeSet::new();
        let mut left = vec![path.as_ref().to_owned()];
        while let Some(path) = left.pop() {
            // A link may lead back to a folder that holds it.
            if std::fs::canonicalize(&path).is_ok_and(|real| !seen.insert(real)) {
                continue;
            }
            read_path(&path, self);
            let Ok(entries) = std::fs::read_dir(&path) else { continue };
            let mut below: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            below.retain(|path| path.is_dir() && !is_hidden(path));
            below.sort_by(|one, other| other.cmp(one));
            left.extend(below);
        }
    }

    /// What is wrong with one object.
    pub fn problems_of(&self, key: &ObjectKey) -> impl Iterator<Item = &FileProblem> {
        self.problems.iter().filter(move |problem| problem.object.as_ref() == Some(key))
    }

    /// Leaves out sources whose namespace and labels somebody else takes care of.
    pub fn keep_sources(&mut self, ours: impl Fn(&str, &BTreeMap<String, String>) -> bool) {
        self.sources.retain(|source| {
            let ObjectMeta { namespace, labels, .. } = &source.metadata;
            ours(namespace.as_deref().unwrap_or_default(), labels.as_ref().unwrap_or(&BTreeMap::new()))
        });
        self.broken.retain(|key, written| {
            let labels = written.pointer("/metadata/labels").and_then(serde_json::Value::as_object);
            let pairs = labels.into_iter().flatten();
            let labels = pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
            key.namespace.is_empty() || ours(&key.namespace, &labels)
        });
    }

    /// Adds the documents of a text; `file` is its name in messages.
    pub fn read_documents(&mut self, file: impl AsRef<Path>, text: &str) {
        object::read_text(file.as_ref(), text, self);
    }

    /// Where an object was written; `None` where it was not read from a file.
    pub fn origin(&self, key: &ObjectKey) -> Option<&Origin> {
        self.origins.get(key)
    }

    /// A problem of an object that was read, at the line of its field. For judges of more than one object.
    pub fn problem(&self, key: &ObjectKey, path: &str, message: impl Into<String>) -> FileProblem {
        let unknown = Origin::default();
        let origin = self.origins.get(key).unwrap_or(&unknown);
        FileProblem {
            file: origin.file.clone(),
            line: origin.line_of(path),
            column: None,
            object: Some(key.clone()),
            path: path.to_owned(),
            message: message.into(),
        }
    }
}

/// Reads files and folders, as [`Loaded::read`] does.
pub fn read(paths: &[impl AsRef<Path>]) -> Loaded {
    let mut loaded = Loaded::default();
    for path in paths {
        loaded.read(path);
    }
    loaded
}

/// Reads one file, or the files of one folder.
pub fn read_file(path: impl AsRef<Path>) -> Loaded {
    read(&[path])
}

/// Reads the documents of a text; `file` is its name in messages.
pub fn read_documents(file: impl AsRef<Path>, text: &str) -> Loaded {
    let mut loaded = Loaded::default();
    loaded.read_documents(file, text);
    loaded
}

fn read_path(path: &Path, loaded: &mut Loaded) {
    if !path.is_dir() {
        return read_one(path, loaded);
    }
    for file in listed(path, loaded) {
        read_one(&file, loaded);
    }
}

/// The manifests of a folder, by name.
fn listed(folder: &Path, loaded: &mut Loaded) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            loaded.problems.push(FileProblem::of_file(folder, format!("cannot be read: {error}")));
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|file| is_manifest(file)).collect();
    files.sort();
    files
}

fn is_manifest(file: &Path) -> bool {
    let named = file.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
    // Follows links: Kubernetes mounts ConfigMaps and Secrets as links into a hidden folder.
    named && !is_hidden(file) && file.is_file()
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'))
}

fn read_one(file: &Path, loaded: &mut Loaded) {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) => return loaded.problems.push(FileProblem::of_file(file, format!("cannot be read: {error}"))),
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => object::read_text(file, text, loaded),
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            loaded.problems.push(FileProblem { line, ..FileProblem::of_file(file, "is no UTF-8 text".to_owned()) });
        }
    }
}

#[cfg(test)]
mod tests;
