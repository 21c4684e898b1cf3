//! `hookgate verify`: why a captured request is, or is not, authentic.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::json;

use super::capture::CapturedRequest;
use super::source::{choose, instant, load};
use super::verify_handshake::{Asked, Judged};
use crate::provider::request::{Head, RequestView};
use crate::provider::verify::diagnose::diagnose;
use crate::provider::verify::fetched::NothingFetched;
use crate::provider::verify::observe::Step;
use crate::provider::verify::{Refusal, Verifier};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Manifests that hold the source, its provider where it is none of the built-in, and its Secrets
    #[arg(short, long = "file", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The source, as NAMESPACE/NAME. Default: the only one
    #[arg(long, value_name = "NS/NAME")]
    source: Option<String>,
    /// The captured request: a raw HTTP/1.1 message, the body byte for byte
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The time at which it is judged. Default: now
    #[arg(long, value_name = "RFC3339")]
    at: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    #[default]
    Text,
    Json,
}

/// Runs the command. Returns the exit code: 0 authentic, 1 not.
///
/// # Errors
/// Where it cannot be told: exit code 2.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<u8> {
    let loaded = load(&args.files)?;
    let now = instant(args.at.as_deref())?;
    let chosen = choose(&loaded, args.source.as_deref(), now)?;
    let message = std::fs::read(&args.request).with_context(|| format!("cannot read {}", args.request.display()))?;
    let capture = CapturedRequest::parse(&message).with_context(|| args.request.display().to_string())?;
    let missing = chosen.missing();
    let view = RequestView {
        head: Head {
            method: &capture.method,
            path: &capture.path,
            query: capture.query.as_deref(),
            headers: &capture.headers,
            received: now,
        },
        body: &capture.body,
    };
    let mut steps: Vec<Step> = Vec::new();
    let judged = chosen.given(|given| -> anyhow::Result<_> {
        let (verifier, unfit) = Verifier::new(&chosen.method, given)?;
        for key in unfit {
            steps.push(Step { step: "secret", ok: Some(false), detail: format!("{} {}", key.label, key.reason) });
        }
        for reason in &missing {
            steps.push(Step { step: "secret", ok: Some(false), detail: reason.clone() });
        }
        let asked = Asked { provider: &chosen.provider, verifier: &verifier, request: &view, now };
        if let Some(judged) = asked.alone(&mut steps) {
            return Ok(judged);
        }
        let verdict = verifier.explain(&view, now, &NothingFetched, &mut steps);
        if let Some(judged) = asked.after(verdict.as_ref().err(), &mut steps) {
            return Ok(judged);
        }
        if let Err(refusal) = verdict
            && !matches!(refusal, Refusal::NoKey | Refusal::NotFetched)
        {
            let findings = diagnose(&chosen.method, given, &view, now);
            steps.extend(findings.into_iter().map(|finding| Step { step: "advice", ok: None, detail: finding.advice }));
        }
        let covers = verdict.as_ref().map_or(verifier.covers(), |proof| proof.coverage().covers());
        Ok(Judged { refusal: verdict.err(), unsigned: false, covers, answer: None })
    })?;
    let Judged { refusal, unsigned, covers, answer } = judged;
    let reason = refusal.map(Refusal::as_str);
    let authentic = match refusal {
        None => (!unsigned).then_some(true),
        // Nothing was judged.
        Some(Refusal::NoKey | Refusal::NotFetched) => None,
        Some(_) => Some(false),
    };
    match args.output {
        Output::Json => {
            let answer = json!({
                "authentic": authentic, "method": &*chosen.method.name, "covers": covers.as_str(), "reason": reason, "steps": steps,
                "answer": answer,
            });
            writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
        }
        Output::Text => {
            writeln!(out, "{}, method {}, judged at {now}", chosen.provider.display_name, chosen.method.name)?;
            for step in &steps {
                let mark = match step.ok {
                    Some(true) => "ok ",
                    Some(false) => "NO ",
                    None => "-> ",
                };
                writeln!(out, "  {mark} {:10} {}", step.step, step.detail)?;
            }
            match refusal {
                None if unsigned => writeln!(out, "it cannot be told: nothing proves this handshake")?,
                None => writeln!(out, "authentic; the proof covers: {}", covers.as_str())?,
                Some(refusal) => {
                    let verdict = if authentic.is_none() { "it cannot be told" } else { "not authentic" };
                    writeln!(out, "{verdict}: {} ({refusal})", refusal.as_str())?;
                }
            }
        }
    }
    match refusal {
        None if unsigned => {
            anyhow::bail!(
                "the vendor signs no such handshake: whoever sends it is answered, and nothing of it is published"
            )
        }
        None => Ok(0),
        Some(Refusal::NotFetched) => {
            anyhow::bail!("the vendor's public key must be fetched: give it in a Secret and name it in secretRefs")
        }
        Some(Refusal::NoKey) => {
            anyhow::bail!("no secret is at hand: give the files that hold the Secrets, and look at notAfter")
        }
        Some(_) => Ok(1),
    }
}
