//! Vendors' public keys over https: fetched once for all who wait, kept, bounded, never to a private address.
//!
//! The only outbound requests that a delivery can cause. Addresses are judged before they come here; this module
//! judges where names lead: resolved once, connected to what was resolved, no redirects, 2 seconds, 64 KiB.

mod address;
mod client;
mod kept;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ipnet::IpNet;

use self::client::Client;
pub use self::client::FetchError;
use self::kept::{Kept, Step};
use crate::provider::verify::fetched::{FetchedKeys, Wanted};

/// Fetches and keeps vendors' public keys.
pub struct KeyStore {
    client: Result<Client, FetchError>,
    kept: Mutex<Kept>,
}

/// How the fetching of a key went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// This very request made us ask.
    pub asked: bool,
    /// Whether the key is at hand; why not.
    pub outcome: Result<(), FetchError>,
}

impl KeyStore {
    /// A store that fetches where `enabled`, beside public addresses also from these networks. Without a certificate
    /// authority each request learns why nothing is fetched.
    #[must_use]
    pub fn new(enabled: bool, allowed: Vec<IpNet>) -> Self {
        let client = match enabled {
            true => Client::new(allowed).map_err(FetchError::from),
            false => Err(FetchError::Disabled),
        };
        Self { client, kept: Mutex::default() }
    }

    /// Sees to it that a source has the key it wants at hand, with one request for all who want it. Half of what a source
    /// may ask for is kept for senders that are `known`.
    pub async fn fetch(&self, source: &Arc<str>, wanted: &Wanted, known: bool) -> Fetched {
        let client = match &self.client {
            Ok(client) => client,
            Err(error) => return Fetched { asked: false, outcome: Err(error.clone()) },
        };
        loop {
            let step = self.lock().next(source, wanted, known, Instant::now());
            let done = match step {
                Step::AtHand => return Fetched { asked: false, outcome: Ok(()) },
                Step::Refuse(error) => return Fetched { asked: false, outcome: Err(error) },
                Step::Wait(mut waiting) => {
                    // Ends when the one who asks is done, or gave up.
                    drop(waiting.changed().await);
                    continue;
                }
                Step::Ask(done) => done,
            };
            let mut asking = Asking { store: self, wanted, heard: None };
            let heard = client.get(&wanted.url, wanted.post.as_deref()).await;
            let outcome = heard.as_ref().map(|_| ()).map_err(Clone::clone);
            asking.heard = Some(heard);
            drop(asking);
            drop(done);
            let outcome = match outcome {
                // The answer of before may count a while longer.
                Err(_) if self.get(wanted).is_some() => Ok(()),
                outcome => outcome,
            };
            return Fetched { asked: true, outcome };
        }
    }

    /// Fetches an address once, to confirm a subscription. What it answers is not kept.
    ///
    /// # Errors
    /// Why it could not be fetched.
    pub async fn confirm(&self, url: &str) -> Result<(), FetchError> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        client.get(url, None).await.map(|_| ())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while it holds the lock; what a poisoned map holds is whole all the same.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FetchedKeys for KeyStore {
    fn get(&self, wanted: &Wanted) -> Option<Arc<[u8]>> {
        self.lock().get(wanted, Instant::now())
    }
}

/// Keeps what was heard, also when the one who asks is cut off.
struct Asking<'s> {
    store: &'s KeyStore,
    wanted: &'s Wanted,
    heard: Option<Result<Arc<[u8]>, FetchError>>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let heard = self.heard.take();
        self.store.lock().heard(self.wanted, heard, Instant::now());
    }
}
