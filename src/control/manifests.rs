//! What a folder of manifests holds, from one reading to the next: last good versions and generations.
//!
//! Pure. A file that is no YAML keeps what it said before; an object that schema or rules refuse is a new generation that cannot be read as a
//! whole, as in a cluster of which the operator is older than the CRDs; a file or object that is gone is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::event::Folder;
use super::object::{self, Key, Object, Watched};
use crate::api::condition::{Gathered, Problem};
use crate::api::provider::WebhookProvider;
use crate::api::source::WebhookSource;
use crate::manifest::{Loaded, ObjectKey};
use crate::secret::SecretData;

const SOURCE: &str = "WebhookSource";
const PROVIDER: &str = "WebhookProvider";
const SECRET: &str = "Secret";

/// Everything that the files said last, as far as it was good.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    /// The beginning of what uids are derived from.
    source_base: String,
    sources: BTreeMap<Key, Kept<WebhookSource>>,
    providers: BTreeMap<Key, Kept<WebhookProvider>>,
    secrets: BTreeMap<Key, (PathBuf, SecretData)>,
}

#[derive(Clone, Debug)]
struct Kept<K> {
    file: PathBuf,
    /// With uid and generation; or what schema or rules refuse.
    object: Result<Arc<K>, Arc<Refused>>,
    generation: i64,
    /// `metadata.creationTimestamp`, where it is written.
    created: Option<Time>,
}

#[derive(Debug)]
struct Refused {
    written: Value,
    broken: object::Broken,
}

/// Which objects a broken file may still mean.
struct BrokenDocument {
    /// Files of which it is not known what they hold.
    files: BTreeSet<PathBuf>,
    /// Secrets that are named and cannot be used.
    objects: BTreeSet<ObjectKey>,
}

impl BrokenDocument {
    fn of(loaded: &Loaded) -> Self {
        let mut broken = Self { files: BTreeSet::new(), objects: BTreeSet::new() };
        for problem in &loaded.problems {
            match &problem.object {
                Some(object) if object.kind == SECRET => drop(broken.objects.insert(object.clone())),
                // What stands in the file is known.
                Some(_) => {}
                None if problem.file.exists() => drop(broken.files.insert(problem.file.clone())),
                // Gone between the listing and the reading.
                None => {}
            }
        }
        broken
    }

    fn may_hold(&self, kind: &str, key: &Key, file: &PathBuf) -> bool {
        self.objects.contains(&ObjectKey::new(kind, &key.namespace, &key.name))
            || self.files.iter().any(|broken| broken == file || file.parent() == Some(broken))
    }
}

impl Manifests {
    /// Nothing read yet.
    pub(crate) fn new(source_base: impl Into<String>) -> Self {
        Self { source_base: source_base.into(), ..Self::default() }
    }

    /// Takes in a reading of all files, and returns everything that counts now.
    pub(crate) fn merge(&mut self, loaded: &Loaded) -> Folder {
        let broken = BrokenDocument::of(loaded);
        let file = |kind: &str, key: &Key| {
            let origin = loaded.origin(&ObjectKey::new(kind, &key.namespace, &key.name));
            origin.map(|origin| origin.file.clone()).unwrap_or_default()
        };
        let mut sources = BTreeMap::new();
        for mut source in loaded.sources.iter().cloned() {
            let key = Key::of(&source.metadata);
            let before = self.sources.get(&key);
            let created = source.metadata.creation_timestamp.take();
            let same = before.and_then(Kept::good).is_some_and(|before| before.spec == source.spec);
            let generation = generation(before, same && before.is_some_and(|before| before.created == created));
            source.metadata = metadata(&self.source_base, SOURCE, &key, generation, created.clone());
            let object = Ok(Arc::new(source));
            sources.insert(key.clone(), Kept { file: file(SOURCE, &key), object, generation, created });
        }
        let mut providers = BTreeMap::new();
        for mut provider in loaded.providers.iter().cloned() {
            let key = Key::of(&ObjectMeta { namespace: None, ..provider.metadata.clone() });
            let before = self.providers.get(&key);
            let same = before.and_then(Kept::good).is_some_and(|before| before.spec == provider.spec);
            let created = provider.metadata.creation_timestamp.take();
            let generation = generation(before, same);
            provider.metadata = metadata(&self.source_base, PROVIDER, &key, generation, created.clone());
            let object = Ok(Arc::new(provider));
            providers.insert(key.clone(), Kept { file: file(PROVIDER, &key), object, generation, created });
        }
        for (object, written) in &loaded.broken {
            let key = Key::new(&*object.namespace, &*object.name);
            let refused = || Arc::new(Refused { written: written.clone(), broken: refused(loaded, object, written) });
            match object.kind.as_str() {
                SOURCE => drop(
                    sources.insert(key.clone(), Kept::refused(self.sources.get(&key), file(SOURCE, &key), refused())),
                ),
                _ => drop(
                    providers
                        .insert(key.clone(), Kept::refused(self.providers.get(&key), file(PROVIDER, &key), refused())),
                ),
            }
        }
        let mut secrets = BTreeMap::new();
        for ((namespace, name), secret) in &loaded.secrets {
            let key = Key::new(namespace, name);
            // A Secret of which a part cannot be read is not read by halves.
            if !broken.objects.contains(&ObjectKey::new(SECRET, namespace, name)) {
                secrets.insert(key.clone(), (file(SECRET, &key), secret.clone()));
            }
        }
        for (key, kept) in std::mem::take(&mut self.sources) {
            if broken.may_hold(SOURCE, &key, &kept.file) {
                sources.entry(key).or_insert(kept);
            }
        }
        for (key, kept) in std::mem::take(&mut self.providers) {
            if broken.may_hold(PROVIDER, &key, &kept.file) {
                providers.entry(key).or_insert(kept);
            }
        }
        for (key, kept) in std::mem::take(&mut self.secrets) {
            if broken.may_hold(SECRET, &key, &kept.0) {
                secrets.entry(key).or_insert(kept);
            }
        }
        (self.sources, self.providers, self.secrets) = (sources, providers, secrets);
        Folder {
            sources: objects(&self.source_base, SOURCE, &self.sources),
            providers: objects(&self.source_base, PROVIDER, &self.providers),
            secrets: self.secrets.iter().map(|(key, (_, secret))| (key.clone(), secret.clone())).collect(),
        }
    }
}

