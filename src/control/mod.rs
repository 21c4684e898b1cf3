//! The control line: `watch -> index -> resolve secrets -> compile (pure) -> swap table -> status (leader)`.
//!
//! Owns what is served and what status says of it. Never touches a request; nothing from a request enters status, Events or messages.

pub(crate) mod capture;
pub mod compile;
pub(crate) mod definitions;
pub mod event;
pub(crate) mod folder;
pub mod index;
pub mod lease;
pub mod leave;
pub(crate) mod manifests;
pub mod object;
pub(crate) mod offline;
pub mod overview;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod quota;
pub(crate) mod reader;
pub mod resolve;
pub mod run;
pub(crate) mod selector;
pub mod settings;
pub mod start;
pub(crate) mod status;
mod tasks;
pub(crate) mod vault;
pub(crate) mod watch;
