//! `hookgate check` says what the operator says: of one table, in a folder and in a cluster.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::collections::BTreeMap;

use hookgate::control::settings::Settings;
use hookgate::control::start::{Replica, in_cluster, in_folder};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::Value;

use crate::check_table::{CASES, Case, Fate, QUOTA, SECRETS};
use crate::control_world::{Operator, Place, SOON};
use crate::crds_live::cluster_with_crds;
use crate::support::folder::Folder;
use crate::support::operator::hookgate;
use crate::support::wait::eventually;

/// What `check` says of an object: problems and notes, each as `field: message`.
#[derive(Debug, Default)]
struct Said {
    problems: Vec<String>,
    notes: Vec<String>,
}

fn table(namespace: &str) -> String {
    let manifests: Vec<String> = CASES.iter().map(|case| case.manifest(namespace)).collect();
    manifests.concat() + &SECRETS.replace("NAMESPACE", namespace)
}

fn settings() -> Settings {
    Settings { namespace_quota: QUOTA.parse().expect("a quota"), ..Settings::default() }
}

async fn check(folder: &Folder, namespace: &str) -> BTreeMap<String, Said> {
    let output = hookgate(&["check", "--namespace-quota", QUOTA, &folder.join("").display().to_string()]).await;
    assert_eq!(output.status.code(), Some(1), "{}", output.stdout);
    let mut all = BTreeMap::<String, Said>::new();
    for line in output.stdout.lines() {
        let Some(case) = CASES.iter().find(|case| line.contains(&format!(": {}: ", case.called(namespace)))) else {
            continue;
        };
        let called = case.called(namespace);
        let (_, sentence) = line.split_once(&format!(": {called}: ")).expect("the object");
        let said = all.entry(called).or_default();
        match sentence.strip_prefix("note: ") {
            Some(note) => said.notes.push(note.to_owned()),
            None => said.problems.push(sentence.to_owned()),
        }
    }
    all
}

/// The sentences of the conditions that are not as they should be, and their reasons.
fn complaints(conditions: &[(String, String, String, String)]) -> Vec<(&str, &str)> {
    conditions
        .iter()
        .filter(|(kind, status, ..)| status == "False" && ["Accepted", "ResolvedRefs"].contains(&kind.as_str()))
        .map(|(_, _, reason, message)| (reason.as_str(), message.as_str()))
        .collect()
}

/// The operator says what `check` says, and nothing beside it.
fn compare(case: &Case, said: &Said, conditions: &[(String, String, String, String)], who: &str) -> anyhow::Result<()> {
    let complaints = complaints(conditions);
    let told = |sentence: &str| sentence.rsplit_once(" (").map_or(sentence, |(sentence, _)| sentence).to_owned();
    let sentences: Vec<String> = match case.fate {
        Fate::Good => Vec::new(),
        Fate::Noted(_) => said.notes.clone(),
        // What stands behind the schema is said by `check` alone, with a reason: the API server lets none of it pass.
        Fate::Refused => said.problems.iter().filter(|sentence| !sentence.ends_with(')')).cloned().collect(),
        _ => said.problems.iter().map(|sentence| told(sentence)).collect(),
    };
    let reason = match case.fate {
        Fate::Good => None,
        Fate::Refused => Some("Invalid"),
        Fate::NotAccepted(reason) | Fate::Unresolved(reason) | Fate::Noted(reason) => Some(reason),
    };
    anyhow::ensure!(complaints.first().map(|(reason, _)| *reason) == reason, "{who} of {}: {complaints:?}", case.name);
    let mut rest: String = complaints.iter().map(|(_, message)| *message).collect::<Vec<_>>().join("; ");
    for sentence in &sentences {
        anyhow::ensure!(rest.contains(sentence.as_str()), "{who} of {}: {rest:?} lacks {sentence:?}", case.name);
        rest = rest.replacen(sentence.as_str(), "", 1);
    }
    let rest = rest.replace("; ", "");
    for note in &said.notes {
        let told = conditions.iter().any(|(.., message)| message.contains(note.as_str()));
        anyhow::ensure!(told, "{who} of {}: {conditions:?} lacks the note {note:?}", case.name);
    }
    anyhow::ensure!(rest.is_empty(), "{who} of {} says beside what check says: {rest:?}", case.name);
    Ok(())
}

fn judged_by_check(case: &Case, said: &Said) -> anyhow::Result<()> {
    let all = || said.problems.iter().chain(&said.notes);
    for field in case.fields {
        let wanted = |sentence: &&String| match *field {
            "" => !sentence.starts_with("spec"),
            field => sentence.starts_with(&format!("{field}: ")),
        };
        anyhow::ensure!(all().any(|sentence| wanted(&sentence)), "check of {}: {said:?} lacks {field}", case.name);
    }
    let fields = case.fields.len();
    match case.fate {
        Fate::Good => anyhow::ensure!(said.problems.is_empty(), "{}: {said:?}", case.name),
        Fate::Noted(_) => {
            anyhow::ensure!((said.problems.len(), said.notes.len()) == (0, fields), "{}: {said:?}", case.name)
        }
        Fate::Refused => anyhow::ensure!(said.problems.len() == fields, "{}: {said:?}", case.name),
        Fate::NotAccepted(reason) | Fate::Unresolved(reason) => {
            anyhow::ensure!(said.problems.len() == fields, "{}: {said:?}", case.name);
            let reason = format!(" ({reason})");
            anyhow::ensure!(
                said.problems.iter().any(|sentence| sentence.ends_with(&reason)),
                "{}: {said:?}",
                case.name
            );
        }
    }
    Ok(())
}

