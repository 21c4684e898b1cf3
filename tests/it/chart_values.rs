//! Every value of the chart is explained, bounded and refused where it is none; what users read is what the chart holds.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use hookgate::api::crd;
use serde_json::Value;

use crate::chart::{chart, rendered};
use crate::docs::text;
use crate::support::cluster::helm;
use crate::support::operator::hookgate;

const BEGIN: &str = "<!-- values: written by `make chart` -->";

/// A value: its path, its default as written, what it means.
struct Row {
    path: String,
    default: String,
    meaning: String,
}

/// The values of `values.yaml`, in its order. What a value means stands behind it, or in the lines above.
fn rows() -> Vec<Row> {
    let (mut rows, mut parents, mut above) = (Vec::new(), Vec::<(usize, String)>::new(), Vec::new());
    for line in text("charts/hookgate/values.yaml").lines() {
        let code = line.trim_start();
        if let Some(comment) = code.strip_prefix('#') {
            above.push(comment.trim().to_owned());
            continue;
        }
        let Some((key, rest)) = code.split_once(':') else {
            above.clear();
            continue;
        };
        let depth = line.len() - code.len();
        parents.retain(|(parent, _)| *parent < depth);
        let path: Vec<&str> = parents.iter().map(|(_, key)| key.as_str()).chain([key]).collect();
        let (default, behind) = rest.split_once(" #").unwrap_or((rest, ""));
        let meaning = [above.join(" "), behind.trim().to_owned()].concat();
        above.clear();
        if default.trim().is_empty() {
            parents.push((depth, key.to_owned()));
        } else {
            rows.push(Row { path: path.join("."), default: default.trim().to_owned(), meaning });
        }
    }
    rows
}

/// What stands in the README from the marker on.
fn table() -> String {
    let mut table = format!("{BEGIN}\n\n| value | default | meaning |\n|---|---|---|\n");
    for Row { path, default, meaning } in rows() {
        let meaning = meaning.replace('|', "\\|");
        writeln!(table, "| `{path}` | `{default}` | {meaning} |").expect("a string");
    }
    table
}

#[test]
fn the_readme_explains_every_value_as_values_yaml_does() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/hookgate/README.md");
    let readme = std::fs::read_to_string(&file).expect("the chart's README");
    let (prose, written) = readme.split_once(BEGIN).expect("the marker of the table");
    if std::env::var_os("HOOKGATE_WRITE_README").is_some() {
        std::fs::write(&file, format!("{prose}{}", table())).expect("the chart's README");
    } else {
        assert!(format!("{BEGIN}{written}") == table(), "README.md is not what values.yaml says: run `make chart`");
    }
    let silent: Vec<String> = rows().into_iter().filter(|row| row.meaning.len() < 3).map(|row| row.path).collect();
    assert!(silent.is_empty(), "nothing is said of {silent:?}");
}

