//! The control line: `watch -> index -> resolve secrets -> compile (pure) -> swap table -> status (leader)`.
//!
//! Owns what is served and what status says of it. Never touches a request; nothing from a request enters status, Events or messages.

pub mod capture;
pub mod compile;
pub mod definitions;
pub mod event;
pub mod folder;
pub mod index;
pub mod lease;
pub mod manifests;
pub mod object;
pub mod offline;
pub mod overview;
pub mod plan;
pub mod policy;
pub mod quota;
pub mod reader;
pub mod resolve;
pub mod run;
pub mod settings;
pub mod start;
pub mod status;
pub mod vault;
pub mod watch;
