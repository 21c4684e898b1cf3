//! What documents name is there: values, flags, commands, metrics, alerts, reasons; and what they show is taken.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::collections::BTreeSet;

use clap::CommandFactory;
use futures::StreamExt;
use hookgate::api::crd;
use hookgate::cli::Cli;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::chart::{chart, documents};
use crate::docs::{blocks, pages, rows, shell_words, text};
use crate::support::cluster::{Cluster, helm};
use crate::support::folder::Folder;
use crate::support::nats::Nats;
use crate::support::operator::Operator;

/// What stands in backticks outside of fenced blocks, with its page.
fn spans() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for page in pages() {
        let mut fenced = false;
        for line in text(&page).lines() {
            if line.starts_with("```") {
                fenced = !fenced;
            } else if !fenced {
                all.extend(line.split('`').skip(1).step_by(2).map(|span| (page.clone(), span.replace("\\|", "|"))));
            }
        }
    }
    all
}

/// Every line of every block of commands, joined where it goes on.
fn commands() -> Vec<(String, String)> {
    let of = |page: &String| {
        let lines = |block: String| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>();
        let page = page.clone();
        blocks(&page, "sh").into_iter().flat_map(lines).map(move |line| (page.clone(), line)).collect::<Vec<_>>()
    };
    pages().iter().flat_map(of).collect()
}

fn alerts() -> BTreeSet<String> {
    let rules: Vec<Value> = serde_saphyr::from_str(&text("charts/hookgate/files/alerts.yaml")).expect("alerts");
    rules.iter().map(|rule| rule["alert"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn every_alert_has_a_runbook_that_it_leads_to() {
    let page = text("docs/runbooks.md");
    let headed: BTreeSet<String> =
        page.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
    assert_eq!(headed, alerts());
    let rules: Vec<Value> = serde_saphyr::from_str(&text("charts/hookgate/files/alerts.yaml")).expect("alerts");
    for rule in rules {
        let name = rule["alert"].as_str().expect("a name").to_lowercase();
        let url = rule["annotations"]["runbook_url"].as_str().expect("a runbook_url");
        assert!(
            url.starts_with(env!("CARGO_PKG_REPOSITORY")) && url.ends_with(&format!("/docs/runbooks.md#{name}")),
            "{url}"
        );
    }
}

/// Words of a text that begin with a mark.
fn words<'t>(text: &'t str, mark: &'t str) -> impl Iterator<Item = &'t str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(mark).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        let end = text[at..].find(|c| !word(c)).unwrap_or(text.len() - at);
        (!before.is_some_and(|c| word(c) || c == '.' || c == '/')).then(|| &text[at..at + end])
    })
}

#[test]
fn every_metric_and_every_alert_that_is_named_is_there() {
    let (metrics, alerts) = (rows("docs/operating.md", "### Metrics"), alerts());
    let mut named = 0;
    for page in pages() {
        let text = text(&page);
        for metric in words(&text, "hookgate_") {
            named += 1;
            assert!(metrics.contains(metric.trim_end_matches("_bucket")), "{page}: {metric}");
        }
        let alert = |word: &&str| word.len() > 8 && word.as_bytes()[8].is_ascii_uppercase();
        for name in words(&text, "Hookgate").filter(alert) {
            named += 1;
            assert!(alerts.contains(name), "{page}: {name}");
        }
    }
    assert!(named > 80, "{named} were found");
}

/// The member of a value that a path leads to; what is written as a whole (`{}`, `[]`) may hold any.
fn value_at<'v>(values: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(values, |value, name| {
        let open = value.as_object().is_some_and(serde_json::Map::is_empty);
        if open { Some(value) } else { value.get(name.split('[').next().unwrap_or(name)) }
    })
}

/// Whether the schema of a kind has this field.
fn field_at(schema: &Value, path: &str) -> bool {
    let mut schema = schema;
    for name in path.split('.') {
        let name = name.split('[').next().unwrap_or(name);
        while schema["items"].is_object() {
            schema = &schema["items"];
        }
        let properties = &schema["properties"];
        schema = if properties[name].is_object() { &properties[name] } else { &schema["additionalProperties"] };
        if !schema.is_object() {
            return false;
        }
    }
    true
}

