//! Starts the control line, for a cluster or for a folder, from the parts of this module.
//!
//! The only place that knows which tasks there are.

use std::path::PathBuf;
use std::sync::Arc;

use kube::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::event::Event;
use super::overview::Overview;
use super::run::{Inputs, Outputs};
use super::settings::Settings;
use super::status::{activity, writer};
use super::tasks::until;
use super::{capture, event, folder, lease, reader, run, watch as watches};
use crate::route::RouteTable;
use crate::route::capture::Capture;
use crate::subject::Readings;

/// How many Secrets may wait to be read.
const TO_READ: usize = 64;
/// How many statuses may wait to be written.
const TO_WRITE: usize = 256;

/// What the control line needs wherever it observes.
pub struct Needs {
    /// What the flags say.
    pub settings: Arc<Settings>,
    /// The streams of each login to NATS as last read.
    pub streams: watch::Receiver<Readings>,
    /// The most that NATS takes in one message, in bytes; 0 while it was never seen.
    pub max_payload: watch::Receiver<usize>,
    /// Puts a table in force. Called for the first time when everything was observed once.
    pub publish: Box<dyn FnMut(RouteTable) + Send>,
    /// Secrets that vendors deliver.
    pub captures: mpsc::Receiver<Capture>,
    /// The other replicas. `None` where there are none, or no way to them.
    pub peers: Option<Peers>,
    /// The end; routes stay as they are.
    pub stop: CancellationToken,
}

/// The way to the other replicas, and back. A message that is lost is nobody's loss.
pub struct Peers {
    /// What they should know.
    pub tell: mpsc::Sender<Vec<u8>>,
    /// What they tell; this replica's own words may be among it.
    pub heard: mpsc::Receiver<Vec<u8>>,
}

/// This replica, as the election knows it.
#[derive(Clone, Debug)]
pub struct Replica {
    /// The operator's namespace, where the Lease lies.
    pub namespace: String,
    /// Unique among replicas, such as the pod's name.
    pub identity: String,
    /// Name and uid of the pod that it is, where it knows.
    pub pod: Option<(String, String)>,
}

/// A control line that runs.
pub struct Running {
    /// The sources and how they stand.
    pub overview: watch::Receiver<Arc<Overview>>,
    /// Whether this replica writes status. Never in a folder.
    pub leader: watch::Receiver<bool>,
    /// Gives the Lease back, and stands for election no more: whoever is about to end lets others write at once.
    pub resign: CancellationToken,
    /// Its tasks. None ends before `stop`: if one does, the process should too.
    pub tasks: JoinSet<()>,
}

/// Observes a cluster.
pub fn in_cluster(client: &Client, replica: Replica, needs: Needs) -> Running {
    let (events, received) = mpsc::channel(event::QUEUE);
    let (reader, to_read) = mpsc::channel(TO_READ);
    let (writer, to_write) = mpsc::channel(TO_WRITE);
    let (leads, leader) = watch::channel(false);
    let (overview, shown) = watch::channel(Arc::default());
    let mut tasks = JoinSet::new();
    watches::spawn(client, &needs.settings, &events, &needs.stop, &mut tasks);
    until(&needs.stop, reader::run(client.clone(), to_read, events.clone()), &mut tasks);
    until(&needs.stop, writer::run(client.clone(), leader.clone(), to_write, events.clone()), &mut tasks);
    let name = replica.identity.clone();
    let candidate = lease::Candidate::new(client.clone(), &replica.namespace, replica.identity).in_pod(replica.pod);
    let resign = needs.stop.child_token();
    tasks.spawn(candidate.run(leads, resign.clone(), needs.stop.clone()));
    let teller = needs.peers.map(|Peers { tell, heard }| {
        until(&needs.stop, listen(name.clone(), heard, events), &mut tasks);
        (name, tell)
    });
    tasks.spawn(capture::run(client.clone(), needs.captures));
    let (streams, max_payload) = (needs.streams, needs.max_payload);
    let inputs = Inputs { events: received, streams, max_payload, leader: leader.clone(), stop: needs.stop };
    let outputs = Outputs { publish: needs.publish, overview, reader: Some(reader), writer: Some(writer), teller };
    tasks.spawn(run::run(needs.settings, inputs, outputs));
    Running { overview: shown, leader, resign, tasks }
}

/// Observes a file or folder of manifests. Status is told in the log alone.
pub fn in_folder(path: PathBuf, needs: Needs) -> Running {
    let (events, received) = mpsc::channel(event::QUEUE);
    let (overview, shown) = watch::channel(Arc::default());
    let (_, leader) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(folder::run(path, needs.settings.clone(), events));
    let resign = needs.stop.child_token();
    let (streams, max_payload) = (needs.streams, needs.max_payload);
    let inputs = Inputs { events: received, streams, max_payload, leader: leader.clone(), stop: needs.stop };
    let outputs = Outputs { publish: needs.publish, overview, reader: None, writer: None, teller: None };
    tasks.spawn(run::run(needs.settings, inputs, outputs));
    Running { overview: shown, leader, resign, tasks }
}

/// Hands on what other replicas tell, as long as somebody may, and not what this one does.
async fn listen(name: String, mut heard: mpsc::Receiver<Vec<u8>>, events: mpsc::Sender<Event>) {
    let mut ignored = 0_u64;
    while let Some(message) = heard.recv().await {
        let Some(activity::Message { from, facts }) = activity::decode(&message) else {
            ignored += 1;
            match ignored {
                1 => warn!(
                    bytes = message.len(),
                    "somebody else publishes where replicas tell each other of requests: ignored, and said once"
                ),
                _ => debug!(ignored, "messages that are no replica's"),
            }
            continue;
        };
        if from != name && events.send(Event::Heard(facts)).await.is_err() {
            return;
        }
    }
    // Without NATS there is nothing to hear, and this is no reason to end.
    std::future::pending().await
}
