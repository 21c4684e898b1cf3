//! An id for a request whose vendor gives it none: nothing is ever taken for its repetition.

use std::cell::OnceCell;

use jiff::Timestamp;

/// What begins such an id.
const ONCE: &str = "once-";

/// The id of one request, made when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Once(OnceCell<String>);

impl Once {
    /// 128 random bits, so that nobody can take an id before its event comes.
    pub(super) fn id(&self, received: Timestamp) -> String {
        let made = self.0.get_or_init(|| {
            let mut bits = [0; 16];
            if aws_lc_rs::rand::fill(&mut bits).is_err() {
                // A system without random numbers: the clock still tells requests apart.
                bits = received.as_nanosecond().to_be_bytes();
            }
            format!("{ONCE}{}", hex::encode(bits))
        });
        made.clone()
    }
}
