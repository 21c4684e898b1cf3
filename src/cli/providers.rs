//! `hookgate providers`: the catalogue, as a table, as YAML or as JSON.

use std::io::Write;

use clap::ValueEnum;

use super::providers_new;
use crate::api::extract::{Extract, IdOf, WithoutId};
use crate::api::provider::{Confidence, Origin, Retries, WebhookProvider, WebhookProviderSpec};
use crate::provider::Provider;
use crate::provider::catalogue::{BuiltIn, Catalogue, built_in, built_ins};
use crate::provider::documented;

/// Arguments of `providers`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The provider to show. Default: all, a line each
    name: Option<String>,
    /// Show the deliveries that the vendor documents, small and made up, and what becomes of each
    #[arg(long, requires = "name")]
    samples: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, conflicts_with = "samples")]
    output: Output,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Prints a commented starting point for a definition
    New(providers_new::Args),
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    #[default]
    Table,
    Yaml,
    Json,
}

/// Runs the command.
///
/// # Errors
/// An unknown provider, or a closed output.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    if let Some(Command::New(new)) = &args.command {
        return providers_new::run(new, out);
    }
    let chosen: Vec<&BuiltIn> = match &args.name {
        None => built_ins().collect(),
        Some(name) => match built_in(name) {
            Some(found) => vec![found],
            None => {
                let near = Catalogue::default().similar(name);
                let hint =
                    if near.is_empty() { String::new() } else { format!(" Did you mean {}?", near.join(" or ")) };
                anyhow::bail!("{name:?} is no built-in provider: `hookgate providers` lists them.{hint}");
            }
        },
    };
    if args.samples {
        return chosen.iter().try_for_each(|provider| samples(provider, out));
    }
    match (args.output, &args.name) {
        (Output::Yaml, _) => {
            for provider in chosen {
                writeln!(out, "---\n{}", provider.manifest.trim_start_matches("---").trim())?;
            }
            Ok(())
        }
        (Output::Json, name) => {
            let manifests: Vec<WebhookProvider> = chosen
                .iter()
                .map(|provider| Ok(WebhookProvider::new(provider.id, spec(provider)?.clone())))
                .collect::<anyhow::Result<_>>()?;
            match (name, manifests.as_slice()) {
                (Some(_), [one]) => writeln!(out, "{}", serde_json::to_string_pretty(one)?)?,
                _ => writeln!(out, "{}", serde_json::to_string_pretty(&manifests)?)?,
            }
            Ok(())
        }
        (Output::Table, None) => table(&chosen, out),
        (Output::Table, Some(_)) => chosen.iter().try_for_each(|provider| show(provider, out)),
    }
}

/// Prints each sample as it is sent, and the conversation that becomes of it.
fn samples(provider: &BuiltIn, out: &mut impl Write) -> anyhow::Result<()> {
    let mut any = false;
    for documented in documented::of(provider.id) {
        any = true;
        writeln!(out, "# {} ({})", documented.name, documented.media_type)?;
        writeln!(out, "{}", documented.body.trim_end())?;
        writeln!(out, "# becomes {}.{}", provider.id, documented.event_type())?;
        writeln!(out, "{}\n", documented.expected.trim_end())?;
    }
    if !any {
        let name = provider.id;
        anyhow::bail!("{name} has no samples: `hookgate send` makes a delivery from its definition");
    }
    Ok(())
}

fn spec(provider: &BuiltIn) -> anyhow::Result<&'static WebhookProviderSpec> {
    let built_in = built_in(provider.id).ok_or_else(|| anyhow::anyhow!("{} is gone", provider.id))?;
    built_in.spec().map_err(|errors| anyhow::anyhow!("{}: {errors:?}", provider.id))
}

fn compiled(provider: &BuiltIn) -> anyhow::Result<&Provider> {
    provider.provider().map(AsRef::as_ref).map_err(|errors| anyhow::anyhow!("{}: {errors:?}", provider.id))
}

