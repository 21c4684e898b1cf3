//! Readers of texts: captured requests, traces, times, manifests.

use hookgate::api::scheme::TimeUnit;
use hookgate::cli::CapturedRequest;
use hookgate::manifest;
use hookgate::provider::time;
use hookgate::receive::trace::Trace;
use http::{HeaderMap, HeaderValue};

use super::vendors::{now, parts};

/// Captured requests of `hookgate verify`.
pub fn captures(data: &[u8]) {
    let _ = CapturedRequest::parse(data);
}

/// `traceparent` and `tracestate`.
pub fn traces(data: &[u8]) {
    let (values, _) = parts(data);
    let mut headers = HeaderMap::new();
    for (name, value) in ["traceparent", "tracestate", "tracestate"].into_iter().zip(values.iter().cycle()) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let _ = (Trace::read(&headers, true), Trace::read(&headers, false));
}

/// Times in every unit: what is read is written so that it is read again.
pub fn times(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for unit in [
        TimeUnit::Seconds,
        TimeUnit::Milliseconds,
        TimeUnit::Microseconds,
        TimeUnit::Nanoseconds,
        TimeUnit::RFC3339,
        TimeUnit::ISO8601,
        TimeUnit::DateTime,
        TimeUnit::HTTPDate,
    ] {
        if let Some(at) = time::read(text, unit) {
            let _ = time::write(at, unit);
            let _ = time::within(at, now(), std::time::Duration::from_secs(300));
        }
    }
}

/// Manifests in files.
pub fn manifests(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = manifest::read_documents("fuzzed.yaml", text);
    }
}
