//! `hookgate providers new NAME`: a commented starting point for a vendor's definition, which `check` accepts as it is.

use std::io::Write;

use crate::api::Kind;
use crate::api::validate::validate;
use crate::provider::catalogue::built_in;

/// The manifest, with `NAME` where the name stands.
const TEMPLATE: &str = include_str!("providers_new.yaml");

/// Arguments of `providers new`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The vendor's name in kebab-case, such as acme or acme-calls
    name: String,
}

/// Runs the command.
///
/// # Errors
/// A name that no provider may have, one that is built in, or a closed output.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    let name = args.name.as_str();
    if built_in(name).is_some() {
        anyhow::bail!("{name:?} is built in: `hookgate providers {name} -o yaml` prints its definition");
    }
    let text = TEMPLATE.replace("NAME", name);
    let manifest: serde_json::Value = serde_saphyr::from_str(&text)
        .map_err(|_| anyhow::anyhow!("{name:?} is no name of a provider: write kebab-case such as acme-calls"))?;
    if let Some(problem) = validate(Kind::Provider, &manifest).first() {
        anyhow::bail!("{name:?} is no name of a provider: {problem}");
    }
    write!(out, "{text}")?;
    Ok(())
}
