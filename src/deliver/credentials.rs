//! The seed that signs the server's nonce: in a credentials file as `nsc` writes it, beside a user JWT, or alone, of an nkey user.
//!
//! The file is read for each connection, so a rotated one takes effect without a restart. The seed is wiped after use.

use std::path::PathBuf;

use async_nats::Auth;
use zeroize::Zeroizing;

/// Where the credentials are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    file: PathBuf,
    /// The file holds a seed alone.
    bare: bool,
}

impl Credentials {
    pub(super) fn of_nsc(file: PathBuf) -> Self {
        Self { file, bare: false }
    }

    pub(super) fn nkey(file: PathBuf) -> Self {
        Self { file, bare: true }
    }

    /// Signs a nonce. The error says what is wrong with the file, and nothing of what is in it.
    pub(super) async fn sign(&self, nonce: &[u8]) -> Result<Auth, String> {
        let file = self.file.display();
        let text = tokio::fs::read_to_string(&self.file).await;
        let text = Zeroizing::new(text.map_err(|error| format!("cannot read the credentials file {file}: {error}"))?);
        let (jwt, seed) = match self.bare {
            true => (None, text.trim()),
            false => {
                let (jwt, seed) = parse(&text).ok_or_else(|| {
                    format!("{file} is no credentials file: it holds a USER JWT block and a USER NKEY SEED block, as nsc writes them")
                })?;
                (Some(jwt), seed)
            }
        };
        let key = nkeys::KeyPair::from_seed(seed).map_err(|_| match self.bare {
            true => format!("{file} holds no seed of an nkey user: it is one line that begins with SU"),
            false => format!("the seed in {file} is not valid"),
        })?;
        let mut auth = Auth::new();
        auth.nkey = self.bare.then(|| key.public_key());
        auth.jwt = jwt.map(str::to_owned);
        auth.signature = Some(key.sign(nonce).map_err(|_| format!("the seed in {file} cannot sign"))?);
        Ok(auth)
    }
}

/// The JWT and the seed: the lines behind the first two `-----BEGIN …-----` lines.
fn parse(text: &str) -> Option<(&str, &str)> {
    let mut blocks = text.lines().map(str::trim).scan(false, |open, line| {
        let inside = *open && !line.is_empty();
        *open = line.starts_with("---") && line.contains("BEGIN") || *open && line.is_empty();
        Some(inside.then_some(line))
    });
    let mut next = || blocks.by_ref().flatten().find(|line| !line.starts_with("---"));
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_of_a_credentials_file_are_found() {
        let file = "-----BEGIN NATS USER JWT-----\r\neyJ0.x-_.y\r\n------END NATS USER JWT------\r\n\r\n\
            ****** IMPORTANT ******\nNKEY Seed printed below can be used to sign.\n\n-----BEGIN USER NKEY SEED-----\n\nSUAXYZ\n\
            ------END USER NKEY SEED------\n";
        assert_eq!(parse(file), Some(("eyJ0.x-_.y", "SUAXYZ")));
        assert_eq!(parse("-----BEGIN NATS USER JWT-----\neyJ0\n------END NATS USER JWT------\n"), None);
        assert_eq!(parse(""), None);
    }

    #[tokio::test]
    async fn an_error_says_what_is_wrong_and_nothing_of_the_content() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Credentials::of_nsc(folder.path().join("missing")).sign(&[1]).await.err().unwrap();
        assert!(missing.contains("cannot read"), "{missing}");
        let file = folder.path().join("user.creds");
        std::fs::write(
            &file,
            "-----BEGIN A-----\njwt\n-----END A-----\n-----BEGIN B-----\nSUSECRET\n-----END B-----\n",
        )
        .unwrap();
        let wrong = Credentials::of_nsc(file).sign(&[1]).await.err().unwrap();
        assert!(wrong.contains("seed") && !wrong.contains("SUSECRET"), "{wrong}");
    }
}
