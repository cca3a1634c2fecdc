//! For how long the lists of what authorities have revoked count. One that is out of date vouches for nobody (RFC 5280
//! §6.3.3), so people must hear of it before.
//!
//! It does not know what is revoked; the TLS library does.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use opendcre_gateway::Defect;
use rustls::pki_types::CertificateRevocationListDer;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// How long before its end a list is warned about: a weekend, and the time to notice.
const SOON: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The lists in a file.
#[derive(Debug, Default)]
pub(super) struct Lists {
    path: PathBuf,
    /// When each of them is out of date (`nextUpdate`).
    ends: Vec<Timestamp>,
}

/// How the list is that ends first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Condition {
    #[default]
    Good,
    EndsSoon(Timestamp),
    OutOfDate(Timestamp),
}

impl Lists {
    /// The `lists` in the file at `path`. What the TLS library refuses anyway does not count.
    pub(super) fn of(path: &Path, lists: &[CertificateRevocationListDer<'_>]) -> Self {
        let end = |list| {
            let (_, list) = CertificateRevocationList::from_der(list).ok()?;
            Timestamp::from_second(list.next_update()?.timestamp()).ok()
        };
        Self { path: path.to_owned(), ends: lists.iter().filter_map(|list| end(list)).collect() }
    }

    /// How many are out of date.
    pub(super) fn out_of_date(&self, now: Timestamp) -> usize {
        self.ends.iter().filter(|end| **end <= now).count()
    }

    pub(super) fn condition(&self, now: Timestamp) -> Condition {
        match self.ends.iter().min() {
            Some(end) if *end <= now => Condition::OutOfDate(*end),
            Some(end) if now.duration_until(*end) <= SOON => Condition::EndsSoon(*end),
            _ => Condition::Good,
        }
    }

    /// Says in the log what has to be done about a condition.
    pub(super) fn warn(&self, condition: Condition) {
        let path = self.path.display();
        match condition {
            Condition::Good => {}
            Condition::EndsSoon(next_update) => tracing::warn!(
                %path,
                %next_update,
                "a revocation list is out of date soon, and then the certificates of its authority are refused; fetch a new one"
            ),
            Condition::OutOfDate(next_update) => tracing::warn!(
                %path,
                %next_update,
                "a revocation list is out of date, and the certificates of its authority are refused; fetch a new one"
            ),
        }
    }

    /// What those are told who watch over the service.
    pub(super) fn defect(&self, now: Timestamp) -> Option<Defect> {
        let Condition::OutOfDate(end) = self.condition(now) else { return None };
        let message = format!(
            "a revocation list in {} is out of date since {end}, and the client certificates of its authority are refused; \
             fetch a new one",
            self.path.display()
        );
        Some(Defect { name: "tls.client_crl".to_owned(), code: "crl_out_of_date", message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn lists(ends: &[&str]) -> Lists {
        Lists { path: "clients.crl".into(), ends: ends.iter().map(|end| at(end)).collect() }
    }

    #[test]
    fn the_list_that_ends_first_counts() {
        let lists = lists(&["2026-12-10T00:00:00Z", "2026-12-05T00:00:00Z"]);
        let (first, second) = (at("2026-12-05T00:00:00Z"), at("2026-12-10T00:00:00Z"));
        let condition = |now| (lists.condition(at(now)), lists.out_of_date(at(now)));
        assert_eq!(condition("2026-12-01T23:59:59Z"), (Condition::Good, 0));
        assert_eq!(condition("2026-12-02T00:00:00Z"), (Condition::EndsSoon(first), 0));
        assert_eq!(condition("2026-12-05T00:00:00Z"), (Condition::OutOfDate(first), 1));
        assert_eq!((lists.condition(second), lists.out_of_date(second)), (Condition::OutOfDate(first), 2));
        assert_eq!(lists.defect(at("2026-12-04T23:59:59Z")), None);
        let defect = lists.defect(first).unwrap();
        assert_eq!((defect.name.as_str(), defect.code), ("tls.client_crl", "crl_out_of_date"));
        assert!(defect.message.contains("clients.crl is out of date since 2026-12-05"), "{}", defect.message);
    }

    #[test]
    fn without_lists_nothing_can_be_out_of_date() {
        let none = Lists::default();
        assert_eq!((none.condition(Timestamp::MAX), none.out_of_date(Timestamp::MAX)), (Condition::Good, 0));
    }
}
