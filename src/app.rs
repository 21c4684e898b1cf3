//! The composition root: builds the parts, starts their tasks under their names, orders the stop.
//!
//! Nothing is decided here but who talks to whom. A task that ends before its time ends the process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin::{Admin, Gate, GateState, Readiness};
use crate::authorities::Authorities;
use crate::cli::{RunArgs as Args, SpoolArgs};
use crate::control::overview::Overview;
use crate::control::settings::SpoolSetting;
use crate::control::start::{self, Needs, Peers, Replica, Running};
use crate::deliver::spool::Spool;
use crate::deliver::{Delivery, Exchange, GuardStatus, Link, Room, beside_spool};
use crate::fetch::KeyStore;
use crate::metrics::{Metrics, SourceStanding};
use crate::receive::handle::Receiver;
use crate::receive::listen;
use crate::receive::routes::Routes;
use crate::receive::tls::Certificate;
use crate::route::capture;

/// How often certificate files are looked at.
const CERTIFICATE: Duration = Duration::from_secs(10);
/// How long the last messages may take to leave.
const CLOSE: Duration = Duration::from_secs(5);

/// Runs the operator until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps a part from starting, or made it end before its time.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let metrics = Metrics::new();
    let settings = Arc::new(args.settings(metrics.clone())?);
    let readiness = Readiness::default();
    let (synced, bound, nats) = (readiness.gate("routes"), readiness.gate("listener"), readiness.gate("nats"));
    let stop = CancellationToken::new();
    let mut tasks: JoinSet<&'static str> = JoinSet::new();

    tell_authorities();
    let delivery = Delivery::start(&args.delivery()?).await?;
    let spool = open_spool(&args.spool)?;
    guard(args, &delivery, spool.as_ref(), &metrics);
    if let Some(spool) = spool {
        drain(&args.spool, spool, &delivery, &readiness, &metrics);
    }
    let routes = Arc::new(Routes::new(metrics.clone()));
    let keys = Arc::new(KeyStore::new(args.bounds.fetch, args.fetch_allow_cidr.clone()));
    let (capture, captures) = mpsc::channel(capture::QUEUE);
    // Without a cluster there is no Secret to write.
    let capture = args.manifests.is_none().then_some(capture);
    let receiver = Receiver::new(routes.clone(), delivery.clone(), keys, capture, args.receiver(), metrics.clone());

    // A replica whose spool counts takes requests before NATS was ever there.
    let without = args.spool.setting() != SpoolSetting::Absent;
    let (payload, max_payload) = watch::channel(0);
    follow_nats(&delivery, (nats, without), (payload, args.refuses_large()), &metrics, &mut tasks);
    let table = routes.clone();
    let publish = Box::new(move |routes| {
        table.swap(Arc::new(routes));
        synced.set(GateState::Open);
    });
    let needs = Needs {
        settings,
        streams: delivery.streams(),
        max_payload,
        publish,
        captures,
        peers: None,
        stop: stop.child_token(),
    };
    let mut control = start_control(args, &delivery, needs).await?;
    tasks.spawn(named("gauges", follow_control(control.overview.clone(), control.leader.clone(), metrics.clone())));
    let admin = listen::bind(args.admin_listen).with_context(|| format!("--admin-listen {}", args.admin_listen))?;
    let router = Admin { readiness, metrics: metrics.clone(), routes: routes.clone() }.router();
    tasks.spawn(named("admin", crate::admin::serve::start(admin, router, stop.child_token())?));

    let public = listen::bind(args.listen).with_context(|| format!("--listen {}", args.listen))?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(chain), Some(key)) => {
            let certificate = Certificate::load(chain.clone(), key.clone())?;
            let acceptor = certificate.acceptor()?;
            tasks.spawn(named("certificate", certificate.watch(CERTIFICATE, stop.child_token())));
            Some(acceptor)
        }
        _ => None,
    };
    info!(listen = %args.listen, admin = %args.admin_listen, tls = tls.is_some(), "hookgate {} serves", env!("CARGO_PKG_VERSION"));
    bound.set(GateState::Open);
    let accept = CancellationToken::new();
    let service = move |request, arrival| receiver.clone().handle(request, arrival);
    let serving = listen::serve(public, tls, service, args.listener(), (&metrics).into(), accept.clone());
    let mut serving = tokio::spawn(serving);

    tokio::select! {
        () = stop_signal() => {}
        Some(ended) = control.tasks.join_next() => bail!("a task of the control line ended before its time: {ended:?}"),
        Some(ended) = tasks.join_next() => bail!("the task {:?} ended before its time", ended),
        ended = &mut serving => bail!("the public port ended before its time: {ended:?}"),
    }
    // Load balancers and the other replicas learn first, then the port closes, then what is in work ends, then NATS.
    info!("stopping");
    control.resign.cancel();
    bound.set(GateState::Closed);
    tokio::time::sleep(args.drain_delay).await;
    accept.cancel();
    let cut = serving.await.unwrap_or_default();
    delivery.close(CLOSE).await;
    stop.cancel();
    let _ = tokio::time::timeout(CLOSE, async {
        while control.tasks.join_next().await.is_some() || tasks.join_next().await.is_some() {}
    })
    .await;
    info!(cut, "stopped");
    Ok(())
}

