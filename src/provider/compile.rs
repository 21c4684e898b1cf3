//! A definition becomes a [`Provider`]: everything that can be wrong with it is found here, with its path.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method as HttpMethod};
use jiff::Timestamp;

use super::answer::Answer;
use super::decode::Carrier;
use super::definition_error::DefinitionError;
use super::extraction::Extraction;
use super::handshake::{Handshake, Shake};
use super::request::RequestView;
use super::verify::sealed::Sealed;
use super::verify::{Common, Method, Verifier};
use crate::api;
use crate::api::duration::DurationString;
use crate::api::provider::{AllOf, BodyFormat, DeliveryMethod, Disables, Retries, WebhookProviderSpec};
use crate::api::scheme::Scheme;
use crate::api::source::WebhookSourceSpec;

/// The largest body that a provider takes unless it or the source says otherwise, in bytes.
pub(crate) const MAX_BODY: u64 = 8 << 20;
/// How long a vendor waits for an answer unless its definition says otherwise.
const VENDOR_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that an answer may take by default.
const MAX_DEADLINE: Duration = Duration::from_secs(5);

/// What a source of `generic` may send.
const GENERIC_FORMATS: [BodyFormat; 5] =
    [BodyFormat::JSON, BodyFormat::Form, BodyFormat::JSONLines, BodyFormat::CloudEvents, BodyFormat::Text];

/// A vendor, compiled: shared by all of its routes.
#[derive(Debug)]
pub struct Provider {
    /// Its id.
    pub name: Arc<str>,
    /// Its name as people write it.
    pub display_name: String,
    /// The ways to prove a request, the default first.
    pub methods: Vec<Arc<Method>>,
    /// The HTTP methods of a delivery.
    pub deliveries: Vec<HttpMethod>,
    /// Special requests.
    pub handshakes: Vec<Handshake>,
    /// How a verified body becomes events.
    pub extraction: Extraction,
    /// What the vendor wants to hear.
    pub answer: Arc<Answer>,
    /// The largest body, in bytes.
    pub max_body: u64,
    /// The default deadline of an answer.
    pub deadline: Duration,
    /// What the vendor sends again.
    pub retries: Retries,
    /// When the vendor stops sending, where that is known.
    pub disables: Option<Disables>,
    /// The content coding that the vendor's proof covers, where there is one.
    pub compressed: bool,
}

