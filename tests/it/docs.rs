//! The documentation is true: its manifests are right, its commands exist, its lists are complete.
#![allow(clippy::expect_used, clippy::panic, reason = "a helper of tests fails loudly")]

use std::collections::BTreeSet;
use std::path::Path;

use clap::{CommandFactory, Parser};
use hookgate::api::crd;
use hookgate::api::provider::WebhookProviderSpec;
use hookgate::cli::Cli;
use hookgate::event::header;
use hookgate::metrics::{EventResult, Metrics, Outcome, SourceStanding};
use hookgate::provider::Provider;
use serde_json::{Value, json};

use crate::support::folder::Folder;
use crate::support::operator::hookgate;
use crate::support::run::run;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every page that users read, by its path in the repository.
pub fn pages() -> Vec<String> {
    let docs = std::fs::read_dir(root().join("docs")).expect("docs/");
    let mut pages: Vec<String> =
        docs.map(|file| format!("docs/{}", file.expect("a page").file_name().to_string_lossy())).collect();
    pages.retain(|page| page.ends_with(".md"));
    pages.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "charts/hookgate/README.md"]
            .map(str::to_owned),
    );
    pages.sort();
    pages
}

/// The fenced blocks of a page in a language.
pub fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = text(page);
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(fence) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if fence == language {
            blocks.push(block.join("\n"));
        }
    }
    blocks
}

/// The first cells of the table rows below a heading, without backticks.
pub fn rows(page: &str, heading: &str) -> BTreeSet<String> {
    let text = text(page);
    let below = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{page} has no {heading:?}")).1;
    let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let within = |line: &&str| level(line) == 0 || level(line) > level(heading);
    let cells = below
        .lines()
        .take_while(within)
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(cell, _)| cell));
    cells.map(str::to_owned).collect()
}

/// What stands between quotes behind a mark, in every line of a file that has it.
fn quoted(file: &str, mark: &str) -> BTreeSet<String> {
    let text = text(file);
    let found = text.lines().filter_map(|line| line.trim_start().strip_prefix(mark)?.split_once('"'));
    found.map(|(word, _)| word.to_owned()).collect()
}

#[tokio::test]
async fn every_manifest_is_what_check_accepts() {
    let mut shown = 0;
    for page in pages() {
        let folder = Folder::new("page");
        let ours = |block: &String| ["hookgate.dev/", "kind: Secret"].iter().any(|kind| block.contains(kind));
        let manifests: Vec<String> = blocks(&page, "yaml").into_iter().filter(ours).collect();
        if manifests.is_empty() {
            continue;
        }
        shown += manifests.len();
        folder.write("page.yaml", &manifests.join("\n---\n"));
        let said = hookgate(&["check", &folder.display().to_string()]).await;
        assert!(said.status.success(), "{page}: {}", said.stdout);
        assert!(said.stdout.ends_with("all is well.\n"), "{page}: {}", said.stdout);
    }
    assert!(shown >= 7, "{shown} manifests were found");
}

