//! A vendor's definition, compiled once and shared by its routes: how a request is proven, read and answered.
//!
//! Knows neither Kubernetes clients nor axum nor NATS. Only `verify` makes a `Proof`; extraction takes nothing else.

pub(crate) mod answer;
pub mod catalogue;
pub(crate) mod compile;
mod compiler;
pub(crate) mod condition;
pub(crate) mod conversation;
mod decode;
pub(crate) mod definition_error;
pub mod documented;
pub mod event;
pub(crate) mod extraction;
pub mod handshake;
mod harmless;
mod lenient_base64;
mod mapping;
pub(crate) mod place;
mod redact;
pub mod rehearsal;
pub mod request;
pub mod sample;
pub mod time;
pub(crate) mod unplaced;
pub mod verify;

pub use compile::Provider;
pub use decode::{Coding, coding};
pub use verify::{Proof, Verified};

use std::collections::BTreeSet;

/// What a proof covers; the weakest of a method's alternatives is what status shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Covers {
    /// Nothing of what was sent: a shared secret proves who, not what.
    None,
    /// Some fields of the body.
    Fields,
    /// The URL.
    URL,
    /// The whole body.
    Body,
}

impl Covers {
    /// As status spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Fields => "Fields",
            Self::URL => "URL",
            Self::Body => "Body",
        }
    }

    /// As `ce-covers` spells it.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Fields => "fields",
            Self::URL => "url",
            Self::Body => "body",
        }
    }
}

/// Exactly which parts of a request a proof covers; derived from its schemes, never written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The whole body.
    pub body: bool,
    /// The URL, its query included.
    pub url: bool,
    /// The URL without its query.
    pub path: bool,
    /// Query parameters.
    pub query: BTreeSet<String>,
    /// Headers, in lower case.
    pub headers: BTreeSet<String>,
    /// JSON pointers into the body.
    pub pointers: BTreeSet<String>,
    /// Form fields.
    pub form: BTreeSet<String>,
}

impl Coverage {
    /// The one word for it.
    pub fn covers(&self) -> Covers {
        if self.body {
            Covers::Body
        } else if !self.pointers.is_empty() || !self.form.is_empty() {
            Covers::Fields
        } else if self.url || self.path {
            Covers::URL
        } else {
            Covers::None
        }
    }
}
