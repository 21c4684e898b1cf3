//! The composition root: builds the parts, starts their tasks under their names, orders the stop.
//!
//! Nothing is decided here but who talks to whom. A task that ends before its time ends the process.

mod spools;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures::future::join_all;
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin::{Admin, Gate, GateState, Readiness};
use crate::authorities::Authorities;
use crate::cli::RunArgs as Args;
use crate::control::overview::Overview;
use crate::control::settings::SpoolSetting;
use crate::control::start::{self, Needs, Peers, Replica, Running};
use crate::deliver::{Deliveries, Delivery, Exchange, Link};
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
    let accounts = args.accounts()?;
    let delivery = Delivery::start(&args.delivery()?).await?;
    let mut others = Vec::new();
    for account in accounts.iter() {
        others.push(Delivery::start(&args.delivery_of(account)?).await?);
    }
    let deliveries = Deliveries::new(delivery.clone(), others);
    let spools = spools::open(&args.spool, &accounts)?;
    spools::guard(args, &deliveries, &spools, &metrics);
    spools::drain(&args.spool, &deliveries, &spools, &readiness, &metrics);
    let routes = Arc::new(Routes::new(metrics.clone()));
    let keys = Arc::new(KeyStore::new(args.bounds.fetch, args.fetch_allow_cidr.clone()));
    let (capture, captures) = mpsc::channel(capture::QUEUE);
    // Without a cluster there is no Secret to write.
    let capture = args.manifests.is_none().then_some(capture);
    let receiver = Receiver::new(routes.clone(), deliveries.clone(), keys, capture, args.receiver(), metrics.clone());

    // A replica whose spool counts takes requests before NATS was ever there.
    let without = args.spool.setting() != SpoolSetting::Absent;
    let (payload, max_payload) = watch::channel(0);
    follow_nats(&delivery, (nats, without), (payload, args.refuses_large()), &metrics, &mut tasks);
    tell_accounts(&deliveries, &metrics);
    let table = routes.clone();
    let publish = Box::new(move |routes| {
        table.swap(Arc::new(routes));
        synced.set(GateState::Open);
    });
    let needs = Needs {
        settings,
        streams: deliveries.streams(),
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
    join_all(deliveries.all().map(|one| one.close(CLOSE))).await;
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

/// Says how many of the logins beside the default one are without a connection.
fn tell_accounts(deliveries: &Deliveries, metrics: &Metrics) {
    let links: Vec<_> = deliveries.all().skip(1).map(Delivery::link).collect();
    metrics.read_with(move |metrics| {
        let away = links.iter().filter(|link| !link.borrow().connected).count();
        metrics.nats_accounts_away().set(i64::try_from(away).unwrap_or(i64::MAX));
    });
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
