//! Every manifest that users are shown is right: as a file, on a bare API server, and by the catalogue.
#![allow(clippy::expect_used, reason = "a helper of tests fails loudly")]

use std::path::{Path, PathBuf};

use futures::stream::{self, StreamExt};
use hookgate::api::GENERIC;
use hookgate::api::Kind;
use hookgate::api::validate::validate;
use hookgate::manifest;
use hookgate::provider::catalogue::built_ins;

use crate::crds_cases::Case;
use crate::crds_live::{cluster_with_crds, server_says};

fn examples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let folders = std::fs::read_dir(root).expect("examples/");
    let mut files: Vec<PathBuf> = folders
        .map(|folder| folder.expect("a folder").path())
        // A server and its users: `nats_permissions`.
        .filter(|folder| !folder.ends_with("nats"))
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder of examples"))
        .map(|file| file.expect("a file").path())
        .filter(|file| file.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    files
}

#[test]
fn examples_are_valid_each_for_itself() {
    for file in examples() {
        let loaded = manifest::read_file(&file);
        let told: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
        assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
        assert!(!loaded.sources.is_empty(), "{} shows no source", file.display());
    }
}

#[test]
fn examples_name_providers_methods_and_secrets_that_exist() {
    for file in examples() {
        let loaded = manifest::read_file(&file);
        for source in &loaded.sources {
            let spec = &source.spec;
            let added =
                loaded.providers.iter().find(|provider| provider.metadata.name.as_ref() == Some(&spec.provider));
            let known = built_ins().find(|provider| provider.id == spec.provider);
            let definition =
                added.map(|provider| &provider.spec).or_else(|| known.map(|known| known.spec().expect("a definition")));
            assert!(
                definition.is_some() || spec.provider == GENERIC,
                "{}: no provider {}",
                file.display(),
                spec.provider
            );
            let verification = spec.verification.as_ref().expect("an example says how it verifies");
            if let (Some(definition), Some(method)) = (definition, &verification.method) {
                let has = definition.methods.iter().any(|one| one.name == *method);
                assert!(has, "{}: {} has no method {method}", file.display(), spec.provider);
            }
            let namespace = source.metadata.namespace.clone().expect("a namespace");
            for wanted in &verification.secret_refs {
                let secret = loaded.secrets.get(&(namespace.clone(), wanted.name.clone()));
                let value = secret.and_then(|secret| secret.data.get(&wanted.key));
                assert!(
                    value.is_some_and(|value| !value.is_empty()),
                    "{}: no {} {}",
                    file.display(),
                    wanted.name,
                    wanted.key
                );
            }
        }
    }
}

#[test]
fn no_two_examples_write_the_same_object() {
    let loaded = manifest::read(&examples());
    assert_eq!(loaded.problems, [], "they can be applied together");
}

#[test]
fn hookgate_check_is_content_with_all_of_them() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hookgate"));
    let output = command.arg("check").args(examples()).output().expect("the program");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.ends_with("checked: all is well.\n"), "{told}");
}

#[tokio::test]
async fn examples_apply_as_they_are_to_a_bare_server() {
    let cluster = cluster_with_crds().await;
    for file in examples() {
        let applied = cluster.kubectl(&["apply", "--filename", &file.to_string_lossy()]).await;
        assert_eq!(applied.stderr, "", "{}", file.display());
        applied.ok();
    }
}

#[tokio::test]
async fn the_catalogue_could_be_applied_as_it_is() {
    let client = cluster_with_crds().await.client().await;
    let cases: Vec<Case> = built_ins()
        .map(|provider| Case {
            about: provider.id,
            kind: Kind::Provider,
            object: serde_saphyr::from_str(provider.manifest).expect("YAML of the catalogue"),
        })
        .collect();
    let said: Vec<_> = stream::iter(&cases).map(|case| server_says(&client, case)).buffered(8).collect().await;
    for (case, said) in cases.iter().zip(said) {
        assert_eq!(said, None, "{}", case.about);
        assert_eq!(validate(case.kind, &case.object), [], "{}", case.about);
    }
}