/// The words of a line of a shell, up to a comment, a pipe or a redirection.
pub fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut begun) = (String::new(), None, false);
    for char in line.chars() {
        match (quote, char) {
            (Some(open), _) if char == open => quote = None,
            (Some(_), _) => word.push(char),
            (None, '\'' | '"') => (quote, begun) = (Some(char), true),
            (None, ' ') => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (None, '#' | '|' | '>' | '&' | ';') if !begun => break,
            (None, _) => {
                word.push(char);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[test]
fn every_command_exists_with_its_flags() {
    let targets = text("Makefile");
    let mut shown = 0;
    for page in pages() {
        for block in blocks(&page, "sh") {
            for line in block.replace("\\\n", " ").lines() {
                let words = shell_words(line.trim_start_matches("$ "));
                match words.first().map(String::as_str) {
                    Some("hookgate") => {
                        shown += 1;
                        if let Err(error) = Cli::try_parse_from(&words) {
                            panic!("{page}: {line}\n{error}");
                        }
                    }
                    Some("make") => {
                        let target = words.get(1).unwrap_or_else(|| panic!("{page}: {line}"));
                        assert!(targets.contains(&format!("\n{target}:")), "{page}: {line}");
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(shown > 20, "{shown} commands were found");
}

#[tokio::test]
async fn every_consumer_is_well_formed() {
    let folder = Folder::new("consumers");
    for (language, program, flags, file) in
        [("go", "gofmt", ["-e", "-l"], "a.go"), ("js", "node", ["--check", "--"], "a.mjs")]
    {
        // The first shows how claimed data is read, and is a part of an example.
        let consumers = blocks("docs/consuming.md", language);
        assert_eq!(consumers.len(), 2, "{language}");
        let path = folder.write(file, &format!("{}\n", consumers[1]));
        let mut command = tokio::process::Command::new(program);
        command.args(flags).arg(path);
        // gofmt names a file that it would write otherwise.
        assert_eq!(run(command, "").await.ok(), "", "{language}");
    }
}

#[test]
fn what_reads_claimed_data_is_a_part_of_the_examples() {
    for (language, file) in [("go", "claimed.go"), ("python", "claimed.py"), ("js", "claimed.mjs")] {
        let shown = blocks("docs/consuming.md", language).remove(0);
        assert!(text(&format!("examples/consumers/{file}")).contains(shown.trim()), "{language}: {shown}");
    }
}

#[test]
fn every_outcome_is_explained() {
    let known: BTreeSet<String> = Outcome::ALL.iter().map(|outcome| outcome.as_str().to_owned()).collect();
    assert_eq!(rows("docs/operating.md", "### How requests end"), known);
}

#[test]
fn every_reason_of_a_condition_is_explained() {
    let file = text("src/api/condition.rs");
    let (_, reasons) = file.split_once("pub enum Reason {\n").expect("the enum");
    let (reasons, _) = reasons.split_once("\n}").expect("its end");
    let known: BTreeSet<String> = reasons.lines().map(|line| line.trim().trim_end_matches(',').to_owned()).collect();
    assert!(known.len() > 15, "{known:?}");
    assert_eq!(rows("docs/operating.md", "### Reasons"), known);
}

#[test]
fn every_metric_is_explained() {
    let metrics = Metrics::new();
    let source = metrics.source("a", "b", "c");
    source.count(Outcome::Accepted);
    source.count_events(EventResult::Stored, 1);
    source.count_filter_errors(1);
    source.count_omitted();
    source.count_claimed();
    metrics.sources(SourceStanding::Serving).set(1);
    metrics.tell_secret_ends([(("a".to_owned(), "b".to_owned(), "c".to_owned()), jiff::Timestamp::UNIX_EPOCH)]);
    let text = metrics.render().expect("metrics");
    let typed = |line: &str| {
        let mut words = line.strip_prefix("# TYPE ")?.split(' ').map(str::to_owned);
        let (name, kind) = (words.next()?, words.next()?);
        Some(if kind == "counter" { format!("{name}_total") } else { name })
    };
    let known: BTreeSet<String> = text.lines().filter_map(typed).filter(|name| name.starts_with("hookgate_")).collect();
    assert_eq!(rows("docs/operating.md", "### Metrics"), known);
    let page = self::text("docs/operating.md");
    for state in SourceStanding::ALL.iter().copied() {
        assert!(page.contains(&format!("`{}`", state.as_str())), "{}", state.as_str());
    }
}

#[test]
fn every_flag_of_run_is_explained() {
    let command = Cli::command();
    let run = command.find_subcommand("run").expect("run");
    let known: BTreeSet<String> =
        run.get_arguments().filter_map(|flag| flag.get_long().map(|name| format!("--{name}"))).collect();
    let told: BTreeSet<String> = rows("docs/operating.md", "## Flags").iter().map(|row| first_word(row)).collect();
    let known: BTreeSet<String> = known.into_iter().filter(|flag| flag != "--help" && flag != "--version").collect();
    assert_eq!(told, known);
}

fn first_word(text: &str) -> String {
    text.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn every_header_and_every_reason_of_a_rejected_item_is_explained() {
    let known: BTreeSet<String> = header::ALL.iter().map(|header| header.name.to_owned()).collect();
    assert!(known.len() > 15, "{known:?}");
    assert_eq!(rows("docs/consuming.md", "## Headers"), known);
    let event = text("src/provider/event.rs");
    let reasons: BTreeSet<String> = event
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""))
        // Media types stand in the same file, and are spelt otherwise.
        .filter(|(reason, spelt)| spelt.starts_with(reason))
        .map(|(reason, _)| reason.to_owned())
        .collect();
    assert_eq!(rows("docs/consuming.md", "## Rejected items"), reasons);
}

/// A provider whose content, or whose handshake's answer, is this template.
fn provider(content: &str, answer: &str) -> WebhookProviderSpec {
    let digest = json!({
        "algorithm": "SHA256",
        "signature": {"header": "X-Signature", "key": "v1"},
        "content": format!("{{secret}}{{timestamp}}{content}"),
        "timestamp": {"header": "X-Time"},
    });
    serde_json::from_value(json!({
        "displayName": "Acme",
        "methods": [{"name": "digest", "anyOf": [{"allOf": [{"digest": digest}]}]}],
        "handshakes": [{"method": "GET", "respond": {"body": answer}}],
        "decode": {"decrypt": {"pointer": "/encrypt"}},
    }))
    .expect("a definition")
}

/// Rows of a table whose first cell is `{variable:argument}`: it is the example, too.
fn variables(heading: &str) -> BTreeSet<String> {
    rows("docs/providers.md", heading)
}

/// The same, where a variable with an argument is another than one without: `name` or `name:`.
fn forms(examples: &BTreeSet<String>) -> BTreeSet<String> {
    let form = |example: &String| {
        let inner = example.trim_matches(['{', '}']);
        inner.split_once(':').map_or_else(|| inner.to_owned(), |(name, _)| format!("{name}:"))
    };
    examples.iter().map(form).collect()
}

fn names(examples: &BTreeSet<String>) -> BTreeSet<String> {
    examples
        .iter()
        .map(|example| example.trim_matches(['{', '}']).split(':').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_variable_of_signed_content_is_explained_with_an_example_that_compiles() {
    let examples = variables("### Variables of signed content");
    let code = text("src/provider/verify/content/variable.rs");
    let arms = code.lines().filter_map(|line| line.trim_start().strip_prefix("(\"")?.split_once("\", "));
    let known: BTreeSet<String> = arms
        .filter(|(_, rest)| !rest.contains("return Err"))
        .map(|(name, rest)| if rest.starts_with("Some") { format!("{name}:") } else { name.to_owned() })
        .collect();
    assert!(known.contains("query:") && known.contains("body"), "{known:?}");
    assert_eq!(forms(&examples), known);
    for example in examples {
        if let Err(errors) = Provider::compile("acme", &provider(&example, "")) {
            panic!("{example}: {errors:?}");
        }
    }
}

#[test]
fn every_variable_of_an_answer_is_explained_with_an_example_that_compiles() {
    let examples = variables("### Variables of a handshake's answer");
    let mut known = quoted("src/provider/answer.rs", "Some((\"");
    let others = |name: &String| name.starts_with("hmac-") || ["parameter", "decrypted"].contains(&name.as_str());
    known.extend(quoted("src/provider/answer.rs", "\"").into_iter().filter(others));
    assert_eq!(names(&examples), known);
    for example in examples {
        if let Err(errors) = Provider::compile("acme", &provider("{body}", &example)) {
            panic!("{example}: {errors:?}");
        }
    }
}

#[test]
fn every_field_of_a_definition_is_explained() {
    let page = text("docs/providers.md");
    let explained: BTreeSet<&str> =
        page.split('`').skip(1).step_by(2).flat_map(|code| code.split(|c: char| !c.is_ascii_alphanumeric())).collect();
    let (_, crd) = crd::all().swap_remove(1);
    let mut missing = BTreeSet::new();
    fields(&crd::schema(&crd)["properties"]["spec"], &mut |name| {
        if !explained.contains(name) {
            missing.insert(name.to_owned());
        }
    });
    for target in quoted("src/provider/mapping/member.rs", "target(\"") {
        if !page.contains(&format!("`{target}`")) {
            missing.insert(target);
        }
    }
    assert!(missing.is_empty(), "docs/providers.md says nothing of {missing:?}");
}

fn fields(schema: &Value, visit: &mut dyn FnMut(&str)) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        visit(name);
        fields(property, visit);
    }
    for keyword in ["items", "additionalProperties"] {
        if schema[keyword].is_object() {
            fields(&schema[keyword], visit);
        }
    }
}

#[tokio::test]
async fn a_new_definition_is_right_as_it_is_and_a_wrong_name_is_told() {
    let folder = Folder::new("new");
    let printed = hookgate(&["providers", "new", "acme-calls"]).await.ok();
    folder.write("acme-calls.yaml", &printed);
    let said = hookgate(&["check", &folder.display().to_string()]).await.ok();
    assert_eq!(said, "1 provider checked: all is well.\n");
    // The parts that are comments are right as well, where they are no ellipsis.
    let uncommented: Vec<String> = printed
        .lines()
        .map(|line| match line.strip_prefix("  # ") {
            Some(rest) if rest.trim_start().starts_with(['-', '{']) || rest.split(':').next().is_some_and(is_field) => {
                format!("  {rest}")
            }
            _ => line.to_owned(),
        })
        .collect();
    let whole = uncommented.join("\n");
    assert!(whole.contains("\n  handshakes:\n") && whole.contains("\n  map:\n"), "{whole}");
    folder.write("acme-calls.yaml", &whole);
    hookgate(&["check", &folder.display().to_string()]).await.ok();
    for (name, told) in [("github", "built in"), ("Acme", "metadata.name"), ("a: b", "name of a provider")] {
        let refused = hookgate(&["providers", "new", name]).await.err();
        assert!(refused.contains(told), "{name}: {refused}");
    }
}

/// `name`, or spaces and a name: no sentence.
fn is_field(text: &str) -> bool {
    let name = text.trim_start();
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
}
