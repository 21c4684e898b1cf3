//! The admin port says whether this replica is ready, what it counts and what it serves, and never a secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::net::SocketAddr;

use hookgate::admin::{Admin, GateState, Readiness, serve::serve};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::receive_port::{Port, SECRET, quick, source};
use crate::receive_wire::{Answer, SOON, post, read_answer};

async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    timeout(SOON, read_answer(&mut stream)).await.unwrap().unwrap().unwrap()
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_metrics_and_routes_are_on_the_admin_port_alone() {
    let port =
        Port::without_nats(&[&source("calls", ""), &source("broken", "  routing: {subject: other}\n")], quick()).await;
    let readiness = Readiness::default();
    let (routes, nats) = (readiness.gate("routes"), readiness.gate("nats"));
    let admin = Admin { readiness, metrics: port.metrics.clone(), routes: port.routes.clone() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(listener, admin.router(), stop.clone()));

    assert_eq!(get(address, "/livez").await.status, 200);
    let ready = async || {
        let answer = get(address, "/readyz").await;
        (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap())
    };
    assert_eq!(ready().await.0, 503);
    routes.set(GateState::Open);
    let (status, said) = ready().await;
    assert_eq!(
        (status, &said["gates"][1]["name"], &said["gates"][1]["state"]),
        (503, &"nats".into(), &"closed".into())
    );
    nats.set(GateState::Degraded);
    assert_eq!(
        ready().await,
        (
            200,
            serde_json::json!({"ready": true, "gates": [
        {"name": "routes", "state": "open"}, {"name": "nats", "state": "degraded"}]})
        )
    );

    assert_eq!(ask(port.address, &post("/sales/calls", "X-Token: wrong\r\n", "{}")).await.status, 401);
    let metrics = get(address, "/metrics").await;
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let line =
        "hookgate_requests_total{namespace=\"sales\",source=\"calls\",provider=\"generic\",outcome=\"BadSignature\"} 1";
    assert!(metrics.body.contains(line), "{}", metrics.body);

    let shown = get(address, "/debug/routes").await;
    let sources: Value = serde_json::from_str(&shown.body).unwrap();
    let of = |name: &str| sources.as_array().unwrap().iter().find(|source| source["name"] == name).unwrap().clone();
    assert_eq!(of("calls")["path"], "/sales/calls");
    assert_eq!(of("calls")["method"], "token");
    assert_eq!(of("calls")["activeSecrets"], 1);
    assert_eq!(of("calls")["lastRejected"]["reason"], "BadSignature");
    assert_eq!(of("broken").get("generation"), None, "nothing of it is served");
    assert!(!shown.body.contains(SECRET) && !metrics.body.contains(SECRET));

    for path in ["/livez", "/readyz", "/metrics", "/debug/routes", "/"] {
        assert_eq!(get(port.address, path).await.status, 404, "{path} on the public port");
    }
    assert_eq!(get(address, "/nothing").await.status, 404);

    // A page that points a name of its own at this port reads nothing.
    let of = async |host: &str, path: &str| {
        ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await.status
    };
    for path in ["/debug/routes", "/metrics", "/"] {
        assert_eq!(of("rebound.example.com", path).await, 421, "{path}");
    }
    assert_eq!((of("rebound.example.com", "/livez").await, of("127.0.0.1:9090", "/metrics").await), (200, 200));
    stop.cancel();
    timeout(SOON, served).await.expect("the admin port stops").unwrap();
}
