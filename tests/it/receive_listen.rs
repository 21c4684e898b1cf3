//! The public port keeps slow clients and floods of one address from others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookgate::receive::connection::Arrival;
use hookgate::receive::listen::serve;
use hookgate::receive::settings::Settings;
use hookgate::receive::tls::Certificate;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::receive_stop::{certify, over_tls};
use crate::receive_wire::{SOON, ends, post, read_answer};
use crate::support::wait::eventually;

/// A port that answers every request with its body's length, after `work`.
pub struct Port {
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub begun: Arc<AtomicUsize>,
    pub answered: Arc<AtomicUsize>,
    pub open: Gauge,
    pub served: JoinHandle<usize>,
}

impl Port {
    pub async fn open(settings: Settings, work: Duration, tls: Option<TlsAcceptor>) -> Port {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, answered, open) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)), Gauge::default());
        let begun = Arc::new(AtomicUsize::new(0));
        let (count, starts) = (answered.clone(), begun.clone());
        let service = move |request: Request<Incoming>, _: Arrival| {
            let count = count.clone();
            starts.fetch_add(1, Ordering::Relaxed);
            async move {
                let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
                sleep(work).await;
                count.fetch_add(1, Ordering::Relaxed);
                Response::new(Full::new(Bytes::from(body.map_or(0, |body| body.len()).to_string())))
            }
        };
        let served = tokio::spawn(serve(listener, tls, service, settings, open.clone().into(), stop.clone()));
        Port { address, stop, begun, answered, open, served }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Stops, and says how many connections were cut.
    pub async fn stopped(self) -> usize {
        self.stop.cancel();
        timeout(SOON, self.served).await.expect("a stop within its time").unwrap()
    }
}

