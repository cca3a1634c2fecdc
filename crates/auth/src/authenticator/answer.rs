//! What several providers say together of whom none vouches for. It does not know them.

use crate::Failure;
use crate::throttle::Outcome;

/// Why none of several providers vouches for somebody.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    rejections: Vec<String>,
    /// The first one that cannot be asked.
    unavailable: Option<Failure>,
}

impl Failures {
    /// One more does not.
    pub(super) fn add(&mut self, failure: Failure) {
        match failure {
            Failure::Rejected { reason } => self.rejections.push(reason),
            unavailable @ Failure::Unavailable { .. } => {
                self.unavailable.get_or_insert(unavailable);
            }
        }
    }

    /// What has come of a login. A directory that has rejected it counts that, whatever the others say.
    pub(super) fn outcome(&self) -> Outcome {
        if self.rejections.is_empty() && self.unavailable.is_some() {
            Outcome::Unknown
        } else {
            Outcome::Failure
        }
    }

    /// All of them in one: while one cannot be asked, nobody knows.
    pub(super) fn into_one(self) -> Failure {
        self.unavailable.unwrap_or_else(|| match self.rejections.is_empty() {
            true => Failure::Rejected { reason: "no provider knows tokens like that".to_owned() },
            false => Failure::Rejected { reason: self.rejections.join("; ") },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(reason: &str) -> Failure {
        Failure::Rejected { reason: reason.to_owned() }
    }

    fn unavailable(provider: &str) -> Failure {
        Failure::Unavailable { provider: provider.to_owned(), reason: "it is down".to_owned() }
    }

    fn together(failures: &[Failure]) -> (Outcome, Failure) {
        let mut together = Failures::default();
        failures.iter().cloned().for_each(|failure| together.add(failure));
        (together.outcome(), together.into_one())
    }

    #[test]
    fn only_what_all_reject_is_rejected() {
        let (a, b) = (rejected("a"), rejected("b"));
        assert_eq!(together(&[a.clone(), b]), (Outcome::Failure, rejected("a; b")));
        assert_eq!(together(&[unavailable("x"), unavailable("y")]), (Outcome::Unknown, unavailable("x")));
        for mixed in [[a.clone(), unavailable("x")], [unavailable("x"), a]] {
            assert_eq!(together(&mixed), (Outcome::Failure, unavailable("x")));
        }
        assert_eq!(together(&[]), (Outcome::Failure, rejected("no provider knows tokens like that")));
    }
}