/// Members of a value and of its schema, down to where the schema leaves them open; both must have the same.
fn compare(value: &Value, schema: &Value, root: &Value, path: &str, differ: &mut Vec<String>) {
    let named = schema["$ref"].as_str().and_then(|name| root.pointer(name.trim_start_matches('#')));
    let schema = named.unwrap_or(schema);
    let bounded = ["type", "enum", "anyOf"].iter().any(|keyword| schema.get(keyword).is_some());
    if !bounded {
        differ.push(format!("{path}: the schema says no type"));
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    let open = path == ".global";
    if !open && schema["additionalProperties"] != false {
        differ.push(format!("{path}: the schema takes unknown members"));
    }
    // What is empty, such as {name, key} of a Secret, is written as a whole.
    let Some(members) = value.as_object().filter(|members| !members.is_empty()) else { return };
    let one: BTreeSet<&String> = members.keys().collect();
    let other: BTreeSet<&String> = properties.keys().collect();
    if one != other
        && !["resources", "initResources", "startup", "liveness", "readiness"].iter().any(|free| path.ends_with(free))
    {
        differ.push(format!("{path}: {:?}", one.symmetric_difference(&other)));
    }
    for (name, value) in members {
        compare(value, &properties[name], root, &format!("{path}.{name}"), differ);
    }
}

#[test]
fn the_schema_has_every_value_and_no_other() {
    let values: Value = serde_saphyr::from_str(&text("charts/hookgate/values.yaml")).expect("values");
    let schema: Value = serde_json::from_str(&text("charts/hookgate/values.schema.json")).expect("a schema");
    let mut differ = Vec::new();
    compare(&values, &schema, &schema, "", &mut differ);
    assert!(differ.is_empty(), "{differ:#?}");
}

#[tokio::test]
async fn a_value_that_is_none_is_refused_with_its_name() {
    let chart = chart();
    for (set, named) in [
        ("nats.url=http://x", "nats"),
        ("replicas=0", "replicas"),
        ("natss.url=nats://x", "natss"),
        ("spool.persistance.enabled=false", "persistance"),
        ("stream.maxAge=7w", "maxAge"),
        ("nats.url=ws://x", "nats"),
        ("drainDelay=1h", "drainDelay"),
        ("maxBodySize=0", "maxBodySize"),
        ("guardWindow=3", "guardWindow"),
        ("image.digest=latest", "digest"),
        ("spool.size=many", "size"),
        ("spool.accessMode=ReadWriteMany", "accessMode"),
        ("probes.startup.httpGet.path=/", "startup"),
        ("metrics.serviceMonitor=true", "serviceMonitor"),
        ("fetchAllowCIDRs={10.0.0.1}", "fetchAllowCIDRs"),
        // What the schema cannot see, each with what to write.
        ("spool.volatile=true", "spool.persistence.enabled=false"),
        ("spool.size=1Gi", "enlarge spool.size"),
        ("serviceAccount.create=false", "serviceAccount.name is required"),
        ("nats.install=true", "leave out nats.url"),
        (
            "nats.accounts[0].namespaces={a b},nats.accounts[0].credsSecret.name=a,nats.accounts[0].credsSecret.key=b",
            "accounts",
        ),
        ("nats.accounts[0].namespaces={a}", "credsSecret"),
        ("nats.caSecret.name=a,nats.caConfigMap.name=b", "leave one of them out"),
        ("ingress.enabled=true", "ingress.host is required"),
        ("httpRoute.enabled=true", "httpRoute.parentRefs is required"),
        ("certificate.enabled=true", "set tlsSecret or ingress.tlsSecret"),
        ("certificate.enabled=true,tlsSecret=a", "certificate.dnsNames is required"),
        ("certificate.enabled=true,tlsSecret=a,ingress.host=b", "certificate.issuerRef is required"),
    ] {
        let told = helm(&["template", "x", &chart, "--set", "nats.url=nats://x:4222", "--set", set]).await.err();
        assert!(told.contains(named), "{set}: {told}");
    }
    let told = helm(&["template", "x", &chart]).await.err();
    assert!(told.contains("nats.url is required"), "{told}");
}

#[tokio::test]
async fn the_chart_is_well_formed_and_renders_the_same_without_a_cluster() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/hookgate/templates");
    for file in std::fs::read_dir(folder).expect("templates") {
        let template = std::fs::read_to_string(file.expect("a template").path()).expect("a template");
        for word in ["lookup", "rand", "genCA", "genSelf", "uuid", "now", "Capabilities"] {
            let called = template.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
            let words = called.flat_map(|code| code.split(|char: char| !char.is_ascii_alphanumeric()));
            assert!(!words.into_iter().any(|one| one == word), "{word}: {template}");
        }
    }
    helm(&["lint", "--strict", &chart(), "--set", "nats.url=nats://x:4222"]).await.ok();
}

/// Values by which every flag of `run` that belongs to a pod is given.
const ALL: &str = "\
selector: a=b
baseUrl: https://x
sourceBase: urn:x
stream: {allowMemory: true}
tlsSecret: t
nats: {url: 'nats://x:4222', credsSecret: {name: c, key: k}, nkeySecret: {name: c, key: k}, caSecret: {name: c, key: k}, clientCertSecret: {name: c}, inboxPrefix: _INBOX_h, jsDomain: hub, accounts: [{namespaces: [a, b-*], credsSecret: {name: c, key: k}}]}
subjectPolicies: ['a.>']
pathPolicies: ['/**']
trustedProxies: [10.0.0.0/8]
trustTrace: true
fetchAllowCIDRs: [10.0.0.0/8]
memoryLimit: 200Mi
h2c: true
namespaceQuota: {sources: 100, bytes: 1048576}
rbac: {secretNames: [a]}
guardMaxBytes: 16Mi
spool: {persistence: {enabled: false}, volatile: true}
";

#[tokio::test]
async fn the_chart_passes_every_flag_of_run_and_no_other() {
    // A manifest folder is no cluster.
    const NONE: &[&str] = &["HOOKGATE_MANIFESTS"];
    let folder = crate::support::folder::Folder::new("values");
    let values = folder.write("all.yaml", ALL);
    let values = values.to_str().expect("a path");
    let all = helm(&["template", "x", &chart(), "--values", values]).await.ok();
    let help = hookgate(&["run", "--help"]).await.ok();
    let twins: BTreeSet<String> =
        help.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next()).map(str::to_owned).collect();
    let flags = all.lines().filter_map(|line| line.trim().strip_prefix("- --"));
    let twin = |flag: &str| {
        let name = flag.split('=').next().unwrap_or_default().replace('-', "_").to_uppercase();
        format!("HOOKGATE_{name}")
    };
    let names = all.lines().filter_map(|line| line.trim().strip_prefix("- name: ")).map(|name| name.trim_matches('"'));
    let given: BTreeSet<String> =
        flags.map(twin).chain(names.filter(|name| name.starts_with("HOOKGATE_")).map(str::to_owned)).collect();
    let known: BTreeSet<String> = twins.into_iter().filter(|twin| !NONE.contains(&twin.as_str())).collect();
    let beside: Vec<&String> = given.symmetric_difference(&known).collect();
    assert!(beside.is_empty(), "flags without a value, or values without a flag: {beside:?}");
}