#[test]
fn every_value_and_field_that_is_named_is_there() {
    let values: Value = serde_saphyr::from_str(&text("charts/hookgate/values.yaml")).expect("values");
    let schemas: Vec<Value> = crd::all().into_iter().map(|(_, crd)| crd::schema(&crd)["properties"].clone()).collect();
    let known = |path: &str| {
        let field = |schema: &Value| {
            ["spec", "status"].iter().any(|part| {
                let rest = path.strip_prefix(&format!("{part}.")).unwrap_or(path);
                field_at(&schema[part], rest)
            })
        };
        value_at(&values, path).is_some() || schemas.iter().any(field)
    };
    // Roots that belong to nobody else.
    let mut roots: BTreeSet<&str> = values.as_object().expect("values").keys().map(String::as_str).collect();
    for schema in &schemas {
        for part in ["spec", "status"] {
            roots.extend(
                schema[part]["properties"].as_object().into_iter().flat_map(|map| map.keys()).map(String::as_str),
            );
        }
    }
    let mut named = 0;
    for (page, span) in spans() {
        if page == "docs/api.md" || page.starts_with("ARCHITECTURE") {
            continue;
        }
        let path = span.split(['=', ':', ' ']).next().unwrap_or_default();
        let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "._[]".contains(c));
        let root = path.split(['.', '[']).next().unwrap_or_default();
        let file =
            path.rsplit('.').next().is_some_and(|end| ["yaml", "yml", "md", "json", "rs", "key", "crt"].contains(&end));
        if !plain || file || !roots.contains(root) || (!path.contains('.') && !span.contains('=')) {
            continue;
        }
        named += 1;
        assert!(known(path), "{page}: `{span}` is no value of the chart and no field");
    }
    assert!(named > 150, "{named} were found");
}

#[test]
fn every_flag_and_command_in_the_text_is_one() {
    let command = Cli::command();
    let mut flags: BTreeSet<String> = BTreeSet::new();
    let mut stack: Vec<&clap::Command> = vec![&command];
    let mut commands = BTreeSet::new();
    while let Some(one) = stack.pop() {
        flags.extend(one.get_arguments().filter_map(|flag| flag.get_long().map(str::to_owned)));
        commands.insert(one.get_name().to_owned());
        stack.extend(one.get_subcommands());
    }
    flags.extend(["version", "help"].map(str::to_owned));
    // Of helm, kubectl and nats-server.
    let others = ["take-ownership", "reset-then-reuse-values", "reuse-values", "set", "wait"];
    let mut named = 0;
    for (page, span) in spans() {
        if let Some(flag) = span.strip_prefix("--") {
            let flag = flag.split([' ', '=']).next().unwrap_or_default();
            named += 1;
            assert!(flags.contains(flag) || others.contains(&flag), "{page}: `{span}` is no flag");
        }
        if let Some(rest) = span.strip_prefix("hookgate ") {
            let word = rest.split([' ', '|']).next().unwrap_or_default();
            named += 1;
            assert!(commands.contains(word) || word.starts_with("--"), "{page}: `{span}` is no command");
        }
        if let Some(target) = span.strip_prefix("make ") {
            let target = target.split(' ').next().unwrap_or_default();
            assert!(text("Makefile").contains(&format!("\n{target}:")), "{page}: `{span}` is no target");
        }
    }
    assert!(named > 150, "{named} were found");
}

#[test]
fn every_word_for_what_went_wrong_is_one_of_ours() {
    let mut known = rows("docs/operating.md", "### Reasons");
    known.extend(rows("docs/operating.md", "### How requests end"));
    known.extend(rows("docs/consuming.md", "## Rejected items"));
    known.extend(["Spool", "Reject"].map(str::to_owned));
    // Of Kubernetes, and of the alert's own headings.
    let theirs = ["Pending", "READY", "REASON", "Local"];
    let mut named = 0;
    for (page, span) in spans() {
        if !["docs/runbooks.md", "docs/troubleshooting.md"].contains(&page.as_str()) {
            continue;
        }
        let word = span.chars().all(|c| c.is_ascii_alphabetic()) && span.starts_with(|c: char| c.is_ascii_uppercase());
        if word && !span.starts_with("Hookgate") {
            named += 1;
            assert!(known.contains(&span) || theirs.contains(&span.as_str()), "{page}: `{span}`");
        }
    }
    assert!(named > 12, "{named} were found");
}

