//! Readers of bodies: one format each, and every definition.

use super::vendors::{CLOUD_EVENTS, FORMATS, GZIP, MULTIPART, VENDORS, parts, read};

/// Bodies in the formats without a container.
pub fn bodies(data: &[u8]) {
    FORMATS.iter().for_each(|vendor| read(vendor, &[b"x"], data));
}

/// Multipart bodies.
pub fn multipart(data: &[u8]) {
    MULTIPART.iter().for_each(|vendor| read(vendor, &[b"x"], data));
}

/// Compressed bodies: as they are, and as the content of a right member.
pub fn compressed(data: &[u8]) {
    GZIP.iter().for_each(|vendor| read(vendor, &[b"x"], data));
}

/// CloudEvents, structured and batched, and binary with the headers in front.
pub fn cloud_events(data: &[u8]) {
    let (values, body) = parts(data);
    CLOUD_EVENTS.iter().for_each(|vendor| {
        read(vendor, &values, data);
        read(vendor, &values, body);
    });
}

/// Every definition reads the same bytes.
pub fn extraction(data: &[u8]) {
    let (values, body) = parts(data);
    VENDORS.iter().for_each(|vendor| read(vendor, &values, body));
}