#[tokio::test]
async fn crds_are_those_of_the_types_and_outlive_the_release() {
    let by_name = |all: Vec<Value>| -> BTreeMap<String, Value> {
        let crds = all.into_iter().filter(|one| one["kind"] == "CustomResourceDefinition");
        crds.map(|one| (one["metadata"]["name"].as_str().expect("a name").to_owned(), one)).collect()
    };
    for keep in [true, false] {
        let mut crds = by_name(rendered(&[&format!("crds.keep={keep}")]).await);
        assert_eq!(crds.len(), crd::all().len());
        for (_, crd) in crd::all() {
            let mut found = crds.remove(crd["metadata"]["name"].as_str().expect("a name")).expect("a CRD of the chart");
            let annotations = found["metadata"].as_object_mut().expect("metadata").remove("annotations");
            let policy = annotations.map(|annotations| annotations["helm.sh/resource-policy"].clone());
            assert_eq!(policy, keep.then(|| "keep".into()));
            assert_eq!(found, crd);
        }
    }
    assert!(by_name(rendered(&["crds.enabled=false"]).await).is_empty());
}

#[tokio::test]
async fn alerts_are_those_that_the_documents_show() {
    let file = text("charts/hookgate/files/alerts.yaml");
    let page = text("docs/operating.md");
    assert!(
        page.contains(&format!("```yaml\n{file}```")),
        "docs/operating.md does not show charts/hookgate/files/alerts.yaml"
    );
    let written: Vec<Value> = serde_saphyr::from_str(&file).expect("alerts");
    let rules = |all: &[Value]| -> Vec<Value> {
        let rule = all.iter().find(|one| one["kind"] == "PrometheusRule").expect("a PrometheusRule");
        rule.pointer("/spec/groups/0/rules").and_then(Value::as_array).expect("rules").clone()
    };
    let on = "metrics.prometheusRule.enabled=true";
    assert_eq!(rules(&rendered(&[on]).await), written);
    let fewer = rules(
        &rendered(&[on, "metrics.prometheusRule.disabled={HookgateGone}", "metrics.prometheusRule.alertLabels.team=a"])
            .await,
    );
    assert_eq!(fewer.len(), written.len() - 1);
    assert!(fewer.iter().all(|rule| rule["alert"] != "HookgateGone" && rule["labels"]["team"] == "a"));
    assert!(fewer.iter().all(|rule| rule["labels"]["severity"].is_string()), "{fewer:?}");
    written.iter().for_each(|rule| asks_for_what_there_is(rule["expr"].as_str().expect("an expression")));
}

/// Metrics and outcomes of an expression are those of the documents: an alert on another one would never sound.
fn asks_for_what_there_is(expression: &str) {
    let known = crate::docs::rows("docs/operating.md", "### Metrics");
    let outcomes = crate::docs::rows("docs/operating.md", "### How requests end");
    let names = expression.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    for name in names.filter(|name| name.starts_with("hookgate_")) {
        assert!(known.contains(name.trim_end_matches("_bucket")), "{expression}: {name}");
    }
    for matcher in ["outcome=~\"", "outcome!~\"", "outcome=\""] {
        for list in expression.split(matcher).skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(list.split('|').all(|outcome| outcomes.contains(outcome)), "{expression}: {list}");
        }
    }
}

#[tokio::test]
async fn the_dashboard_shows_what_there_is() {
    let all = rendered(&["metrics.dashboard.enabled=true"]).await;
    let map = all.iter().find(|one| one["kind"] == "ConfigMap").expect("a ConfigMap");
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    let board: Value = serde_json::from_str(map["data"]["hookgate.json"].as_str().expect("a dashboard")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let asked: Vec<&str> = targets.map(|target| target["expr"].as_str().expect("an expression")).collect();
    assert!(asked.len() >= panels.len() && panels.len() > 5, "{asked:?}");
    asked.iter().for_each(|expression| asks_for_what_there_is(expression));
}

#[tokio::test]
async fn notes_name_what_was_made_and_what_to_do_without_a_storage_class() {
    async fn notes(set: &str) -> String {
        let of =
            ["install", "x", &chart(), "--dry-run=client", "--namespace", "hooks", "--set", "nats.url=nats://x:4222"];
        let all = helm(&[&of[..], &["--set", set]].concat()).await.ok();
        all.split_once("NOTES:").expect("notes").1.to_owned()
    }
    let default = notes("replicas=3").await;
    for said in [
        "kubectl -n hooks logs statefulset/x-hookgate",
        "spool-x-hookgate-N",
        "--set spool.persistence.enabled=false",
        "keep the claims",
    ] {
        assert!(default.contains(said), "{said}: {default}");
    }
    let named = notes("spool.storageClass=fast").await;
    assert!(named.contains("StorageClass fast") && !named.contains("Pending"), "{named}");
    let without = notes("spool.persistence.enabled=false").await;
    assert!(without.contains("logs deployment/x-hookgate") && without.contains("SpoolMissing"), "{without}");
    let both = notes("keepFormerWorkload=true").await;
    assert!(both.contains("keepFormerWorkload=false"), "{both}");
}
