//! `hookgate check`: says what the operator would say of manifests, and where, without a cluster.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use jiff::Timestamp;

use super::policy::{Bounds, Policy};
use crate::api::condition::{Problem, Reason};
use crate::control::offline::{Judgement, Offline, Said};
use crate::control::settings::Settings;
use crate::manifest::{FileProblem, Loaded};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Manifests: files, folders with their subfolders, or - for the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    policy: Policy,
    #[command(flatten)]
    bounds: Bounds,
}

/// Runs the command: one line a note or problem, then a sentence. Returns the exit code: 1 where something is wrong, 2 where there is
/// nothing to check.
///
/// # Errors
/// A policy that is none, a closed output, or a standard input that cannot be read as text.
pub(super) fn run(args: &Args, input: &mut impl Read, out: &mut impl Write) -> anyhow::Result<u8> {
    let settings = args.bounds.settings(args.policy.settings()?);
    let mut loaded = Loaded::default();
    for file in &args.files {
        if file.as_os_str() == "-" {
            let mut text = String::new();
            input.read_to_string(&mut text)?;
            loaded.read_documents("standard input", &text);
        } else {
            loaded.read_deep(file);
        }
    }
    Ok(report(&loaded, settings, Timestamp::now(), out)?)
}

fn report(loaded: &Loaded, settings: Settings, now: Timestamp, out: &mut impl Write) -> io::Result<u8> {
    let judgement = Offline::new(loaded, settings, now).judge();
    let mut notes = loaded.notes.clone();
    notes.extend(judgement.notes.iter().map(|(key, field, text)| {
        let about = if field.is_empty() { String::new() } else { format!("{field}: ") };
        loaded.problem(key, field, "").note(format!("note: {about}{text}"))
    }));
    notes.sort();
    for note in &notes {
        writeln!(out, "{note}")?;
    }
    let problems = problems(loaded, &judgement);
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    let broken = |kind: &str| loaded.broken.keys().filter(|key| key.kind == kind).count();
    let found = [
        (loaded.sources.len() + broken("WebhookSource"), "source"),
        (loaded.providers.len() + broken("WebhookProvider"), "provider"),
        (loaded.secrets.len(), "Secret"),
    ];
    let any = found.iter().any(|(count, _)| *count > 0);
    match (problems.len(), any) {
        (0, false) => {
            writeln!(out, "There is nothing to check: no WebhookSource, WebhookProvider or Secret was found.")?;
            return Ok(2);
        }
        (0, true) => {
            let counts: Vec<_> =
                found.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what)).collect();
            writeln!(out, "{} checked: all is well.", counts.join(", "))?;
            return Ok(0);
        }
        (count, _) => writeln!(out, "{} found.", counted(count, "problem"))?,
    }
    Ok(1)
}

/// What reading found, and what the operator would say beside it.
fn problems(loaded: &Loaded, judgement: &Judgement) -> Vec<FileProblem> {
    let mut all = loaded.problems.clone();
    let new = |said: &&Said| !loaded.problems_of(&said.object).any(|known| is_about(&known.path, &said.problem));
    all.extend(judgement.problems.iter().filter(new).map(|Said { object, problem }| {
        loaded.problem(object, &problem.field, format!("{} ({})", problem.message, problem.reason.as_str()))
    }));
    all.sort();
    all.dedup();
    all
}

/// Whether what the schema says of `known` says enough of a problem: its field is the same, or one holds the other.
fn is_about(known: &str, problem: &Problem) -> bool {
    let holds = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    // The rules of a whole spec are those of provider `generic` and of its verification.
    let field = problem.field.as_str();
    match known {
        "spec" => holds("spec.verification", field) && problem.reason == Reason::Invalid,
        known => holds(known, field) || holds(field, known),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
