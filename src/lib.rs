//! Hookgate turns any vendor's webhooks into verified, normalized events on NATS.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

pub(crate) mod account;
pub mod admin;
pub mod api;
pub mod app;
pub mod authorities;
pub mod cli;
pub mod control;
pub(crate) mod deadline;
pub mod deliver;
pub mod event;
pub mod fetch;
pub(crate) mod glob;
pub mod json;
pub mod manifest;
pub mod metrics;
pub mod provider;
pub mod receive;
pub mod route;
pub mod secret;
pub(crate) mod spelling;
pub mod subject;
pub(crate) mod template;
