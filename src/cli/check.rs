//! `hookgate check`: says what is wrong in manifests, and where, without a cluster.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use crate::manifest::{self, Judge, Loaded};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Manifests: files, folders of files, or - for the standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Runs the command: one line a problem or note, then a sentence. `judges` see what schema and rules cannot, `advisers`
/// what is served otherwise than written. Returns whether all is well; the exit code is 1 where it is not.
///
/// # Errors
/// A closed output, or a standard input that cannot be read as text.
pub fn run(
    args: &Args,
    judges: &[Judge<'_>],
    advisers: &[Judge<'_>],
    input: &mut impl Read,
    out: &mut impl Write,
) -> io::Result<bool> {
    let mut loaded = Loaded::default();
    for file in &args.files {
        if file.as_os_str() == "-" {
            let mut text = String::new();
            input.read_to_string(&mut text)?;
            loaded.read_documents("standard input", &text);
        } else {
            loaded.read(file);
        }
    }
    report(&loaded, judges, advisers, out)
}

fn report(loaded: &Loaded, judges: &[Judge<'_>], advisers: &[Judge<'_>], out: &mut impl Write) -> io::Result<bool> {
    for note in loaded.notes.iter().cloned().chain(advisers.iter().flat_map(|adviser| adviser(loaded))) {
        writeln!(out, "{note}")?;
    }
    let problems = manifest::check(loaded, judges);
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    let found =
        [(loaded.sources.len(), "source"), (loaded.providers.len(), "provider"), (loaded.secrets.len(), "Secret")];
    match (problems.len(), found.iter().all(|(count, _)| *count == 0)) {
        (0, true) => {
            writeln!(out, "There is nothing to check: no WebhookSource, WebhookProvider or Secret was found.")?
        }
        (0, false) => {
            let counts: Vec<_> =
                found.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what)).collect();
            writeln!(out, "{} checked: all is well.", counts.join(", "))?;
        }
        (count, _) => writeln!(out, "{} found.", counted(count, "problem"))?,
    }
    Ok(problems.is_empty())
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str, judges: &[Judge<'_>]) -> (bool, String) {
        let args = Args { files: vec!["-".into()] };
        let mut out = Vec::new();
        let well = run(&args, judges, &[], &mut text.as_bytes(), &mut out).unwrap();
        (well, String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_is_right_is_counted() {
        let text = "{apiVersion: v1, kind: Secret, metadata: {name: a}}
---
{apiVersion: hookgate.dev/v1alpha1, kind: WebhookSource, metadata: {name: a}, spec: {provider: xosum}}
---
{apiVersion: hookgate.dev/v1alpha1, kind: WebhookSource, metadata: {name: b}, spec: {provider: xosum}}
";
        assert_eq!(checked(text, &[]), (true, "2 sources, 1 Secret checked: all is well.\n".to_owned()));
        let (well, told) = checked("# nothing\n", &[]);
        assert!(well && told.starts_with("There is nothing to check"), "{told}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let text = "{apiVersion: hookgate.dev/v1alpha1, kind: WebhookSource, metadata: {name: a}, spec: {provider: xosum, path: a}}";
        let (well, told) = checked(text, &[]);
        assert!(!well);
        assert!(
            told.starts_with(
                "standard input:1: WebhookSource default/a: spec.path: \"a\" is not allowed: write a path"
            ),
            "{told}"
        );
        assert!(told.ends_with("1 problem found.\n"), "{told}");
    }
}