fn none(wrong: &[anyhow::Error]) {
    let all: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert!(all.is_empty(), "{} wrong:\n{}", all.len(), all.join("\n"));
}

#[tokio::test]
async fn check_and_the_operator_of_a_folder_say_the_same_of_every_manifest() {
    assert!(CASES.len() >= 40);
    let folder = Folder::new("table");
    folder.write("table.yaml", &table("sales"));
    let said = check(&folder, "sales").await;
    let nothing = Said::default();
    let mut wrong = Vec::new();
    let path = folder.join("");
    let operator = Operator::start_with(settings(), |needs| in_folder(path, needs));
    let mut overview = operator.running.overview.clone();
    let sources = CASES.iter().filter(|case| !case.is_provider);
    let shown = overview.wait_for(|shown| shown.synced && shown.sources().count() == sources.clone().count()).await;
    let shown = shown.expect("an overview").clone();
    for case in CASES {
        let said = said.get(&case.called("sales")).unwrap_or(&nothing);
        wrong.extend(judged_by_check(case, said).err());
        // Providers have no status in a folder.
        let Some((_, source)) = shown.sources().find(|(key, _)| !case.is_provider && key.name == case.name) else {
            continue;
        };
        let conditions = &source.status.as_ref().expect("a status").conditions;
        let conditions: Vec<_> = conditions
            .iter()
            .map(|c| (c.type_.clone(), c.status.clone(), c.reason.clone(), c.message.clone()))
            .collect();
        wrong.extend(compare(case, said, &conditions, "the folder").err());
    }
    none(&wrong);
}

#[tokio::test]
async fn check_and_the_operator_of_a_cluster_say_the_same_of_every_manifest() {
    let cluster = cluster_with_crds().await;
    let (client, namespace) = (cluster.client().await, cluster.namespace().await);
    let place = Place { client: client.clone(), namespace: namespace.clone() };
    let folder = Folder::new("table");
    folder.write("table.yaml", &table(&namespace));
    let said = check(&folder, &namespace).await;
    let nothing = Said::default();
    let mut wrong = Vec::new();
    cluster.kubectl_apply(&SECRETS.replace("NAMESPACE", &namespace)).await.ok();
    let params = PatchParams::apply("a-user").force();
    let resource = ApiResource::erase::<hookgate::api::provider::WebhookProvider>(&());
    let providers: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut applied = Vec::new();
    for case in CASES {
        let object: Value =
            serde_saphyr::from_str(case.manifest(&namespace).trim_start_matches("---\n")).expect("YAML");
        let name = object["metadata"]["name"].as_str().expect("a name");
        let api = if case.is_provider { providers.clone() } else { place.sources() };
        match (api.patch(name, &params, &Patch::Apply(&object)).await, case.fate) {
            (Ok(_), Fate::Refused) => panic!("the server takes {}", case.name),
            (Ok(_), _) => applied.push((case, api, name.to_owned())),
            (Err(_), Fate::Refused) => wrong.extend(judged_by_check(case, &said[&case.called(&namespace)]).err()),
            (Err(error), _) => panic!("the server refuses {}: {error}", case.name),
        }
    }
    let settings = Settings { namespaces: vec![namespace.clone()], ..settings() };
    let replica = Replica { namespace: namespace.clone(), identity: "one".to_owned(), pod: None };
    let _operator = Operator::start_with(settings, |needs| in_cluster(&client, replica, needs));
    for (case, api, name) in &applied {
        let status = std::cell::RefCell::new(Value::Null);
        eventually(&format!("{} has a status", case.name), SOON, async || {
            let found = api.get(name).await.expect("the object").data["status"].clone();
            let settled = found["conditions"].as_array().is_some_and(|conditions| !conditions.is_empty());
            *status.borrow_mut() = found;
            settled
        })
        .await;
        let status = status.into_inner();
        let text = |condition: &Value, name: &str| condition[name].as_str().unwrap_or_default().to_owned();
        let conditions: Vec<_> = status["conditions"]
            .as_array()
            .expect("conditions")
            .iter()
            .map(|c| (text(c, "type"), text(c, "status"), text(c, "reason"), text(c, "message")))
            .collect();
        let said = said.get(&case.called(&namespace)).unwrap_or(&nothing);
        wrong.extend(compare(case, said, &conditions, "the cluster").err());
    }
    none(&wrong);
    for case in CASES.iter().filter(|case| case.is_provider) {
        let _ = providers.delete(&format!("{namespace}-{}", case.name), &Default::default()).await;
    }
}