impl<K> Kept<K> {
    /// What schema and rules took.
    fn good(&self) -> Option<&K> {
        self.object.as_deref().ok()
    }

    fn refused(before: Option<&Self>, file: PathBuf, refused: Arc<Refused>) -> Self {
        let known = before.and_then(|before| before.object.as_ref().err());
        let generation = generation(before, known.is_some_and(|known| known.written == refused.written));
        let created = refused.written.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
        let created = created.and_then(|at| at.parse().ok()).map(Time);
        Self { file, object: Err(refused), generation, created }
    }
}

/// What a refused object tells all the same.
fn refused(loaded: &Loaded, key: &ObjectKey, written: &Value) -> object::Broken {
    let mut problems = Gathered::default();
    for problem in loaded.problems_of(key) {
        problems.add(Problem::invalid(&*problem.path, &*problem.message));
    }
    let spec = written.get("spec").unwrap_or(&Value::Null);
    object::Broken { problem: problems.into(), ..object::Broken::around(spec) }
}

/// The generation counts changes of what is written, as long as the object is there without a break.
fn generation<K>(before: Option<&Kept<K>>, same: bool) -> i64 {
    before.map_or(1, |before| before.generation + i64::from(!same))
}

/// Who is older depends on what is written alone, never on when the process started: without a time an object is the youngest.
fn metadata(base: &str, kind: &str, key: &Key, generation: i64, created: Option<Time>) -> ObjectMeta {
    ObjectMeta {
        name: Some(key.name.clone()),
        namespace: Some(key.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        uid: Some(uid(base, kind, key)),
        generation: Some(generation),
        creation_timestamp: created,
        ..ObjectMeta::default()
    }
}

/// The same object has the same uid wherever it is served from the same source base: consumers see one `Nats-Msg-Id`.
fn uid(base: &str, kind: &str, key: &Key) -> String {
    let hash = Sha256::digest(format!("{base}\n{kind}\n{}\n{}", key.namespace, key.name));
    let hex = hex::encode(&hash[..16]);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn objects<K: Watched>(base: &str, kind: &str, kept: &BTreeMap<Key, Kept<K>>) -> Vec<Object<K>> {
    kept.iter()
        .map(|(key, kept)| Object {
            key: key.clone(),
            uid: uid(base, kind, key),
            generation: kept.generation,
            created: kept.created.as_ref().map_or(Timestamp::MAX, |time| time.0),
            last_good: None,
            was_served: false,
            value: kept.object.clone().map_err(|refused| refused.broken.clone()),
            status: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::read;

    fn source(name: &str, provider: &str) -> String {
        format!(
            "---\napiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\nmetadata: {{name: {name}, namespace: sales}}\nspec: {{provider: {provider}}}\n"
        )
    }

    struct Place {
        folder: tempfile::TempDir,
        manifests: Manifests,
    }

    impl Place {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), manifests: Manifests::new("urn:test") }
        }

        fn write(&self, file: &str, text: &str) {
            std::fs::write(self.folder.path().join(file), text).unwrap();
        }

        /// Reads again: `name:provider@generation`.
        fn read(&mut self) -> Vec<String> {
            let folder = self.manifests.merge(&read(&[self.folder.path()]));
            let said = |object: &Object<WebhookSource>| {
                let provider = match &object.value {
                    Ok(source) => {
                        assert_eq!(source.metadata.generation, Some(object.generation));
                        source.spec.provider.clone()
                    }
                    Err(broken) => format!("!{}", broken.provider.clone().unwrap_or_default()),
                };
                format!("{}:{provider}@{}", object.key.name, object.generation)
            };
            folder.sources.iter().map(said).collect()
        }
    }

    #[test]
    fn a_generation_counts_changes_while_an_object_is_there() {
        let mut place = Place::new();
        place.write("a.yaml", &source("one", "github"));
        assert_eq!(place.read(), ["one:github@1"]);
        let first = place.manifests.sources.values().next().unwrap().good().unwrap().metadata.clone();
        assert_eq!(place.read(), ["one:github@1"]);
        place.write("a.yaml", &source("one", "stripe"));
        assert_eq!(place.read(), ["one:stripe@2"]);
        let second = place.manifests.sources.values().next().unwrap().good().unwrap().metadata.clone();
        assert_eq!(second.uid, first.uid);
        std::fs::remove_file(place.folder.path().join("a.yaml")).unwrap();
        assert!(place.read().is_empty(), "a removed file is a removed source");
        place.write("a.yaml", &source("one", "stripe"));
        assert_eq!(place.read(), ["one:stripe@1"]);
        let third = place.manifests.sources.values().next().unwrap().good().unwrap().metadata.clone();
        assert_eq!(third.uid, first.uid);
    }

    #[test]
    fn who_is_older_is_what_is_written_and_not_when_it_was_read() {
        let mut place = Place::new();
        place.write("a.yaml", &source("one", "github"));
        place.write(
            "b.yaml",
            &source("two", "github").replace("name: two", "creationTimestamp: \"2026-01-01T00:00:00Z\", name: two"),
        );
        let folder = place.manifests.merge(&read(&[place.folder.path()]));
        let created: Vec<Timestamp> = folder.sources.iter().map(|object| object.created).collect();
        assert_eq!(created, [Timestamp::MAX, "2026-01-01T00:00:00Z".parse().unwrap()]);
    }

    #[test]
    fn a_broken_file_harms_neither_the_others_nor_its_own_last_good_version() {
        let mut place = Place::new();
        place.write("a.yaml", &(source("one", "github") + &source("two", "github")));
        place.write("b.yaml", &source("three", "github"));
        assert_eq!(place.read(), ["one:github@1", "three:github@1", "two:github@1"]);
        // No YAML at all: all of the file stays, and the other file goes on.
        place.write("a.yaml", "{{{ not yaml");
        place.write("b.yaml", &source("three", "stripe"));
        assert_eq!(place.read(), ["one:github@1", "three:stripe@2", "two:github@1"]);
        // One object is refused, the other gone: the first is a generation that cannot be read as a whole.
        place.write("a.yaml", &source("one", "NOT_A_NAME"));
        assert_eq!(place.read(), ["one:!NOT_A_NAME@2", "three:stripe@2"]);
        assert_eq!(place.read(), ["one:!NOT_A_NAME@2", "three:stripe@2"]);
        place.write("a.yaml", "{{{ not yaml");
        assert_eq!(place.read(), ["one:!NOT_A_NAME@2", "three:stripe@2"]);
        place.write("a.yaml", &source("one", "stripe"));
        assert_eq!(place.read(), ["one:stripe@3", "three:stripe@2"]);
    }

    #[test]
    fn an_object_that_moves_to_another_file_is_still_that_object() {
        let mut place = Place::new();
        place.write("b.yaml", &source("one", "github"));
        place.read();
        place.write("a.yaml", &source("one", "stripe"));
        assert_eq!(place.read(), ["one:stripe@2"], "while it stands in both, the first file counts");
        std::fs::remove_file(place.folder.path().join("b.yaml")).unwrap();
        assert_eq!(place.read(), ["one:stripe@2"]);
    }

    #[test]
    fn a_uid_is_a_uuid_of_base_namespace_and_name() {
        let of = |base: &str, name: &str| uid(base, SOURCE, &Key::new("sales", name));
        assert_eq!(of("a", "calls"), of("a", "calls"));
        assert_ne!(of("a", "calls"), of("b", "calls"));
        assert_ne!(of("a", "calls"), of("a", "call"));
        let lengths: Vec<usize> = of("", "calls").split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }
}
