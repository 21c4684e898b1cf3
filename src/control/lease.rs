//! Which replica writes status: the holder of the Lease `hookgate`.
//!
//! Guards status and Events, nothing else: traffic never asks. Two leaders for a moment are harmless, because both write the same by
//! server-side apply. No clock of another machine is trusted far: a holder is given up when its record did not change for as long as it
//! promised to renew it, counted here, or is older than clocks can differ. Whatever fails is tried again; until then this replica does not lead.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// The name of the Lease.
pub const NAME: &str = "hookgate";

/// Another replica takes over from one that is gone without a word after this time.
const DURATION: Duration = Duration::from_secs(10);
/// A holder that could not renew for this long leads no more: well before another may take over.
const DEADLINE: Duration = Duration::from_secs(7);
/// How often the holder renews.
const PERIOD: Duration = Duration::from_secs(2);
/// How often the others look: a Lease that was given back waits no longer.
const LOOK: Duration = Duration::from_secs(1);
/// Clocks of replicas may differ by this much; where they differ by more, two lead for a moment, which is harmless.
const SKEW: Duration = Duration::from_secs(5);
/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// What the identity of somebody begins with who holds the Lease so that nobody writes.
const LEAVER: &str = "leave-";
/// For how long nobody writes then, but a replica that starts later: that is another installation.
const ABSENCE: Duration = Duration::from_secs(5 * 60);

/// A replica that stands for election.
pub struct Candidate {
    api: Api<Lease>,
    identity: String,
    /// The pod that this replica is, where it knows: the Lease goes with the pod that holds it.
    pod: Option<OwnerReference>,
    /// The record as it was last seen, and since when.
    seen: Option<(Record, Instant)>,
    renewed: Option<Instant>,
    /// Whether it looked before.
    looked: bool,
}

/// What changes when a holder renews.
#[derive(Clone, PartialEq)]
struct Record {
    holder: String,
    renewed: Option<MicroTime>,
    promised: Duration,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer within {TIMEOUT:?}")]
    TimedOut,
    #[error(transparent)]
    Refused(#[from] kube::Error),
}

impl Candidate {
    /// A replica in the operator's namespace. The identity is unique among replicas, such as the pod's name.
    pub fn new(client: Client, namespace: &str, identity: impl Into<String>) -> Self {
        Self::new_in(Api::namespaced(client, namespace), identity.into())
    }

    fn new_in(api: Api<Lease>, identity: String) -> Self {
        Self { api, identity, pod: None, seen: None, renewed: None, looked: false }
    }

    /// The pod that the replica is: name and uid. What a pod leaves behind when it is gone without a word goes with it, so that the next
    /// installation need not wait until the Lease is over.
    pub fn in_pod(self, pod: Option<(String, String)>) -> Self {
        let owner = |(name, uid)| OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name,
            uid,
            ..OwnerReference::default()
        };
        Self { pod: pod.map(owner), ..self }
    }

    /// Stands for election until `resign`, then gives the Lease back, and ends at `stop`. `leader` tells whether this replica leads.
    pub async fn run(mut self, leader: watch::Sender<bool>, resign: CancellationToken, stop: CancellationToken) {
        let mut complained = false;
        loop {
            match self.call(Self::look).await {
                Ok(()) => complained = false,
                Err(failure) if complained => debug!(%failure, "no part in the election"),
                Err(failure) => {
                    warn!(%failure, "no part in the election for the Lease {NAME}: trying again (it takes get, create and update on leases)");
                    complained = true;
                }
            }
            self.tell(&leader);
            let pause = if self.renewed.is_some() { PERIOD } else { LOOK };
            if resign.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
        }
        let led = std::mem::take(&mut self.renewed).is_some();
        self.tell(&leader);
        if led && let Err(failure) = self.call(Self::give_back).await {
            debug!(%failure, "the Lease was not given back: it ends by itself");
        }
        stop.cancelled().await;
    }

    fn tell(&self, leader: &watch::Sender<bool>) {
        let leads = self.renewed.is_some_and(|at| at.elapsed() < DEADLINE);
        leader.send_if_modified(|before| {
            if *before != leads {
                info!(identity = self.identity, leads, "leadership");
            }
            std::mem::replace(before, leads) != leads
        });
    }

    async fn call(&mut self, step: impl AsyncFnOnce(&mut Self) -> kube::Result<()>) -> Result<(), Failure> {
        tokio::time::timeout(TIMEOUT, step(self)).await.map_err(|_| Failure::TimedOut)?.map_err(Failure::Refused)
    }

