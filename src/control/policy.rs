//! Which paths a namespace may claim: `--path-policy`.
//!
//! Pure. A policy bounds a namespace, never a single source, and knows nothing of conflicts: two namespaces that may claim one path are
//! settled by the route table.

use std::fmt;
use std::str::FromStr;

use crate::glob;

/// A pattern of paths, such as `/{namespace}/**`.
///
/// `{namespace}` is the namespace of the source, `*` any characters within one segment, `**` whole segments: one or more at the end, none
/// or more elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPolicy {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Text in which `*` stands for any characters and `{namespace}` for the namespace.
    Glob(String),
    /// Whole segments, none or more.
    Deep,
}

/// Why a text is no path policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It does not begin with `/`.
    #[error("--path-policy {0:?} must begin with '/', as in '/{{namespace}}/**'")]
    NoSlash(String),
    /// A segment that no path can have.
    #[error(
        "--path-policy {policy:?}: segment {segment:?} must be '**' or of [A-Za-z0-9._~-], '*' and '{{namespace}}', and neither empty, '.' nor '..'"
    )]
    Segment {
        /// The policy.
        policy: String,
        /// The segment.
        segment: String,
    },
}

const NAMESPACE: &str = "{namespace}";

impl PathPolicy {
    /// Whether a source of `namespace` may claim `path`, which begins with `/`.
    pub fn allows(&self, namespace: &str, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let path: Vec<&str> = path.split('/').collect();
        // reached[i]: the segments of the policy so far can stand for the first i segments of the path.
        let mut reached = vec![false; path.len() + 1];
        reached[0] = true;
        for (at, segment) in self.segments.iter().enumerate() {
            let mut next = vec![false; path.len() + 1];
            match segment {
                Segment::Glob(glob) => {
                    let glob = glob.replace(NAMESPACE, namespace);
                    for (i, text) in path.iter().enumerate() {
                        next[i + 1] = reached[i] && glob::matches(&glob, text);
                    }
                }
                Segment::Deep => {
                    let at_the_end = at + 1 == self.segments.len();
                    let mut open = false;
                    for i in 0..next.len() {
                        next[i] = open || (reached[i] && !at_the_end);
                        open |= reached[i];
                    }
                }
            }
            reached = next;
        }
        reached[path.len()]
    }
}

impl Default for PathPolicy {
    fn default() -> Self {
        Self { text: "/{namespace}/**".to_owned(), segments: vec![Segment::Glob(NAMESPACE.to_owned()), Segment::Deep] }
    }
}

impl FromStr for PathPolicy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let rest = text.strip_prefix('/').ok_or_else(|| PolicyError::NoSlash(text.to_owned()))?;
        let segments = rest.split('/').map(|segment| {
            if segment == "**" {
                return Ok(Segment::Deep);
            }
            let literal = segment.replace(NAMESPACE, "n");
            let known = |c: char| c.is_ascii_alphanumeric() || "._~-*".contains(c);
            if literal.is_empty()
                || literal == "."
                || literal == ".."
                || literal.contains("**")
                || !literal.chars().all(known)
            {
                return Err(PolicyError::Segment { policy: text.to_owned(), segment: segment.to_owned() });
            }
            Ok(Segment::Glob(segment.to_owned()))
        });
        Ok(Self { text: text.to_owned(), segments: segments.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for PathPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: &str, path: &str) -> bool {
        policy.parse::<PathPolicy>().expect(policy).allows("sales", path)
    }

    #[test]
    fn by_default_a_namespace_may_claim_only_what_lies_below_its_name() {
        let policy = PathPolicy::default();
        assert_eq!(policy, "/{namespace}/**".parse().unwrap());
        assert!(policy.allows("sales", "/sales/calls"));
        assert!(policy.allows("sales", "/sales/calls/eu"));
        for other in ["/", "/sales", "/sales2/calls", "/hr/calls", "/hr/sales/calls", "/SALES/calls", "sales/calls"] {
            assert!(!policy.allows("sales", other), "{other}");
        }
    }

    #[test]
    fn stars_stay_within_a_segment_and_double_stars_do_not() {
        assert!(allows("/**", "/anything/at/all"));
        assert!(allows("/hooks/*", "/hooks/x") && !allows("/hooks/*", "/hooks/x/y") && !allows("/hooks/*", "/hooks"));
        assert!(allows("/**/{namespace}", "/sales") && allows("/**/{namespace}", "/a/b/sales"));
        assert!(!allows("/**/{namespace}", "/a/sales/b"));
        assert!(allows("/t-{namespace}-*", "/t-sales-eu") && !allows("/t-{namespace}-*", "/t-hr-eu"));
        assert!(allows("/a*b*c", "/aXbbYc") && !allows("/a*b*c", "/aXc") && !allows("/ab*bc", "/abc"));
        assert!(
            allows("/a/**/b/**/c", "/a/b/c") && allows("/a/**/b/**/c", "/a/x/b/b/y/c") && !allows("/a/**/b", "/a/c")
        );
        assert!(allows("/exact/path", "/exact/path") && !allows("/exact/path", "/exact/paths"));
    }

    #[test]
    fn a_policy_that_no_path_can_meet_is_refused_with_the_segment() {
        for wrong in ["hooks/*", "", "/", "/a//b", "/../x", "/a**", "/{name}/x", "/a b", "/a/"] {
            assert!(wrong.parse::<PathPolicy>().is_err(), "{wrong}");
        }
        let error = "/{tenant}/**".parse::<PathPolicy>().unwrap_err().to_string();
        assert!(error.contains("\"{tenant}\"") && error.contains("{namespace}"), "{error}");
    }
}
