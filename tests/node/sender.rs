//! A vendor that sends without a pause, each delivery until it is answered 200, and keeps a ledger of the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::disks::NATS_PORT;
use crate::node::ADDRESS;
use crate::receive_wire::read_answer;
use crate::support::flood::signed;
use crate::support::wait::eventually;

/// Where the receiver answers on the node.
pub const PORT: u16 = 30080;
/// How many send at one time.
const SENDERS: usize = 4;
/// For one answer.
const ANSWER: Duration = Duration::from_secs(30);

/// What one delivery is answered, through the Service; where that is no 200, in words, or what became of the connection.
pub async fn deliver(n: u64) -> Result<(), String> {
    deliver_to((Ipv4Addr::from(ADDRESS), PORT).into(), n).await
}

/// The same at an address, such as that of one pod.
pub async fn deliver_to(address: SocketAddr, n: u64) -> Result<(), String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(signed(n).as_bytes()).await?;
        read_answer(&mut stream).await
    };
    match timeout(ANSWER, exchange).await {
        Ok(Ok(Some(answer))) if answer.status == 200 => Ok(()),
        Ok(Ok(Some(answer))) => Err(format!("{} {}", answer.status, answer.body.trim())),
        Ok(Ok(None)) => Err("closed without an answer".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// What was answered.
#[derive(Debug, Default)]
pub struct Ledger {
    acknowledged: BTreeSet<u64>,
    /// Answers that were no 200, and connections without one, by what they were.
    pub refused: BTreeMap<String, u64>,
    /// The longest that one delivery took until it was acknowledged.
    pub longest: Duration,
}

/// Sends until it is stopped.
pub struct Sender {
    ledger: Arc<Mutex<Ledger>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// Numbers that no delivery had before.
static NEXT: AtomicU64 = AtomicU64::new(1_000);

impl Sender {
    pub fn start() -> Self {
        let (ledger, stop) = (Arc::new(Mutex::new(Ledger::default())), Arc::new(AtomicBool::new(false)));
        let mut tasks = JoinSet::new();
        for _ in 0..SENDERS {
            let (ledger, stop) = (ledger.clone(), stop.clone());
            tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let n = NEXT.fetch_add(1, Ordering::Relaxed);
                    let begun = Instant::now();
                    loop {
                        let answer = deliver(n).await;
                        if ledger.lock().unwrap().note(n, answer, begun.elapsed()) {
                            break;
                        }
                        sleep(Duration::from_millis(20)).await;
                    }
                    sleep(Duration::from_millis(2)).await;
                }
            });
        }
        Self { ledger, stop, tasks }
    }

    /// Waits until so many are acknowledged.
    pub async fn acknowledged(&self, count: usize) {
        let enough = async || self.ledger.lock().unwrap().count() >= count;
        eventually("deliveries are acknowledged", Duration::from_secs(60), enough).await;
    }

    /// Ends, and says what was answered.
    pub async fn stop(mut self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        std::mem::take(&mut self.ledger.lock().unwrap())
    }
}

impl Ledger {
    /// True: it is acknowledged, after this time.
    fn note(&mut self, n: u64, answer: Result<(), String>, after: Duration) -> bool {
        if let Err(why) = answer {
            *self.refused.entry(why).or_default() += 1;
            return false;
        }
        self.acknowledged.insert(n);
        self.longest = self.longest.max(after);
        true
    }

    pub fn count(&self) -> usize {
        self.acknowledged.len()
    }

    /// Nothing that was acknowledged is missing in the stream, and nothing is there twice.
    pub async fn is_stored(&self) {
        let stored = stored().await;
        let missing: Vec<&u64> = self.acknowledged.iter().filter(|n| !stored.contains_key(n)).collect();
        assert!(missing.is_empty(), "{} acknowledged deliveries are not stored: {missing:?}", missing.len());
        let twice: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "stored more than once: {twice:?}");
    }
}

/// The numbers of all that is stored, and how often each is.
async fn stored() -> BTreeMap<u64, u64> {
    let address = Ipv4Addr::from(ADDRESS);
    let client = async_nats::connect(format!("nats://{address}:{NATS_PORT}")).await.expect("NATS");
    let context = async_nats::jetstream::new(client);
    let stream = context.get_stream("WEBHOOKS").await.expect("the stream");
    let mut stored = BTreeMap::new();
    let info = stream.get_info().await.expect("the stream").state;
    let mut next = info.first_sequence;
    while next <= info.last_sequence {
        let message = stream.get_raw_message(next).await.expect("a message");
        let id = message.headers.get("ce-id").expect("an id").as_str().strip_prefix("d-").expect("ours").parse();
        *stored.entry(id.expect("a number")).or_default() += 1;
        next += 1;
    }
    stored
}
