//! A TCP proxy before nats-server that loses acknowledgements, or holds everything back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long a piece takes in slow weather, in each direction; an acknowledgement is one.
const SLOW: Duration = Duration::from_millis(2);

/// How the network behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Weather {
    /// Everything arrives.
    Fair,
    /// What is published arrives, JetStream's acknowledgements do not.
    Deaf,
    /// Nothing arrives in either direction; it does when the weather is fair again.
    Hole,
    /// Everything arrives, and takes its time.
    Slow,
}

/// The proxy. Ends when it is dropped.
pub struct Proxy {
    weather: Arc<AtomicU8>,
    swallowed: Arc<AtomicU64>,
    port: u16,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Stands before the server on this port of 127.0.0.1, for its clients.
    pub async fn before(server: u16) -> Proxy {
        Self::start(server, true).await
    }

    /// Stands before any TCP port of 127.0.0.1, such as one for the other servers of a cluster. It is never deaf.
    pub async fn before_any(port: u16) -> Proxy {
        Self::start(port, false).await
    }

    async fn start(server: u16, for_clients: bool) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the proxy");
        let port = listener.local_addr().expect("its address").port();
        let (weather, swallowed) = (Arc::new(AtomicU8::new(Weather::Fair as u8)), Arc::default());
        let mut tasks = JoinSet::new();
        let read = for_clients.then(|| Arc::clone(&swallowed));
        tasks.spawn(accept(listener, server, Arc::clone(&weather), read));
        Proxy { weather, swallowed, port, _tasks: tasks }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, weather: Weather) {
        self.weather.store(weather as u8, Ordering::SeqCst);
    }

    /// Acknowledgements that did not arrive.
    pub fn swallowed(&self) -> u64 {
        self.swallowed.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, server: u16, weather: Arc<AtomicU8>, swallowed: Option<Arc<AtomicU64>>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (weather, swallowed) = (Arc::clone(&weather), swallowed.clone());
        connections.spawn(async move {
            pass(&weather).await;
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            // Whichever end closes first takes the other with it.
            let back = async {
                match &swallowed {
                    Some(swallowed) => down(from_server, to_client, &weather, swallowed).await,
                    None => up(from_server, to_client, &weather).await,
                }
            };
            tokio::select! {
                () = up(from_client, to_server, &weather) => {}
                () = back => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Waits as long as nothing may pass.
async fn pass(weather: &AtomicU8) {
    while weather.load(Ordering::SeqCst) == Weather::Hole as u8 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    if weather.load(Ordering::SeqCst) == Weather::Slow as u8 {
        tokio::time::sleep(SLOW).await;
    }
}

async fn up(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, weather: &AtomicU8) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        pass(weather).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// Takes the server's words apart, so that one can be left out whole.
async fn down(
    from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    weather: &AtomicU8,
    swallowed: &AtomicU64,
) {
    let mut from = BufReader::with_capacity(64 << 10, from);
    let mut word = Vec::new();
    loop {
        word.clear();
        if !matches!(from.read_until(b'\n', &mut word).await, Ok(1..)) {
            return;
        }
        let line = word.len();
        if word.starts_with(b"MSG ") || word.starts_with(b"HMSG ") {
            let text = String::from_utf8_lossy(&word);
            let length: usize = text.split_whitespace().next_back().and_then(|text| text.parse().ok()).unwrap_or(0);
            word.resize(line + length + 2, 0);
            if from.read_exact(&mut word[line..]).await.is_err() {
                return;
            }
        }
        pass(weather).await;
        if weather.load(Ordering::SeqCst) == Weather::Deaf as u8 && word[line..].starts_with(b"{\"stream\":") {
            swallowed.fetch_add(1, Ordering::SeqCst);
        } else if to.write_all(&word).await.is_err() {
            return;
        }
    }
}
