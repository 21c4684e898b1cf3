//! What the operator says of a source.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as StatusCondition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::last_good::LastGood;

/// What the operator found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSourceStatus {
    /// The generation that this status judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The generation that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_generation: Option<i64>,
    /// The last spec that could be served, kept while a newer generation cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
    /// Where vendors send: a full URL when the operator knows its public base, else the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The path that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What proves a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationStatus>,
    /// When the last event was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accepted_time: Option<Time>,
    /// The last request that was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_rejected: Option<LastRejected>,
    /// `Accepted`, `ResolvedRefs`, `Programmed`, `Ready`; `Stalled` only while the owner must edit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<StatusCondition>,
}

/// What proves a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationStatus {
    /// The method in force.
    pub method: String,
    /// What the proof covers: Body, URL, Fields or None.
    pub covers: String,
    /// Keys that count now.
    pub active_secrets: i32,
}

/// A request that was not accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRejected {
    /// When it came.
    pub time: Time,
    /// Why, as in the outcome of `hookgate_requests_total`.
    pub reason: String,
}
