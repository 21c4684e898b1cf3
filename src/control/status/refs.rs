//! What status says of secretRefs: what closes the route first, then what does not.
//!
//! Pure. No message tells more of a Secret than the source's own text.

use crate::api::condition::{Problem, Reason};
use crate::control::resolve::Resolved;

/// What is wrong with refs, and the ends that are past while others of their purpose live: those are what a rotation leaves behind, and
/// nothing that anybody must be woken for.
pub(crate) fn judge(resolved: &Resolved) -> (Vec<Problem>, Vec<Problem>) {
    let lives = |purpose: Option<&String>| {
        resolved.refs.iter().any(|other| other.purpose.as_ref() == purpose && other.value.is_ok())
    };
    let (mut closing, mut others, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for written in &resolved.refs {
        let Err(problem) = &written.value else { continue };
        match (lives(written.purpose.as_ref()), problem.reason) {
            (false, _) => closing.push(problem.clone()),
            (true, Reason::SecretExpired) => ended.push(problem.clone()),
            (true, _) => others.push(problem.clone()),
        }
    }
    closing.extend(others);
    (closing, ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::resolve::ResolvedRef;
    use crate::secret::SecretBytes;

    fn written(purpose: Option<&str>, value: Result<&str, Reason>) -> ResolvedRef {
        ResolvedRef {
            name: "s".to_owned(),
            key: "k".to_owned(),
            purpose: purpose.map(str::to_owned),
            not_after: None,
            value: value
                .map(|value| SecretBytes::new(value.as_bytes().to_vec()))
                .map_err(|reason| Problem::new(reason, "", reason.as_str())),
        }
    }

    #[test]
    fn what_closes_comes_first_and_a_rotation_is_no_alert() {
        let resolved = Resolved {
            refs: vec![
                written(None, Ok("v")),
                written(None, Err(Reason::SecretExpired)),
                written(None, Err(Reason::KeyNotFound)),
                written(Some("bearer"), Err(Reason::SecretExpired)),
            ],
        };
        let (problems, ended) = judge(&resolved);
        assert_eq!(problems.iter().map(|p| p.reason).collect::<Vec<_>>(), [Reason::SecretExpired, Reason::KeyNotFound]);
        assert_eq!(ended.iter().map(ToString::to_string).collect::<Vec<_>>(), ["SecretExpired"]);
    }
}