pub fn quick() -> Settings {
    Settings {
        header_timeout: Duration::from_millis(300),
        idle: Duration::from_secs(3),
        linger: Duration::from_millis(300),
        drain: Duration::from_secs(5),
        ..Settings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_no_whole_head_is_cut() {
    // As an idle connection none of them would end while the test looks.
    let port = Port::open(Settings { idle: 6 * SOON, h2c: true, ..quick() }, Duration::ZERO, None).await;
    for sent in ["", "P", "POST / HTTP/1.1\r\nHost: h\r\nX-Slow", "PRI * HTTP/2.0\r\n"] {
        let begun = Instant::now();
        let mut stream = port.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        assert_eq!(ends(&mut stream).await, b"", "{sent:?}");
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(250), "{sent:?} after {took:?}");
    }
    // Bytes that drip in keep nothing open either.
    let mut stream = port.connect().await;
    let dripped = async {
        for byte in post("/", "", "").bytes().cycle() {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            let mut end = [0];
            if matches!(timeout(Duration::from_millis(60), stream.read(&mut end)).await, Ok(Ok(0) | Err(_))) {
                return;
            }
        }
    };
    timeout(SOON, dripped).await.expect("a dripping client is cut");
    assert_eq!(port.answered.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_outlives_the_time_for_a_head_and_then_ends() {
    let port = Port::open(Settings { idle: Duration::from_secs(1), ..quick() }, Duration::ZERO, None).await;
    let mut stream = port.connect().await;
    let mut begun = Instant::now();
    for pause in [0, 600] {
        sleep(Duration::from_millis(pause)).await;
        begun = Instant::now();
        stream.write_all(post("/", "", "12345").as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await.unwrap().expect("an answer");
        assert_eq!((answer.status, &*answer.body, answer.closes()), (200, "5", false));
    }
    assert_eq!(ends(&mut stream).await, b"");
    assert!(begun.elapsed() >= Duration::from_millis(800), "{:?}", begun.elapsed());
}

/// From another address of the loopback network than others.
async fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// One request on a connection that stays open.
async fn served(stream: &mut TcpStream) -> bool {
    stream.write_all(post("/", "", "").as_bytes()).await.is_ok()
        && matches!(timeout(SOON, read_answer(stream)).await, Ok(Ok(Some(answer))) if answer.status == 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_bound_the_oldest_idle_connection_of_the_address_that_holds_most_gives_way() {
    let settings = Settings { connections: 8, idle: SOON, header_timeout: SOON, ..quick() };
    let port = Port::open(settings, Duration::ZERO, None).await;
    let mut honest = connect_from([127, 0, 0, 3], port.address).await;
    assert!(served(&mut honest).await);
    let mut many = Vec::new();
    for _ in 0..40 {
        let mut one = port.connect().await;
        assert!(served(&mut one).await, "a new connection is served at once");
        many.push(one);
    }
    let mut late = connect_from([127, 0, 0, 4], port.address).await;
    assert!(served(&mut late).await);
    eventually("the bound holds", SOON, async || port.open.get() <= 8).await;
    assert!(served(&mut honest).await, "who holds one connection keeps it");
    for old in &mut many[..30] {
        assert_eq!(ends(old).await, b"");
    }
    assert!(served(many.last_mut().unwrap()).await, "the youngest stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_work_gives_way_to_nobody() {
    let port = Port::open(Settings { connections: 4, ..quick() }, Duration::from_millis(700), None).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut one = port.connect().await;
        one.write_all(post("/", "", "").as_bytes()).await.unwrap();
        busy.push(one);
    }
    eventually("they are in work", SOON, async || port.begun.load(Ordering::Relaxed) == 2).await;
    // Its address has no more than half, and none of its connections rests.
    let mut refused = port.connect().await;
    assert_eq!(ends(&mut refused).await, b"");
    let mut other = connect_from([127, 0, 0, 3], port.address).await;
    assert!(served(&mut other).await);
    for mut one in busy {
        assert_eq!(timeout(SOON, read_answer(&mut one)).await.unwrap().unwrap().unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_rests_is_served_again_and_what_it_sent_ahead_is_kept() {
    let port = Port::open(quick(), Duration::ZERO, None).await;
    let mut stream = port.connect().await;
    for pause in [0, 1400, 1400] {
        sleep(Duration::from_millis(pause)).await;
        let two = format!("{}{}", post("/", "", "1"), post("/", "", "22"));
        stream.write_all(two.as_bytes()).await.unwrap();
        for body in ["1", "2"] {
            assert_eq!(timeout(SOON, read_answer(&mut stream)).await.unwrap().unwrap().unwrap().body, body);
        }
    }
    assert_eq!(port.stopped().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_heads_are_bounded_in_sum_and_whoever_sends_most_of_them_gives_way() {
    let settings = Settings { heads: 256 << 10, header_timeout: SOON, ..quick() };
    let port = Port::open(settings, Duration::ZERO, None).await;
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nX: {}", "x".repeat(20 << 10));
    let mut honest = connect_from([127, 0, 0, 3], port.address).await;
    honest.write_all(head.as_bytes()).await.unwrap();
    let mut many = Vec::new();
    for n in 0..40 {
        let mut one = port.connect().await;
        // Behind a request, too.
        if n % 2 == 0 {
            assert!(served(&mut one).await);
        }
        let _ = one.write_all(head.as_bytes()).await;
        many.push(one);
    }
    eventually("most gave way", SOON, async || port.open.get() <= 14).await;
    honest.write_all(b"\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    assert_eq!(timeout(SOON, read_answer(&mut honest)).await.unwrap().unwrap().unwrap().body, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_handshakes_give_way_to_whoever_shakes_hands() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certify(folder.path());
    let certificate = Certificate::load(folder.path().join("tls.crt"), folder.path().join("tls.key")).unwrap();
    let settings = Settings { connections: 64, tls_timeout: SOON, ..quick() };
    let port = Port::open(settings, Duration::ZERO, Some(certificate.acceptor().unwrap())).await;
    let mut half = Vec::new();
    for _ in 0..100 {
        half.push(port.connect().await);
        assert!(port.open.get() <= 64);
    }
    eventually("an eighth of all may be half open", SOON, async || port.open.get() <= 8).await;
    assert_eq!(over_tls(port.address, &trusted).await.unwrap().body, "2");
}

/// The preface of HTTP/2 and settings; with a window in which no answer fits.
fn preface(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> =
        settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &payload)[..]].concat()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// POST / of http and of nobody in particular, without a body.
const POST: &[u8] = &[0x83, 0x84, 0x86, 0x41, 0x01, b'h'];

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_taken_ends_its_connection() {
    let settings = Settings { answer_timeout: Duration::from_millis(400), idle: SOON * 6, h2c: true, ..quick() };
    let port = Port::open(settings, Duration::ZERO, None).await;
    let mut stream = port.connect().await;
    stream.write_all(&preface(&[(4, 0)])).await.unwrap();
    for n in 0..16 {
        stream.write_all(&frame(1, 5, 2 * n + 1, POST)).await.unwrap();
    }
    eventually("they are answered", SOON, async || port.answered.load(Ordering::Relaxed) == 16).await;
    let _ = timeout(SOON, stream.read_to_end(&mut Vec::new())).await.expect("the connection is cut");
    eventually("it is gone", SOON, async || port.open.get() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_fills_the_socket_and_is_not_read_ends_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, open) = (listener.local_addr().unwrap(), Gauge::<i64>::default());
    let large = |_: Request<Incoming>, _: Arrival| async { Response::new(Full::new(Bytes::from(vec![0; 64 << 20]))) };
    let settings = Settings { answer_timeout: Duration::from_millis(400), ..quick() };
    tokio::spawn(serve(listener, None, large, settings, open.clone().into(), CancellationToken::new()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(post("/", "", "").as_bytes()).await.unwrap();
    stream.readable().await.unwrap();
    eventually("it is cut", SOON, async || open.get() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_behind_others_has_a_time_of_its_own() {
    let port = Port::open(Settings { header_timeout: Duration::from_secs(2), ..quick() }, Duration::ZERO, None).await;
    let mut stream = port.connect().await;
    let whole = post("/", "", "");
    let (start, rest) = whole.split_at(20);
    stream.write_all(start.as_bytes()).await.unwrap();
    // Every read ends within a head, and none takes as long as a head may.
    for _ in 0..6 {
        sleep(Duration::from_millis(500)).await;
        stream.write_all(format!("{rest}{start}").as_bytes()).await.unwrap();
        assert_eq!(timeout(SOON, read_answer(&mut stream)).await.unwrap().unwrap().expect("an answer").status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_carry_no_request_end_their_connection_when_there_are_too_many() {
    let port = Port::open(Settings { h2c: true, idle: SOON * 6, ..quick() }, Duration::ZERO, None).await;
    let floods = [
        ("PING", frame(6, 0, 0, &[0; 8])),
        ("SETTINGS", frame(4, 0, 0, &[])),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 0, 9])),
        ("unknown", frame(99, 0, 0, b"?")),
    ];
    for (name, one) in floods {
        let mut stream = port.connect().await;
        let mut bytes = preface(&[]);
        bytes.extend(one.repeat(2000));
        let _ = stream.write_all(&bytes).await;
        timeout(SOON, stream.read_to_end(&mut Vec::new())).await.unwrap_or_else(|_| panic!("{name}")).ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_without_tls_is_spoken_only_where_it_is_asked_for() {
    let port = Port::open(quick(), Duration::ZERO, None).await;
    let mut stream = port.connect().await;
    stream.write_all(&[preface(&[]), frame(1, 5, 1, POST)].concat()).await.unwrap();
    let _ = timeout(SOON, stream.read_to_end(&mut Vec::new())).await.expect("the connection ends");
    assert_eq!(port.answered.load(Ordering::Relaxed), 0);
}
