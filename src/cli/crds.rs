//! `hookgate crds`: the custom resource definitions, printed for `kubectl apply -f -` or written as the files of `crds/`.

use std::io::Write;
use std::path::PathBuf;

use crate::api::crd;

/// Arguments of `crds`.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Args {
    /// Write a file for each definition into this folder instead of printing them
    #[arg(long, value_name = "FOLDER")]
    pub(super) write: Option<PathBuf>,
}

/// Why the definitions could not be given.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The output was closed.
    #[error("cannot print the definitions")]
    Output(#[from] std::io::Error),
    /// A file could not be written.
    #[error("cannot write {}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// A definition is no YAML, which the tests rule out.
    #[error("cannot write a definition as YAML")]
    Yaml(#[from] serde_saphyr::ser_error::Error),
}

/// Runs the command. Printed, the definitions are one stream of YAML documents.
///
/// # Errors
/// A closed output, or a folder that cannot be written.
pub(super) fn run(args: &Args, out: &mut impl Write) -> Result<(), Error> {
    for (name, crd) in crd::all() {
        let text = crd::yaml(&crd)?;
        match &args.write {
            None => write!(out, "---\n{text}")?,
            Some(folder) => {
                let file = folder.join(name);
                std::fs::write(&file, text).map_err(|reason| Error::File { file, reason })?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_definitions_are_one_stream_of_both() {
        let mut out = Vec::new();
        run(&Args::default(), &mut out).unwrap();
        let documents: Vec<serde_json::Value> =
            serde_saphyr::from_multiple(std::str::from_utf8(&out).unwrap()).unwrap();
        assert_eq!(documents, crd::all().into_iter().map(|(_, crd)| crd).collect::<Vec<_>>());
    }

    #[test]
    fn written_definitions_are_the_files_of_crds() {
        let folder = tempfile::tempdir().unwrap();
        let args = Args { write: Some(folder.path().to_owned()) };
        run(&args, &mut Vec::new()).unwrap();
        for (name, crd) in crd::all() {
            assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), crd::yaml(&crd).unwrap());
        }
        let nowhere = Args { write: Some(folder.path().join("nowhere")) };
        let told = run(&nowhere, &mut Vec::new()).unwrap_err().to_string();
        assert!(told.contains("nowhere/webhooksources.yaml"), "{told}");
    }
}
