//! The public port: what arrives, in the order of the contract: framing, route, admission, body, proof, events, answer.
//!
//! Names neither Kubernetes nor its clients. Nothing is kept of a request whose proof does not hold.

mod activity;
#[allow(dead_code, reason = "`handle` follows")]
mod body;
#[allow(dead_code, reason = "`handle` follows")]
pub mod client;
pub mod connection;
#[allow(dead_code, reason = "`handle` follows")]
mod failures;
#[allow(dead_code, reason = "`handle` follows")]
mod framing;
pub mod listen;
pub mod reject;
#[allow(dead_code, reason = "`handle` follows")]
mod respond;
#[allow(dead_code, reason = "`handle` follows")]
pub mod routes;
mod scan;
pub mod tls;
mod wire;
