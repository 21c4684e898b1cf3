//! What the receiver serves: immutable routes and the table that finds them.
//!
//! Knows neither Kubernetes clients nor axum nor NATS.

pub mod coverage;
pub mod subject;
