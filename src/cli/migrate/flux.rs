//! Receivers of Flux: each is one source, on the path that it has.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::draft::{Draft, Places};
use super::remark::{Remark, Remarks};
use super::table::Table;
use crate::glob;

/// Secrets of the files that Receivers may refer to, by namespace and name.
pub(super) type Secrets = BTreeMap<(String, String), BTreeMap<String, String>>;

/// The source of one Receiver; of a type that nobody knows it goes to `left`.
pub(super) fn source(
    object: &Value,
    table: &Table,
    secrets: &Secrets,
    places: &mut Places<'_>,
    left: &mut Remarks,
) -> Option<Draft> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (name, namespace) = (text("/metadata/name").unwrap_or("receiver"), text("/metadata/namespace"));
    let sort = text("/spec/type").unwrap_or_default();
    let Some(kind) = table.kinds.get(sort) else {
        left.say(&format!("Receiver {name}"), Remark::Lost(format!("type {sort:?} is not known here")));
        return None;
    };
    let mut draft = Draft::new(format!("Receiver {name}: {sort}"), places.name(namespace, name), namespace, kind);
    let secret = text("/spec/secretRef/name");
    let known = secret.and_then(|secret| secrets.get(&(namespace.unwrap_or_default().to_owned(), secret.to_owned())));
    path(&mut draft, object, known.and_then(|known| known.get("token")), places);
    if let Some(proof) = &kind.secret {
        draft.proof(proof, secret.map(|secret| (secret, "token")));
    }
    for (parameter, key) in &kind.keys {
        keyed(&mut draft, parameter, key, secret.unwrap_or_default(), known);
    }
    for (member, value) in object["spec"].as_object().into_iter().flatten() {
        match member.as_str() {
            "type" | "secretRef" => {}
            "suspend" if value == true => drop(draft.spec.insert(member.clone(), json!(true))),
            "suspend" => {}
            "events" => {
                for other in &kind.instead {
                    let named = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                    if named.into_iter().any(|name| other.events.iter().any(|event| glob::matches(event, name))) {
                        draft.spec.extend(other.spec.clone());
                    }
                }
                match &kind.events {
                    Some(events) => draft.events(events, value),
                    None if value.as_array().is_some_and(Vec::is_empty) => {}
                    None => draft.remarks.say(member, Remark::Changes("the type never looked at them".to_owned())),
                }
            }
            "resources" => value.as_array().into_iter().flatten().for_each(|one| resource(&mut draft, one)),
            "resourceFilter" => {
                let filter = value.as_str().unwrap_or_default();
                draft.remarks.say(member, Remark::Lost(format!("the consumer has to judge it ({filter})")));
            }
            "oidcProviders" => providers(&mut draft, value),
            _ => {
                let unknown = || Remark::Lost("not known here".to_owned());
                draft.remarks.say(member, table.fields.get(member).cloned().unwrap_or_else(unknown));
            }
        }
    }
    Some(draft)
}

/// The path that senders know: of the status, or made as Flux makes it, of what its Secret holds.
fn path(draft: &mut Draft, object: &Value, token: Option<&String>, places: &mut Places<'_>) {
    let said = object.pointer("/status/webhookPath").and_then(Value::as_str).map(str::to_owned);
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let salted = object.pointer("/spec/secretRef").is_some();
    let token = if salted { token.map(String::as_str) } else { Some("") };
    let made = token.map(|token| {
        let salt = format!("{token}{}{}", text("/metadata/name"), text("/metadata/namespace"));
        format!("/hook/{}", hex::encode(Sha256::digest(salt)))
    });
    match said.or(made) {
        Some(path) => draft.path("status.webhookPath", &path, places),
        None => {
            let how = "senders use the path of this source; to keep theirs, give this command the output of `kubectl get receivers -o yaml`, which has it";
            draft.remarks.say("status.webhookPath", Remark::Changes(how.to_owned()));
            if draft.unproven() {
                draft.hold(
                    "the path is all that protects it: write one that nobody can guess, then remove suspend".to_owned(),
                );
            }
        }
    }
}

/// A parameter that stands in a Secret.
fn keyed(draft: &mut Draft, parameter: &str, key: &str, secret: &str, known: Option<&BTreeMap<String, String>>) {
    let value = known.and_then(|known| known.get(key));
    if value.is_none() {
        let why =
            format!("write what Secret {secret} has under {key} into parameters.{parameter}, then remove suspend");
        draft.hold(why);
    }
    let value = value.map_or("UNKNOWN", String::as_str).trim_end_matches('\n');
    let known = draft.spec.get("verification").and_then(|verification| verification.get("parameters"));
    let mut parameters = known.cloned().unwrap_or_else(|| json!({}));
    parameters[parameter] = json!(value);
    draft.verify("parameters", parameters);
}

