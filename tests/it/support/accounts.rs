//! The accounts of a nats-server that takes credentials files: an operator vouches for accounts, an account for users.
//!
//! Made anew for each server, so that no key is in the repository. The claims: nats-io/jwt, version 2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// The server's side and the users' side of the same trust.
pub struct Accounts {
    /// Lines of nats-server configuration.
    pub config: String,
    /// The text of a `.creds` file of one user of each account.
    pub credentials: Vec<String>,
}

impl Accounts {
    /// So many accounts.
    pub fn new(count: usize) -> Accounts {
        let (operator, system) = (KeyPair::new_operator(), KeyPair::new_account());
        let accounts: Vec<KeyPair> = (0..count).map(|_| KeyPair::new_account()).collect();
        let system_id = system.public_key();
        let limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1, "leaf": -1,
            "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
        });
        // A system account must not have JetStream.
        let system_limits = json!({ "subs": -1, "data": -1, "payload": -1, "conn": -1 });
        let operator_claims = json!({ "type": "operator", "version": 2, "system_account": system_id });
        let account_claims = json!({ "type": "account", "version": 2, "limits": limits });
        let vouched = accounts
            .iter()
            .map(|account| format!("{}: {}\n", account.public_key(), token(&operator, account, &account_claims)));
        let config = format!(
            "operator: {}\nsystem_account: {system_id}\nresolver: MEMORY\nresolver_preload {{\n{}{system_id}: {}\n}}",
            token(&operator, &operator, &operator_claims),
            vouched.collect::<String>(),
            token(&operator, &system, &json!({ "type": "account", "version": 2, "limits": system_limits })),
        );
        let user_claims = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        let credentials = accounts.iter().map(|account| {
            let user = KeyPair::new_user();
            format!(
                "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
                 -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
                token(account, &user, &user_claims),
                user.seed().expect("the seed of a key just made"),
            )
        });
        Accounts { config, credentials: credentials.collect() }
    }
}

/// What `issuer` says of `subject`, signed. It never expires.
fn token(issuer: &KeyPair, subject: &KeyPair, claims: &Value) -> String {
    let (issuer_id, subject_id) = (issuer.public_key(), subject.public_key());
    let body =
        json!({ "jti": subject_id, "iat": 1, "iss": issuer_id, "name": "test", "sub": subject_id, "nats": claims });
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let [header, body] = [header, body].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let text = format!("{header}.{body}");
    let signature = issuer.sign(text.as_bytes()).expect("a signature with a key just made");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