    /// Renews the Lease, takes it where it is free, or notes who holds it.
    async fn look(&mut self) -> kube::Result<()> {
        // Counted from before the call: the answer may be late.
        let now = Instant::now();
        let found = self.api.get_opt(NAME).await?;
        let first = !std::mem::replace(&mut self.looked, true);
        let Some(mut lease) = found else {
            let mut metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
            self.own(&mut metadata);
            let lease = Lease { metadata, spec: Some(self.claim(None)) };
            let created = self.api.create(&PostParams::default(), &lease).await.map(drop);
            return self.won(created, now);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let record = Record::of(&spec);
        let mine = record.holder == self.identity;
        if !mine {
            self.renewed = None;
            let left = first && record.holder.starts_with(LEAVER);
            if !record.holder.is_empty() && !left && !self.is_over(record, now) {
                return Ok(());
            }
        }
        let claim = self.claim(Some(&spec));
        self.own(&mut lease.metadata);
        let replaced =
            self.api.replace(NAME, &PostParams::default(), &Lease { spec: Some(claim), ..lease }).await.map(drop);
        self.won(replaced, now)
    }

    /// The Lease belongs to the pod that holds it.
    fn own(&self, metadata: &mut ObjectMeta) {
        let Some(pod) = &self.pod else { return };
        let owners = metadata.owner_references.get_or_insert_default();
        owners.retain(|owner| owner.kind != pod.kind);
        owners.push(pod.clone());
    }

    /// A conflict means that another replica was quicker.
    fn won(&mut self, written: kube::Result<()>, at: Instant) -> kube::Result<()> {
        match written {
            Ok(()) => {
                self.renewed = Some(at);
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                self.renewed = None;
                Ok(())
            }
            // Who may not say to whom the Lease belongs leads all the same.
            Err(kube::Error::Api(status)) if status.code == 403 && self.pod.take().is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a record of another replica did not change for as long as was promised, or was renewed so long ago that no clock of a
    /// replica that lives can be that wrong: what a former installation left behind.
    fn is_over(&mut self, record: Record, now: Instant) -> bool {
        if record.renewed.as_ref().is_some_and(|at| at.0 + record.promised + SKEW < Timestamp::now()) {
            return true;
        }
        match &self.seen {
            Some((known, since)) if *known == record => now.duration_since(*since) >= record.promised,
            _ => {
                self.seen = Some((record, now));
                false
            }
        }
    }

    fn claim(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let mine = before.is_some_and(|spec| spec.holder_identity.as_deref() == Some(&*self.identity));
        let transitions = before.and_then(|spec| spec.lease_transitions);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: before
                .and_then(|spec| spec.acquire_time.clone())
                .filter(|_| mine)
                .or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: if mine { transitions } else { transitions.map_or(Some(0), |n| n.checked_add(1)) },
            ..LeaseSpec::default()
        }
    }

    async fn give_back(&mut self) -> kube::Result<()> {
        let Some(mut lease) = self.api.get_opt(NAME).await? else { return Ok(()) };
        let Some(spec) = lease.spec.as_mut().filter(|spec| spec.holder_identity.as_deref() == Some(&*self.identity))
        else {
            return Ok(());
        };
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        self.api.replace(NAME, &PostParams::default(), &lease).await.map(drop)
    }
}

/// Takes the Lease from whoever holds it, so that no replica writes any more: each learns of it when it looks next, and waits until the
/// absence is over. Returns after which time all that live have learned.
///
/// # Errors
/// The API server's.
pub(crate) async fn take_from_all(client: Client, namespace: &str, who: &str) -> kube::Result<Duration> {
    let api = Api::<Lease>::namespaced(client, namespace);
    let candidate = Candidate::new_in(api.clone(), format!("{LEAVER}{who}"));
    loop {
        let found = api.get_opt(NAME).await?;
        let mut spec = candidate.claim(found.as_ref().and_then(|lease| lease.spec.as_ref()));
        spec.lease_duration_seconds = i32::try_from(ABSENCE.as_secs()).ok();
        let written = match found {
            None => {
                let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
                api.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await
            }
            Some(mut lease) => {
                // It would go with the pod of the former holder.
                lease.metadata.owner_references = None;
                api.replace(NAME, &PostParams::default(), &Lease { spec: Some(spec), ..lease }).await
            }
        };
        match written {
            Ok(_) => return Ok(PERIOD + TIMEOUT),
            // A replica was quicker: once more.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error),
        }
    }
}

impl Record {
    fn of(spec: &LeaseSpec) -> Self {
        let promised = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Self {
            holder: spec.holder_identity.clone().unwrap_or_default(),
            renewed: spec.renew_time.clone(),
            promised: promised.map_or(DURATION, Duration::from_secs),
        }
    }
}