async fn named<F: Future>(name: &'static str, task: F) -> &'static str {
    task.await;
    name
}

async fn stop_signal() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Takes the spool into use.
fn open_spool(args: &SpoolArgs) -> anyhow::Result<Option<Arc<Spool>>> {
    let Some(folder) = &args.spool_dir else { return Ok(None) };
    let opened = Spool::open(folder, args.spool_max_bytes);
    let (spool, recovered) = opened.with_context(|| format!("--spool-dir {}", folder.display()))?;
    for damage in &recovered.damaged {
        let (file, from, to) = (&damage.file, damage.bytes.start, damage.bytes.end);
        if damage.torn {
            warn!(file, from, to, "the spool ends in an event that was not written whole, and was not acknowledged");
        } else {
            error!(
                file,
                from,
                to,
                "a part of the spool holds no event: what else the file holds is published, then it is kept as *.damaged"
            );
        }
    }
    Ok(Some(Arc::new(spool)))
}

/// Remembers what NATS acknowledges, beside the spool where there is one that counts.
fn guard(args: &Args, delivery: &Delivery, spool: Option<&Arc<Spool>>, metrics: &Metrics) {
    let options = args.guard();
    let folder = args.spool.spool_dir.as_deref().filter(|_| args.spool.setting() != SpoolSetting::Absent);
    let room: Room = match spool.zip(folder) {
        Some((spool, folder)) => {
            beside_spool(folder.to_owned(), spool.clone(), args.spool.spool_max_bytes, options.max_bytes)
        }
        None => Box::new(move |_| options.max_bytes),
    };
    delivery.use_guard(options, folder, room);
    let (delivery, mut before) = (delivery.clone(), GuardStatus::default());
    metrics.read_with(move |metrics| {
        let status = delivery.guard().unwrap_or_default();
        metrics.guard_seconds().set(status.reach.as_secs_f64());
        metrics.guard_missed().inc_by(status.missed - before.missed);
        metrics.guard_republished().inc_by(status.again - before.again);
        before = status;
    });
}

/// Drains the spool, and has it tell on `/readyz` and `/metrics` what it holds.
fn drain(args: &SpoolArgs, spool: Arc<Spool>, delivery: &Delivery, readiness: &Readiness, metrics: &Metrics) {
    let counts = args.setting() != SpoolSetting::Absent;
    if !counts {
        let folder = args.spool_dir.as_deref().unwrap_or(Path::new("")).display();
        warn!(
            "--spool-dir {folder} is not marked as one that outlives the pod, and is not used: mark it with `hookgate spool init --persistent`, or set --spool-volatile"
        );
    }
    delivery.use_spool(spool.clone(), counts);
    let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    metrics.spool_max_bytes().set(gauge(args.spool_max_bytes));
    let held = spool.clone();
    readiness.read_with("spooling", move || match held.stock().events {
        0 => GateState::Open,
        _ => GateState::Degraded,
    });
    metrics.read_with(move |metrics| {
        let stock = spool.stock();
        metrics.spool_refused().set(gauge(spool.refused_stock().events));
        metrics.spool_events().set(gauge(stock.events));
        metrics.spool_bytes().set(gauge(stock.bytes));
        let age = stock.oldest.map_or(0, |oldest| jiff::Timestamp::now().as_millisecond() - oldest);
        metrics.spool_oldest().set(Duration::from_millis(age.try_into().unwrap_or(0)).as_secs_f64());
    });
}

/// Keeps gate and gauge with the connection. Once it was there, being away degrades: requests are answered all the same.
fn follow_nats(
    delivery: &Delivery,
    (gate, without): (Gate, bool),
    (payload, refuses_large): (watch::Sender<usize>, bool),
    metrics: &Metrics,
    tasks: &mut JoinSet<&'static str>,
) {
    let mut link = delivery.link();
    let gauge = metrics.nats_connected().clone();
    tasks.spawn(named("nats", async move {
        loop {
            let now: Link = link.borrow_and_update().clone();
            gauge.set(i64::from(now.connected));
            if refuses_large {
                payload.send_if_modified(|most| std::mem::replace(most, now.max_payload) != now.max_payload);
            }
            gate.set(match (now.connected, now.connected_once || without) {
                (true, _) => GateState::Open,
                (false, true) => GateState::Degraded,
                (false, false) => GateState::Closed,
            });
            if link.changed().await.is_err() {
                return;
            }
        }
    }));
}

/// Says whom TLS trusts. Who serves plain NATS and fetches nothing needs nobody, so this is no reason not to start.
fn tell_authorities() {
    match Authorities::read() {
        Ok(read) => info!(authorities = read.count(), "TLS trusts the certificate authorities of {}", read.origin),
        Err(error) => {
            warn!("{error}; until then no vendor's key is fetched, and no NATS server is trusted without --nats-ca")
        }
    }
}

/// The API server of the kubeconfig, or of the pod's cluster.
async fn cluster() -> anyhow::Result<Client> {
    let mut config = kube::Config::infer().await?;
    // A kubeconfig that names no authority means those that everybody trusts.
    if config.root_cert.is_none()
        && let Ok(authorities) = Authorities::read()
    {
        config.root_cert = Some(authorities.der().map(<[u8]>::to_vec).collect());
    }
    Ok(Client::try_from(config)?)
}

/// Starts the control line over the cluster, or over a folder of manifests.
async fn start_control(args: &Args, delivery: &Delivery, mut needs: Needs) -> anyhow::Result<Running> {
    if let Some(path) = &args.manifests {
        anyhow::ensure!(path.exists(), "--manifests: {} is not there", path.display());
        return Ok(start::in_folder(path.clone(), needs));
    }
    let client =
        cluster().await.context("no cluster: set KUBECONFIG, run in a pod, or serve a folder with --manifests")?;
    let namespace = args.lease_namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
    // Replicas are those that stand for the same Lease.
    let Exchange { tell, heard } = delivery.exchange(&namespace, "facts");
    needs.peers = Some(Peers { tell, heard });
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "hookgate".to_owned());
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    // What owns an object lives in its namespace.
    let own = client.default_namespace() == namespace;
    let pod = named("POD_NAME").zip(named("POD_UID")).filter(|_| own);
    let replica = Replica { namespace, identity: format!("{host}-{}", std::process::id()), pod };
    Ok(start::in_cluster(&client, replica, needs))
}

/// Keeps the gauges with what the control line knows.
async fn follow_control(
    mut overview: watch::Receiver<Arc<Overview>>,
    mut leader: watch::Receiver<bool>,
    metrics: Metrics,
) {
    loop {
        metrics.is_leader().set(i64::from(*leader.borrow_and_update()));
        let sources = overview.borrow_and_update().clone();
        for state in SourceStanding::ALL.iter().copied() {
            metrics.sources(state).set(i64::try_from(sources.count(state)).unwrap_or(i64::MAX));
        }
        metrics.tell_secret_ends(sources.sources().filter_map(|(key, source)| {
            let labels = (key.namespace.clone(), key.name.clone(), source.provider.clone());
            Some((labels, source.secrets_end?))
        }));
        tokio::select! {
            Ok(()) = overview.changed() => {}
            Ok(()) = leader.changed() => {}
            else => return,
        }
    }
}
