//! What all events of a source have in common, made once for each route.

use super::block::Block;
use super::header::{self, encode};
use crate::api::source::Format;

/// The attributes that a source gives to all its events, in both modes.
#[derive(Clone, Debug)]
pub struct Origin {
    pub(super) provider: Box<str>,
    /// `ce-source`, not encoded.
    pub(super) source: Box<str>,
    /// The uid as it stands in `Nats-Msg-Id`.
    pub(super) uid: Box<str>,
    pub(super) format: Format,
    /// The first lines of every header block.
    pub(super) lines: Block,
}

impl Origin {
    /// `source_base` is `--source-base`; `uid` the source's.
    pub fn new(source_base: &str, namespace: &str, source: &str, uid: &str, provider: &str, format: Format) -> Self {
        let source = format!("{source_base}/namespaces/{namespace}/webhooksources/{source}");
        let mut lines = Block::default();
        match format {
            Format::Binary => {
                lines.push_clean(header::SPECVERSION, "1.0");
                lines.push(header::SOURCE, &[&source]);
                lines.push(header::PROVIDER, &[provider]);
            }
            Format::Structured => lines.push_clean(header::CONTENT_TYPE, header::STRUCTURED),
        }
        Self { provider: provider.into(), source: source.into(), uid: encode(uid).into(), format, lines }
    }
}
