use super::*;
use crate::secret::SecretBytes;

fn read_text(text: &str) -> Loaded {
    read_documents("a.yaml", text)
}

fn problems(text: &str) -> Vec<String> {
    read_text(text).problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_holds_several_documents_and_lists() {
    let loaded = read_text(
        "# a comment
%YAML 1.2
---
apiVersion: v1
kind: Namespace
metadata: {name: sales}
---
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: calls, namespace: sales}
spec: {provider: xosum}
...
---
# nothing here
--- # a list
apiVersion: v1
kind: List
items:
- apiVersion: hookgate.dev/v1alpha1
  kind: WebhookSource
  metadata: {name: repos}
  spec: {provider: github}
- {apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {token: \"x\"}}
",
    );
    assert_eq!(loaded.problems, []);
    let places: Vec<_> = loaded
        .sources
        .iter()
        .map(|source| {
            let namespace = source.metadata.namespace.as_deref().unwrap();
            let key = ObjectKey::new("WebhookSource", namespace, source.metadata.name.as_deref().unwrap());
            (key.to_string(), loaded.origin(&key).unwrap().line, loaded.origin(&key).unwrap().line_of("spec.provider"))
        })
        .collect();
    assert_eq!(places[0], ("WebhookSource sales/calls".to_owned(), 8, 11));
    assert_eq!(places[1], ("WebhookSource default/repos".to_owned(), 19, 22));
    assert!(loaded.secrets.contains_key(&("default".to_owned(), "a".to_owned())));
}

#[test]
fn a_problem_names_file_line_object_and_field() {
    let text = "
apiVersion: hookgate.dev/v1alpha1
kind: WebhookSource
metadata: {name: calls, namespace: sales}
spec:
  provider: xosum
  verification:
    tolerance: 48h
";
    assert_eq!(
        problems(text),
        [
            "a.yaml:8: WebhookSource sales/calls: spec.verification.tolerance: \"48h\" is not allowed: tolerance must be from 1s to 24h"
        ]
    );
}

#[test]
fn broken_yaml_is_told_with_its_place_and_harms_no_other_document() {
    let text = "apiVersion: v1
kind: Secret
metadata: {name: a}
---
apiVersion: v1
kind: Secret
metadata: {name: b
---
apiVersion: v1
kind: Secret
metadata: {name: c}
";
    let loaded = read_text(text);
    assert_eq!(loaded.secrets.len(), 2);
    let [problem] = loaded.problems.as_slice() else { panic!("{:?}", loaded.problems) };
    assert_eq!((problem.line, problem.column.is_some()), (7, true), "{problem}");
    assert!(problem.to_string().starts_with("a.yaml:7:") && problem.message.starts_with("is no YAML: "), "{problem}");
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  key: hunter2\n  key: hunter3\n";
    let [problem] = <[String; 1]>::try_from(problems(text)).unwrap();
    assert!(problem.starts_with("a.yaml:6:") && problem.contains("key"), "{problem}");
    assert!(!problem.contains("hunter"), "{problem}");
}

#[test]
fn an_object_that_stands_twice_names_both_places() {
    let one = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
    assert_eq!(
        problems(&format!("{one}---\n{one}")),
        ["a.yaml:5: Secret default/a: stands already in a.yaml:1: write it once"]
    );
}

#[test]
fn quotes_decide_what_is_a_text() {
    let read = |value: &str| {
        let text = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData: {{key: {value}}}\n");
        let loaded = read_text(&text);
        let secret = loaded.secrets.values().next().unwrap();
        secret.data.get("key").map(|bytes| String::from_utf8(bytes.expose().to_vec()).unwrap())
    };
    for quoted in ["\"no\"", "'123'", "\"null\"", "'0x1f'", "'1.0'", "!!str 12"] {
        assert_eq!(
            read(quoted).as_deref(),
            Some(quoted.trim_start_matches("!!str ").trim_matches(['"', '\''])),
            "{quoted}"
        );
    }
    assert_eq!(read("abc"), Some("abc".to_owned()));
    assert_eq!(read("2026-12-31T00:00:00Z"), Some("2026-12-31T00:00:00Z".to_owned()));
    // What kubectl makes no text of is none here either: the user would be surprised on the cluster.
    for bare in ["no", "on", "123", "true", "1.5", "0x1f", "null"] {
        assert_eq!(read(bare), None, "{bare}");
    }
}

#[test]
fn secrets_are_read_as_kubernetes_reads_them() {
    let text = "apiVersion: v1
kind: Secret
type: Opaque
metadata: {name: a, namespace: sales, labels: {hookgate.dev/capture: allowed}}
data:
  kept: aHVudGVyMg==
  broken: aHVudGVyMg
  folded: |
    aHVu
    dGVyMg==
  replaced: aHVudGVyMg==
stringData:
  replaced: new
  lines: |
    first
    second
  number: 12
";
    let loaded = read_text(text);
    let secret = &loaded.secrets[&("sales".to_owned(), "a".to_owned())];
    let value = |key: &str| secret.data.get(key).map(SecretBytes::expose);
    assert_eq!(value("kept"), Some(&b"hunter2"[..]));
    assert_eq!(value("folded"), Some(&b"hunter2"[..]));
    assert_eq!(value("replaced"), Some(&b"new"[..]));
    assert_eq!(value("lines"), Some(&b"first\nsecond"[..]));
    assert_eq!((value("broken"), value("number")), (None, None));
    assert_eq!(secret.labels["hookgate.dev/capture"], "allowed");
    let told: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a.yaml:7: Secret sales/a: data.broken: is no base64: write the value itself under stringData",
            "a.yaml:17: Secret sales/a: stringData.number: is no text: put the value in quotes",
        ]
    );
}

#[test]
fn kinds_of_others_are_noted_and_unknown_ones_of_ours_refused() {
    let loaded = read_text(
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}
---
{apiVersion: hookgate.dev/v1beta1, kind: WebhookSource, metadata: {name: a}}
---
{apiVersion: hookgate.dev/v1alpha1, kind: WebhookSink, metadata: {name: a}}
---
{kind: Secret}
---
- a list
",
    );
    let told: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a.yaml:3: apiVersion: \"hookgate.dev/v1beta1\" is not allowed: write hookgate.dev/v1alpha1",
            "a.yaml:5: kind: hookgate.dev/v1alpha1 WebhookSink is not known: hookgate.dev/v1alpha1 has WebhookSource and WebhookProvider",
            "a.yaml:7: is no Kubernetes object: it needs apiVersion and kind",
            "a.yaml:9: is no Kubernetes object: it needs apiVersion and kind",
        ]
    );
    assert_eq!(loaded.notes.len(), 1);
}

