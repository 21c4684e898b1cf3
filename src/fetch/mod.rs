//! Vendors' public keys over https: fetched once for all who wait, kept, bounded, never to a private address.
//!
//! The only outbound requests that a delivery can cause. Addresses are judged before they come here; this module
//! judges where names lead: resolved once, connected to what was resolved, no redirects, 2 seconds, 64 KiB.

mod address;
mod client;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::watch;

use self::client::Client;
pub use self::client::FetchError;
use crate::provider::verify::fetched::{FetchedKeys, Wanted};

/// How long a failure is remembered, so that strangers cannot make us ask again and again.
const FAILED: Duration = Duration::from_secs(30);
/// How soon an unknown key id may ask for a fresh answer.
const FRESH: Duration = Duration::from_secs(60);
/// The most answers that are kept.
const MAX_ANSWERS: usize = 256;

/// Fetches and keeps vendors' public keys.
pub struct KeyStore {
    client: Option<Client>,
    answers: Mutex<HashMap<Question, Entry>>,
}

/// What is asked: address and body.
type Question = (String, Option<String>);

enum Entry {
    Known { answer: Arc<[u8]>, at: Instant, keep: Duration },
    Failed { error: FetchError, at: Instant },
    Asking(watch::Receiver<()>),
}

impl KeyStore {
    /// A store that fetches where `enabled`, beside public addresses also from these networks.
    ///
    /// # Errors
    /// Where the system's certificate authorities cannot be read.
    pub fn new(enabled: bool, allowed: Vec<IpNet>) -> Result<Self, FetchError> {
        Ok(Self { client: enabled.then(|| Client::new(allowed)).transpose()?, answers: Mutex::default() })
    }

    /// Sees to it that a key is at hand, with one request for all who want it.
    ///
    /// # Errors
    /// Why it is not to be had now.
    pub async fn fetch(&self, wanted: &Wanted) -> Result<(), FetchError> {
        let Some(client) = &self.client else { return Err(FetchError::Disabled) };
        let question = (wanted.url.clone(), wanted.post.clone());
        loop {
            let done = {
                let mut answers = self.lock();
                let waiting = match answers.get(&question) {
                    Some(Entry::Known { answer, at, keep }) if fresh(answer, *at, *keep, wanted) => return Ok(()),
                    Some(Entry::Failed { error, at }) if at.elapsed() < FAILED => return Err(error.clone()),
                    Some(Entry::Asking(waiting)) => Some(waiting.clone()),
                    _ => None,
                };
                match waiting {
                    Some(waiting) => Err(waiting),
                    None => {
                        let (done, waiting) = watch::channel(());
                        make_room(&mut answers);
                        answers.insert(question.clone(), Entry::Asking(waiting));
                        Ok(done)
                    }
                }
            };
            match done {
                // Ends when the one who asks is done, or gave up.
                Err(mut waiting) => drop(waiting.changed().await),
                Ok(_done) => {
                    let mut asking = Asking { store: self, question: &question, entry: None };
                    let answered = client.get(&wanted.url, wanted.post.as_deref()).await;
                    let at = Instant::now();
                    let result = answered.as_ref().map(|_| ()).map_err(Clone::clone);
                    asking.entry = Some(match answered {
                        Ok(answer) => Entry::Known { answer, at, keep: wanted.keep },
                        Err(error) => Entry::Failed { error, at },
                    });
                    return result;
                }
            }
        }
    }

    /// Fetches an address once, to confirm a subscription. What it answers is not kept.
    ///
    /// # Errors
    /// Why it could not be fetched.
    pub async fn confirm(&self, url: &str) -> Result<(), FetchError> {
        let client = self.client.as_ref().ok_or(FetchError::Disabled)?;
        client.get(url, None).await.map(|_| ())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Question, Entry>> {
        // Nothing panics while it holds the lock; what a poisoned map holds is whole all the same.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FetchedKeys for KeyStore {
    fn get(&self, wanted: &Wanted) -> Option<Arc<[u8]>> {
        match self.lock().get(&(wanted.url.clone(), wanted.post.clone())) {
            Some(Entry::Known { answer, at, keep }) if fresh(answer, *at, *keep, wanted) => Some(answer.clone()),
            _ => None,
        }
    }
}

/// Puts the outcome in the place of the question, also when the one who asks is cut off.
struct Asking<'s> {
    store: &'s KeyStore,
    question: &'s Question,
    entry: Option<Entry>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut answers = self.store.lock();
        match self.entry.take() {
            Some(entry) => drop(answers.insert(self.question.clone(), entry)),
            None => drop(answers.remove(self.question)),
        }
    }
}

/// An answer counts while it is kept; an id that it does not hold asks for another, but not at once.
fn fresh(answer: &[u8], at: Instant, keep: Duration, wanted: &Wanted) -> bool {
    let holds = |kid: &String| memchr::memmem::find(answer, kid.as_bytes()).is_some();
    at.elapsed() < keep && (wanted.kid.as_ref().is_none_or(holds) || at.elapsed() < FRESH)
}

fn make_room(answers: &mut HashMap<Question, Entry>) {
    while answers.len() >= MAX_ANSWERS {
        let oldest = answers
            .iter()
            .filter_map(|(question, entry)| match entry {
                Entry::Known { at, .. } | Entry::Failed { at, .. } => Some((*at, question.clone())),
                Entry::Asking(_) => None,
            })
            .min();
        match oldest {
            Some((_, question)) => drop(answers.remove(&question)),
            None => return,
        }
    }
}