/// What `helm install` or `helm upgrade` of a line gives the chart.
fn values_of(line: &str) -> Option<Vec<String>> {
    let words = shell_words(line);
    let ours = words.first().is_some_and(|word| word == "helm") && words.iter().any(|word| word == "charts/hookgate");
    if !ours || words.get(1).is_some_and(|verb| verb == "template") {
        return None;
    }
    let mut set = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--set" || word == "--set-string" {
            set.extend([word, words.next()?]);
        }
    }
    Some(set)
}

#[tokio::test]
async fn every_helm_command_and_every_file_of_values_renders() {
    let folder = Folder::new("values");
    let mut given: Vec<(String, Vec<String>)> =
        commands().into_iter().filter_map(|(page, line)| Some((page, values_of(&line)?))).collect();
    let values: Value = serde_saphyr::from_str(&text("charts/hookgate/values.yaml")).expect("values");
    for page in pages() {
        for (number, block) in blocks(&page, "yaml").into_iter().enumerate() {
            let read: Value = serde_saphyr::from_multiple::<Value>(&block).expect("YAML").swap_remove(0);
            let members = read.as_object().into_iter().flatten();
            if read.is_object() && members.clone().all(|(name, _)| values.get(name).is_some()) {
                let file = folder.write(&format!("{}-{number}.yaml", page.replace('/', "-")), &block);
                given.push((page.clone(), vec!["--values".to_owned(), file.display().to_string()]));
            }
        }
    }
    assert!(given.len() >= 10, "{}", given.len());
    let chart = chart();
    futures::stream::iter(given)
        .for_each_concurrent(4, async |(page, set)| {
            let fixed = ["template", "hookgate", &chart, "--set", "nats.url=nats://x:4222"];
            let words: Vec<&str> = fixed.into_iter().chain(set.iter().map(String::as_str)).collect();
            let said = helm(&words).await;
            assert!(said.status.success(), "{page}: {set:?}\n{}", said.stderr);
        })
        .await;
}

/// What APIs of others take of what the documents show. A member that they have not is refused.
const OTHERS: &str = include_str!("docs/others.yaml");

#[tokio::test]
async fn an_api_server_takes_every_manifest_of_the_documents() {
    let cluster = Cluster::shared().await;
    let mut objects = Vec::new();
    for page in pages() {
        for block in blocks(&page, "yaml") {
            // Ours are judged by `check` in another test; a Kustomization is for a program.
            let theirs = |one: &Value| {
                let api = one["apiVersion"].as_str().unwrap_or_default();
                !api.is_empty() && !api.starts_with("hookgate.dev/") && !api.starts_with("kustomize.")
            };
            objects.extend(documents(&block).into_iter().filter(theirs).map(|object| (page.clone(), object)));
        }
    }
    assert!(objects.len() > 8, "{} manifests were found", objects.len());
    let mut before = OTHERS.to_owned();
    let namespaces: BTreeSet<&str> =
        objects.iter().filter_map(|(_, object)| object["metadata"]["namespace"].as_str()).collect();
    for namespace in namespaces {
        before.push_str(&format!("\n---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}"));
    }
    cluster.kubectl_with(&["apply", "--server-side", "--force-conflicts", "--filename", "-"], &before).await.ok();
    cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).await.ok();
    let apply =
        ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "--filename", "-"];
    for (page, object) in objects {
        let said = cluster.kubectl_with(&apply, &object.to_string()).await;
        assert!(said.status.success(), "{page}: {object}\n{}", said.stderr);
    }
}

#[tokio::test]
async fn what_a_first_request_from_outside_is_answered_is_what_the_document_says() {
    let folder = Folder::new("expose");
    folder.write("github.yaml", &text("examples/quickstart/github.yaml"));
    let nats = Nats::start().await;
    let operator = Operator::in_folder(&folder, &nats.url(), &[]).await;
    let json = [("content-type", "application/json")];
    assert_eq!(operator.post("/demo/github", &json, "{}").await.expect("an answer").status, 401);
    let lost = operator.post("/demo/githup", &json, "{}").await.expect("an answer");
    assert_eq!((lost.status.as_u16(), &lost.body[..]), (404, &b"not found\n"[..]));
    // A load balancer that speaks PROXY protocol, in either version.
    let second = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\xdc\x04\x01\xbb";
    for header in [&b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n"[..], second] {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", operator.port)).await.expect("a connection");
        let request = b"POST /demo/github HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(&[header, request].concat()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    }
}
