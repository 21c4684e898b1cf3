//! Which namespaces publish to NATS with a login of their own (`--nats-account`): the first whose globs match; where none
//! does, the default login. Knows no connection and no stream.

use std::path::PathBuf;
use std::str::FromStr;

use crate::glob::Globs;

/// As many logins as there may be beside the default one: each has a connection, streams, a guard and a part of the spool.
const MOST: usize = 64;

/// The number of the default login.
pub(crate) const DEFAULT: usize = 0;

/// One login beside the default one, and whose it is.
#[derive(Clone, Debug)]
pub struct Account {
    /// What its files on the spool's disk are found under: letters, digits, `.`, `_` and `-`.
    pub name: String,
    namespaces: Globs,
    /// Its credentials file, as `nsc` writes it; read again for each connection.
    pub creds: PathBuf,
}

/// All logins beside the default one, in order.
#[derive(Clone, Debug, Default)]
pub struct Accounts(Vec<Account>);

/// Why logins cannot be used together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// There are too many.
    #[error("--nats-account is given {0} times: at most {MOST} are taken")]
    TooMany(usize),
    /// Two have one name.
    #[error("--nats-account names {0} twice: write its namespaces in one, separated by commas")]
    Twice(String),
}

impl FromStr for Account {
    type Err = String;

    /// `sales,shop-*=/etc/nats/sales.creds`
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("{text:?}: write namespaces and a credentials file, such as sales,shop-*=/etc/nats/sales.creds");
        let (namespaces, file) = text.split_once('=').ok_or_else(wrong)?;
        let namespaces: Vec<&str> = namespaces.split(',').map(str::trim).collect();
        let is_glob = |glob: &&str| {
            !glob.is_empty()
                && glob.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-*".contains(char))
        };
        if !namespaces.iter().all(is_glob) || file.is_empty() {
            return Err(wrong());
        }
        let plain = |char: char| if char.is_ascii_alphanumeric() || "._-".contains(char) { char } else { '-' };
        let name = file.chars().map(plain).collect::<String>().trim_matches(['-', '.']).to_owned();
        if name.is_empty() {
            return Err(wrong());
        }
        Ok(Self { name, namespaces: Globs::new(&namespaces), creds: file.into() })
    }
}

impl Accounts {
    /// These, of which the first that matches counts.
    ///
    /// # Errors
    /// There are more than 64, or two of one credentials file.
    pub fn new(accounts: Vec<Account>) -> Result<Self, AccountError> {
        if accounts.len() > MOST {
            return Err(AccountError::TooMany(accounts.len()));
        }
        for (at, account) in accounts.iter().enumerate() {
            if accounts[..at].iter().any(|before| before.name == account.name) {
                return Err(AccountError::Twice(account.creds.display().to_string()));
            }
        }
        Ok(Self(accounts))
    }

    /// The number of a namespace's login, from 1; 0: the default one.
    pub fn of(&self, namespace: &str) -> usize {
        self.0.iter().position(|account| account.namespaces.matches(namespace)).map_or(DEFAULT, |at| at + 1)
    }

    /// The logins beside the default one.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(all: &[&str]) -> Result<Accounts, AccountError> {
        Accounts::new(all.iter().map(|one| one.parse().unwrap()).collect())
    }

    #[test]
    fn the_first_that_matches_counts_and_where_none_does_the_default() {
        let accounts = accounts(&["sales,shop-*=/etc/a/user.creds", "s*=/etc/b/user.creds"]).unwrap();
        let numbers = ["sales", "shop-eu", "shop", "support", "billing"].map(|namespace| accounts.of(namespace));
        assert_eq!(numbers, [1, 1, 2, 2, DEFAULT]);
        let names: Vec<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
        assert_eq!(names, ["etc-a-user.creds", "etc-b-user.creds"]);
    }

    #[test]
    fn what_is_no_account_says_what_to_write() {
        for wrong in ["", "sales", "=file", "sales=", "Sales=file", "a b=file", "sales,=file", "sales=/"] {
            let said = wrong.parse::<Account>().unwrap_err();
            assert!(said.contains("such as sales,shop-*="), "{wrong}: {said}");
        }
        assert_eq!(accounts(&["a=f", "b=f"]).unwrap_err(), AccountError::Twice("f".to_owned()));
        let many: Vec<String> = (0..65).map(|n| format!("a=f{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(accounts(&many).unwrap_err(), AccountError::TooMany(65));
        assert!(accounts(&many[1..]).is_ok());
    }
}