#[test]
fn a_folder_is_read_by_name_without_hidden_files_and_subfolders() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, secret: &str| {
        let text = format!("{{apiVersion: v1, kind: Secret, metadata: {{name: {secret}}}}}\n");
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    std::fs::create_dir(folder.path().join("..data")).unwrap();
    std::fs::create_dir(folder.path().join("deeper.yaml")).unwrap();
    write("..data/linked.yaml", "linked");
    std::os::unix::fs::symlink("..data/linked.yaml", folder.path().join("linked.yaml")).unwrap();
    for (name, secret) in [("b.yaml", "b"), ("a.yml", "a"), (".hidden.yaml", "hidden"), ("notes.txt", "notes")] {
        write(name, secret);
    }
    std::fs::write(folder.path().join("wrong.yaml"), b"a: \xff").unwrap();

    let loaded = read_file(folder.path());

    let names: Vec<_> = loaded.secrets.keys().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "linked"]);
    let [problem] = loaded.problems.as_slice() else { panic!("{:?}", loaded.problems) };
    assert!(problem.to_string().ends_with("wrong.yaml:1: is no UTF-8 text"), "{problem}");
}

#[test]
fn a_word_that_yaml_reads_as_something_else_is_named_so() {
    for (metadata, said) in [
        (
            "{name: a, namespace: n}",
            "metadata.namespace: of a WebhookSource is no text, as YAML reads y, yes, on, n, no, off and the like as false",
        ),
        ("{name: 007}", "metadata.name: of a WebhookSource is no text, as YAML reads it as the number 7"),
    ] {
        let text = format!(
            "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\nmetadata: {metadata}\nspec: {{provider: xosum}}\n"
        );
        let told = problems(&text);
        assert_eq!(told, [format!("a.yaml:3: {said}: put it in quotes")]);
    }
}

#[test]
fn what_schema_or_rules_refuse_is_kept_as_it_is_written() {
    let loaded = read_text(
        "apiVersion: hookgate.dev/v1alpha1\nkind: WebhookSource\nmetadata: {name: a}\nspec: {provider: xosum, suspend: true, tolerance: 48h}\nstatus: {path: /a}\n",
    );
    let key = ObjectKey::new("WebhookSource", "default", "a");
    assert!(loaded.sources.is_empty() && loaded.problems_of(&key).count() == 1);
    assert_eq!(loaded.broken[&key]["spec"]["suspend"], true);
    assert!(loaded.broken[&key].get("status").is_none());
}

#[test]
fn subfolders_are_read_where_they_are_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str| {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let name = file.replace(['/', '.'], "-");
        std::fs::write(path, format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n")).unwrap();
    };
    ["top.yaml", "a/b.yaml", "a/b/c.yml", ".git/d.yaml"].into_iter().for_each(write);
    #[cfg(unix)]
    std::os::unix::fs::symlink("..", folder.path().join("a/back")).unwrap();
    let names = |loaded: Loaded| loaded.secrets.into_keys().map(|(_, name)| name).collect::<Vec<_>>();
    assert_eq!(names(read_file(folder.path())), ["top-yaml"]);
    let mut deep = Loaded::default();
    deep.read_deep(folder.path());
    assert_eq!(deep.problems, []);
    assert_eq!(names(deep), ["a-b-c-yml", "a-b-yaml", "top-yaml"]);
}

#[test]
fn a_misspelt_field_of_a_secret_is_refused() {
    assert_eq!(
        problems("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringdata: {a: b}\n"),
        ["a.yaml:4: Secret default/a: stringdata: is no field of a Secret: write data or stringData"]
    );
}

#[test]
fn what_kubectl_get_prints_is_read() {
    let loaded = read_text(
        "apiVersion: v1
kind: List
items:
- apiVersion: hookgate.dev/v1alpha1
  kind: WebhookSource
  metadata:
    name: a
    namespace: sales
    uid: 5b0c7b0e-0000-4000-8000-000000000000
    resourceVersion: '7'
    generation: 1
    creationTimestamp: '2026-01-01T00:00:00Z'
    managedFields: [{manager: kubectl, operation: Update}]
  spec: {provider: xosum, path: null}
  status: {path: /sales/a, lastAcceptedTime: soon}
metadata: {resourceVersion: ''}
",
    );
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.sources[0].status, None);
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "([-:{}\\[\\]'\"|>&*!%#,?@ \n\ta-c0]|---\n|apiVersion: |kind: |v1|Secret|data: |\u{feff}|\u{e9}){0,60}") {
        let loaded = read_text(&text);
        let lines = text.split('\n').count();
        for problem in &loaded.problems {
            proptest::prop_assert!(problem.line >= 1 && problem.line <= lines, "{}", problem);
        }
    }
}
