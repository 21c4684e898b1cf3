//! The public port: what arrives, in the order of the contract: framing, route, admission, body, proof, events, answer.
//!
//! Names neither Kubernetes nor its clients. Nothing is kept of a request whose proof does not hold.

mod activity;
mod admit;
mod bodies;
mod body;
pub mod client;
pub mod connection;
mod crowd;
mod delivery_id;
mod events;
mod failures;
mod framing;
pub mod handle;
mod heavy;
mod large;
pub mod listen;
pub(crate) mod memory;
mod prove;
pub(crate) mod reject;
mod request_log;
mod respond;
pub mod routes;
pub mod settings;
mod shake;
pub mod tls;
pub mod trace;
