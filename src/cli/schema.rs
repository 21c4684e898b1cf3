//! `hookgate schema`: JSON Schemas of what is published.

use std::io::Write;

use crate::provider::conversation;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The schema to print. Default: the names of all
    name: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// An unknown schema, or a closed output.
pub fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    match args.name.as_deref() {
        None => writeln!(out, "conversation")?,
        Some("conversation") => writeln!(out, "{}", conversation::SCHEMA.trim_end())?,
        Some(other) => anyhow::bail!("{other:?} is no schema: there is `conversation`"),
    }
    Ok(())
}
