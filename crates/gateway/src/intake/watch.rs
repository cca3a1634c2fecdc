//! What becomes of the history, for those who listen to the events. It looks at what the history says of itself, and neither
//! keeps nor reads a value.

use std::time::Duration;

use tokio::time::Instant;

use crate::SetAside;
use crate::event::NewEvent;
use crate::event::service::{
    history_ahead, history_missing, history_on_disk_again, history_only_in_memory, history_set_aside,
};
use crate::history::HistoryStatistics;

/// How often it is told that more is missing, while more and more is.
const PAUSE: Duration = Duration::from_secs(60);

/// What was told of the history last.
#[derive(Debug, Default)]
pub(super) struct HistoryWatch {
    has_failed: bool,
    set_aside: Option<SetAside>,
    was_ahead: bool,
    lost: u64,
    damaged: u64,
    /// When it was told last that something is missing.
    missing_at: Option<Instant>,
}

impl HistoryWatch {
    /// What is new.
    pub(super) fn look(
        &mut self,
        health: Result<(), String>,
        statistics: HistoryStatistics,
        now: Instant,
    ) -> Vec<NewEvent> {
        let HistoryStatistics { lost, damaged, is_ahead, set_aside, .. } = statistics;
        let mut news = Vec::new();
        if let Some(set_aside) = set_aside.filter(|set_aside| self.set_aside.as_ref() != Some(set_aside)) {
            news.push(history_set_aside(&set_aside));
            self.set_aside = Some(set_aside);
        }
        let had_failed = std::mem::replace(&mut self.has_failed, health.is_err());
        match health {
            Err(failure) if !had_failed => news.push(history_only_in_memory(&failure)),
            Ok(()) if had_failed => news.push(history_on_disk_again()),
            _ => {}
        }
        if !std::mem::replace(&mut self.was_ahead, is_ahead) && is_ahead {
            news.push(history_ahead());
        }
        let is_more = lost > self.lost || damaged > self.damaged;
        if is_more && self.missing_at.is_none_or(|at| now.saturating_duration_since(at) >= PAUSE) {
            news.push(history_missing(lost.saturating_sub(self.lost), damaged.saturating_sub(self.damaged)));
            (self.lost, self.damaged, self.missing_at) = (lost, damaged, Some(now));
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(news: &[NewEvent]) -> Vec<&str> {
        news.iter().map(|event| event.detail["code"].as_str().unwrap()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_becomes_of_the_history_is_told_once() {
        let mut watch = HistoryWatch::default();
        let mut look = |health: Result<(), String>, lost, damaged| {
            let statistics = HistoryStatistics { lost, damaged, ..HistoryStatistics::default() };
            watch.look(health, statistics, Instant::now())
        };
        let broken = || Err("the disk is full".to_owned());
        assert!(look(Ok(()), 0, 0).is_empty());
        assert_eq!(codes(&look(broken(), 0, 0)), ["history_only_in_memory"]);
        assert_eq!(codes(&look(broken(), 7, 1)), ["history_missing"]);
        assert!(look(broken(), 20, 1).is_empty(), "more and more is lost");
        tokio::time::advance(PAUSE).await;
        let told = look(broken(), 30, 1);
        assert_eq!((codes(&told), &told[0].detail["lost"]), (vec!["history_missing"], &23.into()));
        assert_eq!(codes(&look(Ok(()), 30, 1)), ["history_on_disk_again"]);
        assert!(look(Ok(()), 30, 1).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn samples_from_the_future_are_told_once() {
        let mut watch = HistoryWatch::default();
        let mut look = |is_ahead| {
            let statistics = HistoryStatistics { is_ahead, ..HistoryStatistics::default() };
            watch.look(Ok(()), statistics, Instant::now()).len()
        };
        assert_eq!([look(false), look(true), look(true), look(false)], [0, 1, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_file_that_is_set_aside_is_told() {
        let mut watch = HistoryWatch::default();
        let mut look = |number: u32| {
            let path = format!("/x/history.db.set-aside-{number}").into();
            let set_aside = SetAside { path, code: "history_damaged", message: String::new() };
            let statistics = HistoryStatistics { set_aside: Some(set_aside), ..HistoryStatistics::default() };
            watch.look(Ok(()), statistics, Instant::now()).len()
        };
        assert_eq!([look(1), look(1), look(2), look(2)], [1, 0, 1, 0]);
    }
}