/// What was reconciled.
fn resource(draft: &mut Draft, resource: &Value) {
    let text = |member: &str| resource[member].as_str().unwrap_or_default();
    let namespace = resource["namespace"].as_str().or(draft.namespace.as_deref()).unwrap_or_default();
    let which = match text("name") {
        "*" => {
            let labels = resource["matchLabels"].as_object().into_iter().flatten();
            let labels: Vec<String> =
                labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
            format!("-l {}", labels.join(","))
        }
        name => name.to_owned(),
    };
    let within = if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") };
    let how = format!(
        "a consumer asks for it: kubectl annotate --overwrite{within} {} {which} reconcile.fluxcd.io/requestedAt=\"$(date +%s)\"",
        text("kind").to_lowercase(),
    );
    draft.remarks.say("resources", Remark::Lost(how));
    if let Some(filter) = resource["filter"].as_str() {
        draft.remarks.say("resources.filter", Remark::Lost(format!("the consumer has to judge it ({filter})")));
    }
}

/// Issuers of tokens. A source has one; what it says of claims is carried over where it says that one has a value.
fn providers(draft: &mut Draft, list: &Value) {
    const AUDIENCE: &str = "notification-controller";
    let list: Vec<&Value> = list.as_array().into_iter().flatten().collect();
    let Some(provider) = list.first() else { return };
    let issuer = provider["issuerURL"].as_str().unwrap_or_default();
    for other in &list[1..] {
        let issuer = other["issuerURL"].as_str().unwrap_or_default();
        let how = format!("a source has one issuer: a WebhookProvider takes several ({issuer})");
        draft.remarks.say("oidcProviders", Remark::Lost(how));
    }
    let mut claims = Vec::new();
    for validation in provider["validations"].as_array().into_iter().flatten() {
        let expression = validation["expression"].as_str().unwrap_or_default();
        match equalities(expression) {
            Some(found) => claims.extend(found),
            None => {
                draft.remarks.say(
                    "oidcProviders.validations",
                    Remark::Lost(format!("it is no claim with one value ({expression})")),
                );
                draft.hold(
                    "say in jwt.claims who may send, for the issuer signs for others, too; then remove suspend"
                        .to_owned(),
                );
            }
        }
    }
    let audience = provider["audience"].as_str().unwrap_or(AUDIENCE);
    let mut jwt = json!({"algorithms": ["RS256", "ES256"], "issuer": issuer, "audiences": [audience]});
    if !claims.is_empty() {
        jwt["claims"] = json!(claims);
    }
    draft.verify("jwt", jwt);
    let name = draft.name.clone();
    draft.secret(&name, "jwks", &format!("the document at the jwks_uri of {issuer}/.well-known/openid-configuration; renew it when the issuer changes its keys, or write a WebhookProvider that fetches them"));
}

/// `claims.a == 'x' && claims.b == "y"` as claims with their values; nothing where it says anything else.
fn equalities(expression: &str) -> Option<Vec<Value>> {
    let one = Regex::new(r#"^claims\.([A-Za-z_][A-Za-z0-9_]*)\s*==\s*(?:'([^'\\{}]*)'|"([^"\\{}]*)")$"#).ok()?;
    let mut claims = Vec::new();
    for part in expression.split("&&") {
        let found = one.captures(part.trim())?;
        let value = found.get(2).or_else(|| found.get(3))?.as_str();
        claims.push(json!({"name": &found[1], "equals": value}));
    }
    Some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_claims_with_one_value_are_taken() {
        let taken = equalities("claims.repository_owner == 'my-org' && claims.ref == \"refs/heads/main\"").unwrap();
        assert_eq!(
            taken,
            [
                json!({"name": "repository_owner", "equals": "my-org"}),
                json!({"name": "ref", "equals": "refs/heads/main"})
            ]
        );
        for other in [
            "claims.a != 'x'",
            "claims.a == 'x' || true",
            "claims.a in ['x']",
            "vars.a == 'x'",
            "claims.a == '{x}'",
            "",
        ] {
            assert_eq!(equalities(other), None, "{other}");
        }
    }
}
