//! `pack`: what a release consists of, from the binary that cargo built.

mod blob;
mod chart;
mod layer;
mod layout;
mod notice;
mod parts;
mod sbom;
mod tree;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use jiff::Timestamp;

use crate::chart::Chart;
use crate::layout::Image;
use crate::parts::Parts;
use crate::tree::Tree;

/// Packs a program into an OCI image, without a container engine: the same input makes the same image, byte for byte.
///
/// Run it in the workspace of the program.
#[derive(Debug, Parser)]
struct Args {
    /// The program.
    #[arg(long)]
    program: PathBuf,
    /// What it was built for, such as x86_64-unknown-linux-gnu.
    #[arg(long)]
    target: String,
    /// The chart that names the image.
    #[arg(long, default_value = "charts/hookgate")]
    chart: PathBuf,
    /// The folder to write to: hookgate.tar, an OCI image layout; NOTICE; hookgate.spdx.json.
    #[arg(long)]
    output: PathBuf,
    /// Writes the image's files into this folder too, as engines take them.
    #[arg(long)]
    root: Option<PathBuf>,
    /// The commit that the program was built from.
    #[arg(long, default_value = "")]
    revision: String,
    /// When that commit was made, in seconds since 1970: the time of everything in the image.
    #[arg(long, env = "SOURCE_DATE_EPOCH", default_value_t = 0)]
    epoch: i64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let chart = Chart::read(&args.chart)?;
    let created = Timestamp::from_second(args.epoch).context("--epoch")?;
    let mut tree = Tree::of(&args.program)?;
    let parts = Parts::read(&args.target)?;
    let documents = [
        ("NOTICE", notice::notice(&parts)?),
        ("hookgate.spdx.json", format!("{:#}\n", sbom::sbom(&parts, tree.program(), created))),
    ];
    fs::create_dir_all(&args.output).with_context(|| args.output.display().to_string())?;
    for (name, text) in documents {
        fs::write(args.output.join(name), &text).with_context(|| args.output.join(name).display().to_string())?;
        tree.add_document(name, text);
    }
    if let Some(root) = &args.root {
        tree.write(root)?;
    }
    let image = Image { chart: &chart, architecture: tree.architecture.clone(), revision: &args.revision, created };
    let file = args.output.join("hookgate.tar");
    let digest = layout::write(&file, &image, &tree)?;
    println!("{}@{digest} {}", chart.reference(), file.display());
    Ok(())
}
