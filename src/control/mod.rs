//! The control line: `watch -> index -> resolve secrets -> compile (pure) -> swap table -> status (leader)`.
//!
//! Owns what is served and what status says of it. Never touches a request; nothing from a request enters status, Events or messages.

pub mod compile;
pub mod index;
pub mod object;
pub mod policy;
pub mod programmed;
pub mod resolve;
pub mod settings;
pub mod status;
pub mod vault;