impl Provider {
    /// Compiles a definition.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(name: &str, spec: &WebhookProviderSpec) -> Result<Self, Vec<DefinitionError>> {
        let mut errors = Vec::new();
        let mut methods = Vec::new();
        let decrypt = spec.decode.as_ref().and_then(|decode| decode.decrypt.as_ref());
        let sealed = decrypt.and_then(|decrypt| match Sealed::compile(decrypt) {
            Ok(sealed) => Some(Arc::new(sealed)),
            Err(reason) => {
                errors.push(DefinitionError { path: "spec.decode.decrypt.pointer".to_owned(), reason });
                None
            }
        });
        let known = |name: &&String| !spec.methods.iter().any(|method| method.name == **name);
        if let Some(unknown) = decrypt.and_then(|decrypt| decrypt.methods.iter().find(known)) {
            let reason = format!("{unknown:?} is none of the methods");
            errors.push(DefinitionError { path: "spec.decode.decrypt.methods".to_owned(), reason });
        }
        let sealed_of = |name: &str| {
            let all =
                decrypt.is_some_and(|decrypt| decrypt.methods.is_empty() || decrypt.methods.iter().any(|m| m == name));
            sealed.clone().filter(|_| all)
        };
        // What is wrong with how bodies carry documents is told with how they are read.
        let mut common =
            Common { carrier: Carrier::compile(spec.decode.as_ref()).unwrap_or_default(), ..Common::default() };
        let mut handshakes = Vec::new();
        for (position, written) in spec.handshakes.iter().enumerate() {
            match Handshake::compile(written, &format!("spec.handshakes[{position}]"), &mut common) {
                Ok(handshake) => handshakes.push(handshake),
                Err(found) => errors.push(found),
            }
        }
        for (position, handshake) in handshakes.iter().enumerate().filter(|_| decrypt.is_none()) {
            if handshake.decrypts() {
                let path = format!("spec.handshakes[{position}].respond");
                let reason = "holds {decrypted:...}, and decode.decrypt does not say how".to_owned();
                errors.push(DefinitionError { path, reason });
            }
        }
        let common = Arc::new(common);
        for (position, written) in spec.methods.iter().enumerate() {
            match Method::compile(written, &format!("spec.methods[{position}]")) {
                Ok(method) => {
                    methods.push(Arc::new(method.within(common.clone()).sealed(sealed_of(&written.name))));
                }
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() {
            errors.extend(oracles(&handshakes, &methods, &common.carrier));
        }
        let extraction = Extraction::compile(spec).map_err(|found| errors.extend(found)).ok();
        let answer = Answer::of_events(&spec.respond.clone().unwrap_or_default(), &common.carrier);
        let answer =
            answer.map_err(|reason| errors.push(DefinitionError { path: "spec.respond".to_owned(), reason })).ok();
        let (Some(extraction), Some(answer), true) = (extraction, answer, errors.is_empty()) else {
            return Err(errors);
        };
        let timeout = spec.deadline.as_ref().and_then(DurationString::get).unwrap_or(VENDOR_TIMEOUT);
        Ok(Self {
            name: name.into(),
            display_name: spec.display_name.clone(),
            methods,
            deliveries: deliveries(&spec.http_methods),
            handshakes,
            extraction,
            answer: Arc::new(answer),
            max_body: spec.limits.as_ref().and_then(|l| l.max_body_size.as_ref()?.bytes()).unwrap_or(MAX_BODY),
            deadline: (timeout * 4 / 5).min(MAX_DEADLINE),
            retries: spec.retries,
            disables: spec.disables.clone(),
            compressed: spec.decode.as_ref().is_some_and(|decode| decode.compressed.is_some()),
        })
    }

    /// The definition that a source of `generic` writes inline.
    pub fn generic_spec(source: &WebhookSourceSpec) -> WebhookProviderSpec {
        let written = source.verification.clone().unwrap_or_default();
        let scheme = Scheme {
            hmac: written.hmac,
            token: written.token,
            jwt: written.jwt,
            public_key: written.public_key,
            basic: written.basic.or((written.method.as_deref() == Some("basic")).then(Default::default)),
            none: written.none.or((written.method.as_deref() == Some("none")).then(Default::default)),
            ..Scheme::default()
        };
        let redact = scheme.token.iter().filter_map(|token| token.pointer.clone()).collect();
        let name = written.method.unwrap_or_default();
        WebhookProviderSpec {
            display_name: api::GENERIC.to_owned(),
            methods: vec![api::provider::Method { name, any_of: vec![AllOf { all_of: vec![scheme] }] }],
            split: source.extract.as_ref().and_then(|extract| extract.split.clone()).into_iter().collect(),
            extract: source.extract.clone().map(Into::into),
            decode: Some(api::provider::Decode { formats: GENERIC_FORMATS.to_vec(), ..Default::default() }),
            redact,
            ..WebhookProviderSpec::default()
        }
    }

    /// The provider that a source of `generic` writes inline.
    ///
    /// # Errors
    /// Everything that is wrong with it, with paths in the source.
    pub fn generic(source: &WebhookSourceSpec) -> Result<Self, Vec<DefinitionError>> {
        Self::compile(api::GENERIC, &Self::generic_spec(source)).map_err(|errors| {
            let place = |error: DefinitionError| DefinitionError {
                // A source writes one type, one time and one subject where a provider writes lists.
                path: ["type", "time", "subject"].iter().fold(
                    error
                        .path
                        .replace("spec.methods[0].anyOf[0].allOf[0]", "spec.verification")
                        .replace("spec.split[0]", "spec.extract.split"),
                    |path, one| path.replace(&format!("spec.extract.{one}[0]"), &format!("spec.extract.{one}")),
                ),
                reason: error.reason,
            };
            errors.into_iter().map(place).collect()
        })
    }

    /// The handshake that a request is: the first that matches, signed or not.
    pub fn handshake(&self, request: &RequestView<'_>) -> Option<&Handshake> {
        self.handshakes.iter().find(|handshake| !handshake.encrypted && handshake.is(request))
    }

    /// The handshake inside a body that arrived encrypted and was opened after its proof.
    pub fn handshake_inside(&self, request: &RequestView<'_>) -> Option<&Handshake> {
        self.handshakes.iter().find(|handshake| handshake.is(request))
    }

    /// The answer to a handshake that arrives encrypted and that its vendor does not sign: only to whoever wrote a secret
    /// of ours into it. `None` for everything else, whatever the cause.
    pub fn sealed_handshake(&self, verifier: &Verifier, request: &RequestView<'_>, now: Timestamp) -> Option<Shake> {
        let unsigned = |handshake: &&Handshake| handshake.encrypted && handshake.unsigned;
        self.handshakes.iter().find(unsigned)?;
        let body = verifier.opened(request, now)?;
        let inside = RequestView { head: request.head, body: &body };
        let shake = self.handshakes.iter().filter(unsigned).find(|handshake| handshake.is(&inside))?;
        match shake.answer(&inside, verifier, now) {
            Shake::Refused(_) => None,
            answered => Some(answered),
        }
    }

    /// Whether a request of this method may be answered before any proof.
    pub fn hears_strangers(&self, method: &HttpMethod) -> bool {
        self.handshakes.iter().any(|handshake| handshake.unsigned && handshake.method == *method)
    }

    /// The method of that name; without one the first that proves something.
    pub fn method(&self, name: Option<&str>) -> Option<&Arc<Method>> {
        match name {
            Some(name) => self.methods.iter().find(|method| &*method.name == name),
            None => self.methods.iter().find(|method| !method.proves_nothing()),
        }
    }

    /// Whether a request of this method and media type can be read. A handshake may be of any.
    pub fn accepts(&self, method: &HttpMethod, headers: &HeaderMap) -> bool {
        self.handshakes.iter().any(|handshake| handshake.method == *method)
            || *method == HttpMethod::GET
            || self.extraction.accepts(headers)
    }

    /// The HTTP methods that its routes answer.
    pub fn http_methods(&self) -> Vec<HttpMethod> {
        let mut methods = self.deliveries.clone();
        for handshake in &self.handshakes {
            if !methods.contains(&handshake.method) {
                methods.push(handshake.method.clone());
            }
        }
        methods
    }
}

/// Handshakes that would sign a delivery for whoever asks: what they sign is nowhere bounded, and a method signs with the same
/// key what such a text could be.
fn oracles(handshakes: &[Handshake], methods: &[Arc<Method>], carrier: &Carrier) -> Vec<DefinitionError> {
    let mut found = Vec::new();
    for (position, handshake) in handshakes.iter().enumerate() {
        let signs = |algorithm| handshake.signs_anything(algorithm);
        if let Some(method) = methods.iter().find(|method| method.signs_any(&signs, carrier)) {
            found.push(DefinitionError {
                path: format!("spec.handshakes[{position}].challenge"),
                reason: format!(
                    "is missing: method {:?} signs what a challenge could be, so write the pattern of the vendor's challenges",
                    method.name
                ),
            });
        }
    }
    found
}

fn deliveries(written: &[DeliveryMethod]) -> Vec<HttpMethod> {
    let method = |written: &DeliveryMethod| match written {
        DeliveryMethod::GET => HttpMethod::GET,
        DeliveryMethod::POST => HttpMethod::POST,
        DeliveryMethod::PUT => HttpMethod::PUT,
        DeliveryMethod::PATCH => HttpMethod::PATCH,
    };
    if written.is_empty() { vec![HttpMethod::POST] } else { written.iter().map(method).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_four_fifths_of_the_vendors_time_and_at_most_five_seconds() {
        let of = |deadline: &str| {
            let methods = "methods: [{name: token, anyOf: [{allOf: [{token: {header: X-T}}]}]}]";
            let spec = serde_saphyr::from_str(&format!("{{displayName: Acme, {methods}{deadline}}}")).unwrap();
            Provider::compile("acme", &spec).unwrap().deadline
        };
        assert_eq!(of(", deadline: 2s"), Duration::from_millis(1600));
        assert_eq!(of(", deadline: 30s"), Duration::from_secs(5));
        assert_eq!(of(""), MAX_DEADLINE.min(VENDOR_TIMEOUT * 4 / 5), "a vendor that says nothing");
    }
}
