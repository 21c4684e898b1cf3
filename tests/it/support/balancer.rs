//! A plain TCP load balancer: each connection goes to one of the backends whose `/readyz` says 200, in turns.
//!
//! Knows nothing of HTTP on the way. A backend that stops being ready keeps the connections that it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::operator::Client;

/// How often backends are asked, as endpoints of a cluster follow probes.
const PROBE: Duration = Duration::from_millis(50);

/// The balancer. Ends when it is dropped.
pub struct Balancer {
    pub port: u16,
    _tasks: JoinSet<()>,
}

struct Backend {
    port: u16,
    ready: AtomicBool,
}

impl Balancer {
    /// Before backends with these public and admin ports of 127.0.0.1.
    pub async fn before(backends: &[(u16, u16)]) -> Balancer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the balancer");
        let port = listener.local_addr().expect("its address").port();
        let mut tasks = JoinSet::new();
        let backend = |&(port, admin): &(u16, u16)| {
            let backend = Arc::new(Backend { port, ready: AtomicBool::new(false) });
            tasks.spawn(probe(Arc::clone(&backend), admin));
            backend
        };
        let backends: Vec<_> = backends.iter().map(backend).collect();
        tasks.spawn(accept(listener, backends));
        Balancer { port, _tasks: tasks }
    }
}

async fn probe(backend: Arc<Backend>, admin: u16) {
    let client = Client::at(backend.port, admin);
    loop {
        let ready = client.get("/readyz").await.is_some_and(|answer| answer.status == 200);
        backend.ready.store(ready, Ordering::SeqCst);
        tokio::time::sleep(PROBE).await;
    }
}

async fn accept(listener: TcpListener, backends: Vec<Arc<Backend>>) {
    let (mut connections, next) = (JoinSet::new(), AtomicUsize::new(0));
    while let Ok((mut client, _)) = listener.accept().await {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        let ready = (0..backends.len()).map(|n| &backends[(turn + n) % backends.len()]);
        let Some(port) =
            ready.filter(|backend| backend.ready.load(Ordering::SeqCst)).map(|backend| backend.port).next()
        else {
            continue;
        };
        connections.spawn(async move {
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
