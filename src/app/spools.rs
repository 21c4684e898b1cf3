//! The disk of the process, shared out among the logins to NATS: a spool of each, and beside it what its guard remembers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tracing::{error, warn};

use crate::account::Accounts;
use crate::admin::{GateState, Readiness};
use crate::cli::{RunArgs as Args, SpoolArgs};
use crate::control::settings::SpoolSetting;
use crate::deliver::spool::{self, Spool};
use crate::deliver::{Deliveries, Delivery, GuardOptions, GuardStatus, Room, beside_spool};
use crate::metrics::Metrics;

/// Where the spools of logins beside the default one lie, within the spool's folder.
const ACCOUNTS: &str = "accounts";

/// The spool of one login.
struct Own {
    folder: PathBuf,
    spool: Arc<Spool>,
}

/// The spools of all logins, by their numbers, and what each may hold. None, where there is no disk for them.
pub(super) struct Spools {
    each: Vec<Own>,
    max_bytes: u64,
}

/// Takes the folder into use.
///
/// # Errors
/// Where a spool cannot be opened.
pub(super) fn open(args: &SpoolArgs, accounts: &Accounts) -> anyhow::Result<Spools> {
    let logins = accounts.iter().count() as u64 + 1;
    let max_bytes = args.spool_max_bytes / logins;
    let Some(folder) = &args.spool_dir else { return Ok(Spools { each: Vec::new(), max_bytes }) };
    let names: Vec<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
    let mut each = vec![open_one(folder.clone(), max_bytes)?];
    for name in &names {
        let own = folder.join(ACCOUNTS).join(name);
        spool::init(&own, each[0].spool.is_persistent()).with_context(|| format!("--spool-dir {}", own.display()))?;
        each.push(open_one(own, max_bytes)?);
    }
    for left in fs::read_dir(folder.join(ACCOUNTS)).into_iter().flatten().flatten() {
        if !left.file_name().to_str().is_some_and(|name| names.contains(&name)) {
            warn!(
                folder = %left.path().display(),
                "the spool of a login that --nats-account no longer names: what waits there is published by `hookgate drain` with that login; remove the folder when `hookgate spool ls` shows nothing in it"
            );
        }
    }
    Ok(Spools { each, max_bytes })
}

fn open_one(folder: PathBuf, max_bytes: u64) -> anyhow::Result<Own> {
    let opened = Spool::open(&folder, max_bytes);
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
    Ok(Own { folder, spool: Arc::new(spool) })
}

/// Remembers what NATS acknowledges to each login, beside its spool where there is one that counts.
pub(super) fn guard(args: &Args, deliveries: &Deliveries, spools: &Spools, metrics: &Metrics) {
    let whole = args.guard();
    let options = GuardOptions { max_bytes: whole.max_bytes / deliveries.all().count() as u64, ..whole };
    let counts = args.spool.setting() != SpoolSetting::Absent;
    for (account, delivery) in deliveries.all().enumerate() {
        let own = spools.each.get(account).filter(|_| counts);
        let room: Room = match own {
            Some(own) => beside_spool(own.folder.clone(), own.spool.clone(), spools.max_bytes, options.max_bytes),
            None => Box::new(move |_| options.max_bytes),
        };
        delivery.use_guard(options, own.map(|own| own.folder.as_path()), room);
    }
    let (deliveries, mut before) = (deliveries.clone(), GuardStatus::default());
    metrics.read_with(move |metrics| {
        let each: Vec<GuardStatus> = deliveries.all().filter_map(Delivery::guard).collect();
        let missed = each.iter().map(|status| status.missed).sum();
        let again = each.iter().map(|status| status.again).sum();
        let reach = each.iter().map(|status| status.reach).min().unwrap_or_default();
        metrics.guard_seconds().set(reach.as_secs_f64());
        metrics.guard_missed().inc_by(missed - before.missed);
        metrics.guard_republished().inc_by(again - before.again);
        before = GuardStatus { missed, again, ..before };
    });
}

/// Drains the spools, and has them tell on `/readyz` and `/metrics` what they hold.
pub(super) fn drain(
    args: &SpoolArgs,
    deliveries: &Deliveries,
    spools: &Spools,
    readiness: &Readiness,
    metrics: &Metrics,
) {
    let counts = args.setting() != SpoolSetting::Absent;
    if !counts && !spools.each.is_empty() {
        let folder = args.spool_dir.as_deref().unwrap_or(Path::new("")).display();
        warn!(
            "--spool-dir {folder} is not marked as one that outlives the pod, and is not used: mark it with `hookgate spool init --persistent`, or set --spool-volatile"
        );
    }
    for (delivery, own) in deliveries.all().zip(&spools.each) {
        delivery.use_spool(own.spool.clone(), counts);
    }
    if spools.each.is_empty() {
        return;
    }
    let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    metrics.spool_max_bytes().set(gauge(args.spool_max_bytes));
    let all: Vec<Arc<Spool>> = spools.each.iter().map(|own| own.spool.clone()).collect();
    let held = all.clone();
    readiness.read_with("spooling", move || match held.iter().all(|spool| spool.stock().events == 0) {
        true => GateState::Open,
        false => GateState::Degraded,
    });
    metrics.read_with(move |metrics| {
        let stocks: Vec<_> = all.iter().map(|spool| spool.stock()).collect();
        metrics.spool_refused().set(gauge(all.iter().map(|spool| spool.refused_stock().events).sum()));
        metrics.spool_events().set(gauge(stocks.iter().map(|stock| stock.events).sum()));
        metrics.spool_bytes().set(gauge(stocks.iter().map(|stock| stock.bytes).sum()));
        let oldest = stocks.iter().filter_map(|stock| stock.oldest).min();
        let age = oldest.map_or(0, |oldest| jiff::Timestamp::now().as_millisecond() - oldest);
        metrics.spool_oldest().set(Duration::from_millis(age.try_into().unwrap_or(0)).as_secs_f64());
    });
}