fn table(chosen: &[&BuiltIn], out: &mut impl Write) -> anyhow::Result<()> {
    let mut rows = vec![["NAME".to_owned(), "VENDOR".into(), "METHODS".into(), "COVERS".into(), "MAPPED".into()]];
    for provider in chosen {
        let (spec, compiled) = (spec(provider)?, compiled(provider)?);
        let methods: Vec<&str> = compiled.methods.iter().map(|method| &*method.name).collect();
        let covers = compiled.methods.first().map_or("None", |method| method.covers().as_str());
        let mapped = if spec.map.is_empty() { "" } else { "conversation/v1" };
        rows.push([
            provider.id.to_owned(),
            spec.display_name.clone(),
            methods.join(","),
            covers.to_owned(),
            mapped.to_owned(),
        ]);
    }
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let line: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

fn show(provider: &BuiltIn, out: &mut impl Write) -> anyhow::Result<()> {
    let (spec, compiled) = (spec(provider)?, compiled(provider)?);
    writeln!(out, "{} ({})", spec.display_name, provider.id)?;
    if let Some(docs) = &spec.docs {
        writeln!(out, "Documentation: {docs}")?;
    }
    if let Some(confidence) = spec.confidence {
        let founded = match confidence {
            Confidence::Code => "the sender's or its SDK's code",
            Confidence::Documentation => "the vendor's documentation",
            Confidence::ThirdParty => "third parties (unconfirmed)",
            Confidence::Known => "common knowledge (unconfirmed)",
        };
        let sources: Vec<String> = spec.sources.iter().map(origin).collect();
        writeln!(out, "Founded on:    {founded}: {}", sources.join("; "))?;
    }
    writeln!(
        out,
        "Retries:       {}",
        match spec.retries {
            Retries::Never => "never: what is not taken is lost",
            Retries::ServerErrors => "after 5xx and time-outs",
            Retries::TooManyRequests => "after 429, 5xx and time-outs",
        }
    )?;
    if let Some(disables) = &spec.disables {
        writeln!(out, "Switched off:  by the vendor {disables}")?;
    }
    writeln!(out, "Same event:    {}", identity(spec))?;
    if let Some(argument) = spec.extract.as_ref().and_then(|extract| extract.identity.as_ref()) {
        writeln!(out, "               {argument}")?;
    }
    if let Some(why) = spec.extract.as_ref().and_then(|extract| extract.without_subject.as_ref()) {
        writeln!(out, "No subject:    {why}")?;
    }
    writeln!(out, "Deadline:      answered within {:?}", compiled.deadline)?;
    if let Some(notes) = &spec.notes {
        writeln!(out, "Note:          {notes}")?;
    }
    writeln!(out, "\nMethods (the first that proves something is the default):")?;
    for method in &compiled.methods {
        writeln!(out, "  {:24} covers {}", method.name, method.covers().as_str())?;
        for purpose in method.purposes() {
            let named =
                purpose.map_or_else(|| "without a purpose".to_owned(), |purpose| format!("of purpose {purpose}"));
            writeln!(out, "    secretRef {named}{}", may_be_absent(method.needs_purpose(purpose)))?;
        }
        for parameter in method.parameters() {
            writeln!(out, "    parameter {parameter}{}", may_be_absent(method.needs_parameter(parameter)))?;
        }
        if method.needs_url() {
            writeln!(out, "    externalURL is signed and must be written")?;
        } else if method.takes_url() {
            writeln!(out, "    externalURL is needed where a proxy changes the path, which is signed")?;
        }
    }
    if !spec.unconfirmed.is_empty() {
        writeln!(out, "\nUnconfirmed:")?;
        for fact in &spec.unconfirmed {
            writeln!(out, "  - {fact}")?;
        }
    }
    let name = provider.id;
    let samples: Vec<&str> = documented::of(name).map(|documented| documented.name).collect();
    if !samples.is_empty() {
        writeln!(out, "\nSamples (hookgate providers {name} --samples): {}", samples.join(", "))?;
    }
    writeln!(out, "\nThe definition itself: hookgate providers {name} -o yaml")?;
    Ok(())
}

/// What was read, in which version and when.
fn may_be_absent(needed: bool) -> &'static str {
    if needed { "" } else { " (may be absent)" }
}

fn origin(origin: &Origin) -> String {
    let said = [origin.version.clone(), origin.read.as_ref().map(|day| format!("read {day}"))];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if said.is_empty() { origin.url.clone() } else { format!("{} ({})", origin.url, said.join(", ")) }
}

/// What makes two deliveries one event.
fn identity(spec: &WebhookProviderSpec) -> String {
    let none = Extract::default();
    let extract = spec.extract.as_ref().unwrap_or(&none);
    let without = match extract.without_id {
        WithoutId::None => "each request is one of its own",
        WithoutId::Content => "the same content",
        WithoutId::Reject => "rejected",
    };
    let id = match extract.id_of {
        IdOf::Delivery => "the same id of the vendor's",
        IdOf::Entity => "the same entity in the same state",
    };
    if extract.id.is_empty() && extract.id_rules.is_empty() {
        without.to_owned()
    } else {
        format!("{id}; without it: {without}")
    }
}
