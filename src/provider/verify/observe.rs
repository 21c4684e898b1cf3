//! What `hookgate verify` sees of a verification. On the request line nothing observes and nothing is put together.

/// One step of a verification, for people.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Step {
    /// What was looked at.
    pub step: &'static str,
    /// Whether it was as it must be; `None` for facts.
    pub ok: Option<bool>,
    /// What was found. Never a secret.
    pub detail: String,
}

/// Listens to a verification.
pub trait Observer {
    /// Whether anything listens at all; steps are made only then.
    const LISTENS: bool;
    /// Takes a step.
    fn step(&mut self, step: Step);
}

/// Nothing listens.
pub struct Silent;

impl Observer for Silent {
    const LISTENS: bool = false;
    fn step(&mut self, _: Step) {}
}

impl Observer for Vec<Step> {
    const LISTENS: bool = true;
    fn step(&mut self, step: Step) {
        self.push(step);
    }
}

/// Tells an observer that listens.
pub fn tell<O: Observer>(observer: &mut O, step: &'static str, ok: Option<bool>, detail: impl FnOnce() -> String) {
    if O::LISTENS {
        observer.step(Step { step, ok, detail: detail() });
    }
}
