//! Every login to NATS, with a connection, streams, bucket, guard and spool of its own, so that one that is away holds up no
//! other. Which of them is whose is decided elsewhere; here they have numbers, and 0 is the default one.

use std::sync::Arc;

use tokio::sync::watch;

use super::Delivery;
use crate::subject::Readings;

/// All of them. Shared by all routes.
#[derive(Clone, Debug)]
pub struct Deliveries {
    default: Delivery,
    others: Arc<[Delivery]>,
}

impl Deliveries {
    /// The default login, and those from 1 on.
    pub fn new(default: Delivery, others: Vec<Delivery>) -> Self {
        Self { default, others: others.into() }
    }

    /// The one of this number.
    pub fn of(&self, account: usize) -> &Delivery {
        account.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.default)
    }

    /// All, by their numbers.
    pub fn all(&self) -> impl Iterator<Item = &Delivery> {
        std::iter::once(&self.default).chain(self.others.iter())
    }

    /// The streams of each as last read, and their changes. Must be called within a tokio runtime.
    pub fn streams(&self) -> watch::Receiver<Readings> {
        let (sender, receiver) = watch::channel(self.all().map(|one| one.streams().borrow().clone()).collect());
        let sender = Arc::new(sender);
        for (account, delivery) in self.all().enumerate() {
            let (mut streams, sender) = (delivery.streams(), sender.clone());
            tokio::spawn(async move {
                loop {
                    let now = streams.borrow_and_update().clone();
                    sender.send_if_modified(|all: &mut Readings| {
                        std::mem::replace(&mut all[account], now.clone()) != now
                    });
                    if streams.changed().await.is_err() {
                        return;
                    }
                }
            });
        }
        receiver
    }
}
