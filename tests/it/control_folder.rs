//! Without Kubernetes: a folder of manifests is served as a cluster is, and follows its files.

use hookgate::control::settings::Settings;
use hookgate::control::start::in_folder;
use kube::core::Expression;

use crate::control_world::Operator;

fn source(name: &str, more: &str) -> String {
    format!(
        "---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {{name: {name}, namespace: sales}}
spec:
  provider: generic
  verification: {{method: token, token: {{header: X-Token}}, secretRefs: [{{name: s, key: k}}]}}
  {more}
"
    )
}

const SECRET: &str = "---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: sales}
stringData: {k: one}
";

fn operator(path: &std::path::Path) -> Operator {
    let path = path.to_owned();
    Operator::start_with(Settings::default(), |needs| in_folder(path, needs))
}

#[tokio::test]
async fn files_are_sources_and_a_broken_file_harms_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).expect("a file is written");
    let operator = operator(folder.path());
    operator.until_answers("/sales/a", "404").await;
    write("a.yaml", &source("a", ""));
    operator.until_answers("/sales/a", "closed").await;
    write("secret.yml", SECRET);
    operator.until_answers("/sales/a", "a@1").await;
    write("b.yaml", &source("b", "suspend: true"));
    operator.until_answers("/sales/b", "suspended").await;

    write("a.yaml", "spec: {{{");
    write("b.yaml", &source("b", ""));
    operator.until_answers("/sales/b", "b@2").await;
    assert_eq!(operator.answers("/sales/a"), "a@1");
    write("a.yaml", &source("a", "path: /sales/a2"));
    operator.until_answers("/sales/a2", "a@2").await;
    std::fs::remove_file(folder.path().join("a.yaml")).expect("a file is removed");
    operator.until_answers("/sales/a2", "404").await;
    std::fs::remove_file(folder.path().join("secret.yml")).expect("a file is removed");
    operator.until_answers("/sales/b", "closed").await;
}

#[tokio::test]
async fn only_sources_of_our_namespaces_and_labels_are_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).expect("a file is written");
    let labelled = |team: &str| {
        source("a", "").replace("namespace: sales", &format!("namespace: sales, labels: {{team: {team}}}"))
    };
    let path = folder.path().to_owned();
    let settings = Settings {
        namespaces: vec!["sales".to_owned()],
        selector: Expression::Equal("team".to_owned(), "blue".to_owned()).into(),
        ..Settings::default()
    };
    let operator = Operator::start_with(settings, |needs| in_folder(path, needs));
    write("secret.yaml", SECRET);
    write("a.yaml", &labelled("blue"));
    write("b.yaml", &source("b", "").replace("namespace: sales", "namespace: hr, labels: {team: blue}"));
    write("c.yaml", &source("c", ""));
    operator.until_answers("/sales/a", "a@1").await;
    assert_eq!((operator.answers("/hr/b"), operator.answers("/sales/c")), ("404".to_owned(), "404".to_owned()));
    // What the schema refuses is ours by its labels too.
    write("a.yaml", &labelled("blue").replace("provider: generic", "provider: NOT_A_NAME"));
    write("c.yaml", &source("c", "").replace("provider: generic", "provider: NOT_A_NAME"));
    write("d.yaml", &labelled("blue").replace("name: a,", "name: d,"));
    operator.until_answers("/sales/d", "d@1").await;
    assert_eq!((operator.answers("/sales/a"), operator.answers("/sales/c")), ("a@1".to_owned(), "404".to_owned()));
    write("a.yaml", &labelled("red"));
    operator.until_answers("/sales/a", "404").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_mounted_config_map_is_followed_when_kubernetes_swaps_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let version = |name: &str, text: &str| {
        std::fs::create_dir(at(name)).expect("a folder");
        std::fs::write(at(name).join("all.yaml"), text).expect("a file is written");
        std::os::unix::fs::symlink(name, at("..data_tmp")).expect("a link");
        std::fs::rename(at("..data_tmp"), at("..data")).expect("the link is swapped");
    };
    version("..v1", &(source("a", "") + SECRET));
    std::os::unix::fs::symlink("..data/all.yaml", at("all.yaml")).expect("a link");
    let operator = operator(folder.path());
    operator.until_answers("/sales/a", "a@1").await;
    version("..v2", &(source("a", "path: /sales/moved") + &source("b", "") + SECRET));
    operator.until_answers("/sales/moved", "a@2").await;
    operator.until_answers("/sales/b", "b@1").await;
}

#[tokio::test]
async fn one_file_may_be_replaced_as_editors_do_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hookgate.yaml");
    let operator = operator(&file);
    std::fs::write(&file, source("a", "") + SECRET).expect("a file is written");
    operator.until_answers("/sales/a", "a@1").await;
    let other = folder.path().join("other");
    std::fs::write(&other, source("b", "") + SECRET).expect("a file is written");
    std::fs::rename(&other, &file).expect("the file is replaced");
    operator.until_answers("/sales/b", "b@1").await;
    assert_eq!(operator.answers("/sales/a"), "404");
    std::fs::remove_file(&file).expect("the file is removed");
    operator.until_answers("/sales/b", "404").await;
}

#[tokio::test]
async fn what_the_schema_refuses_is_told_and_what_must_act_in_it_acts() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).expect("a file is written");
    write("secret.yaml", SECRET);
    write("a.yaml", &source("a", ""));
    write("first.yaml", &source("first", "teleport: 1"));
    let operator = operator(folder.path());
    operator.until_answers("/sales/a", "a@1").await;
    // Never read as a whole: claimed all the same.
    operator.until_answers("/sales/first", "503").await;
    // The last good version is served, but suspension acts.
    write("a.yaml", &source("a", "teleport: 1"));
    let mut overview = operator.running.overview.clone();
    let said = |status: &hookgate::api::source::WebhookSourceStatus| {
        let accepted = status.conditions.iter().find(|condition| condition.type_ == "Accepted");
        accepted.is_some_and(|accepted| accepted.message.starts_with("spec.teleport: "))
    };
    let told = overview.wait_for(|shown| {
        let of_a = shown.sources().find(|(key, _)| key.name == "a").map(|(_, source)| source);
        of_a.is_some_and(|source| source.status.as_deref().is_some_and(said))
    });
    tokio::time::timeout(crate::control_world::SOON, told).await.expect("status says it").expect("an overview");
    assert_eq!(operator.answers("/sales/a"), "a@1");
    write("a.yaml", &source("a", "teleport: 1\n  suspend: true"));
    operator.until_answers("/sales/a", "suspended").await;
    write("a.yaml", &source("a", "teleport: 1"));
    operator.until_answers("/sales/a", "a@1").await;
    // So does an end that is past.
    let ended = "{name: s, key: k, notAfter: '2020-01-01T00:00:00Z'}";
    write("a.yaml", &source("a", "teleport: 1").replace("{name: s, key: k}", ended));
    operator.until_answers("/sales/a", "closed").await;
    // And a ref that is gone.
    write("a.yaml", &source("a", "teleport: 1"));
    operator.until_answers("/sales/a", "a@1").await;
    write("a.yaml", &source("a", "teleport: 1").replace("secretRefs: [{name: s, key: k}]", "secretRefs: []"));
    operator.until_answers("/sales/a", "closed").await;
}
