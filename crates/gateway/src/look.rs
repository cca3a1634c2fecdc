//! Looking for boards: searching buses, asking the boards of the configuration, and keeping at it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use opendcre_model::{Board, BoardId, Context, DriverError, Fault, Observation, Query, Scope};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::GatewayError;
use crate::command::{Command, ScanReport};
use crate::gateway::{Gateway, LastLook};
use crate::inventory::{BoardFailure, BoardRecord, BoardState, Place};
use crate::mount::Mounted;

/// How many boards outside the range of their bus are named in one line of the log.
const NAMED_STRAYS: usize = 16;
/// How many boards of the configuration are asked at the same time on one driver, which paces each of them.
const ASKED_AT_ONCE: usize = 256;

/// How thoroughly to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Search the buses; boards of the configuration are only listed.
    Buses,
    /// Ask the boards of the configuration, too.
    Everything,
}

/// What came of looking, before anybody is told of it.
pub(crate) struct Findings {
    pub(crate) report: ScanReport,
    /// Every driver failed.
    pub(crate) is_nothing: bool,
}

/// What one mount answered to a search.
pub(crate) struct Answer {
    pub(crate) mount: usize,
    pub(crate) driver: String,
    pub(crate) result: Result<Vec<Board>, DriverError>,
}

impl Gateway {
    /// Tells what is known, or looks if that is too old.
    pub(crate) async fn list(&self, scope: Scope, context: Context) -> Result<Findings, GatewayError> {
        let known = self.inner.last_look.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (scope, known) {
            (Scope::All, Some(look)) if look.at.elapsed() <= self.inner.settings.cache => {
                let boards = self.inventory().records().cloned().collect();
                Ok(Findings { report: ScanReport { boards, failures: look.failures }, is_nothing: false })
            }
            _ => self.look(scope, Depth::Everything, context).await,
        }
    }

    /// Looks for boards, and remembers what is found.
    pub(crate) async fn look(
        &self,
        scope: Scope,
        depth: Depth,
        context: Context,
    ) -> Result<Findings, GatewayError> {
        match scope {
            Scope::All => Ok(self.look_everywhere(depth, || context).await),
            Scope::Board(board) => self.look_at(board, depth, context).await,
        }
    }

    /// Looks for everything again and again, every `interval`, until `stop`.
    pub async fn keep_looking(&self, interval: Duration, stop: CancellationToken) {
        let looking = async {
            loop {
                // Nobody waits for all of it, so that each board has all the time that one may take.
                let begun = || self.context(&Command::Refresh(Scope::All));
                let Findings { report, is_nothing } = self.look_everywhere(Depth::Everything, begun).await;
                if let Some((driver, error)) = report.failures.first().filter(|_| is_nothing) {
                    tracing::warn!(driver, code = error.code, %error, "no driver could be searched");
                }
                sleep(interval).await;
            }
        };
        stop.run_until_cancelled(looking).await;
    }

    /// Returns when everything has been looked for at least once, or the service stops.
    pub async fn has_looked(&self) {
        let is_done = || {
            let last = self.inner.last_look.lock().unwrap_or_else(PoisonError::into_inner);
            last.is_some() || self.is_closed()
        };
        self.wait_for_news(is_done).await;
    }

    /// Looks on every mount at the same time. `context` gives what a question may cost that begins now.
    async fn look_everywhere(&self, depth: Depth, context: impl Fn() -> Context + Copy + Send) -> Findings {
        let mounts = self.inner.mounts.iter().enumerate();
        let looks = mounts.map(|(mount, mounted)| self.look_on(mount, mounted, depth, context));
        let answers = join_all(looks).await;
        self.note_doubts(&answers);
        self.save();
        let is_nothing = !answers.is_empty() && answers.iter().all(|answer| answer.result.is_err());
        let mut report = ScanReport::default();
        for Answer { mount, driver, result } in answers {
            match result {
                Ok(boards) => report.boards.extend(self.records(mount, &boards)),
                Err(error) => report.failures.push((driver, error)),
            }
        }
        if depth == Depth::Everything {
            let mut last = self.inner.last_look.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(LastLook { at: Instant::now(), failures: report.failures.clone() });
            self.inner.news.notify_waiters();
        }
        Findings { report, is_nothing }
    }

    async fn look_on(
        &self,
        mount: usize,
        mounted: &Mounted,
        depth: Depth,
        context: impl Fn() -> Context + Copy + Send,
    ) -> Answer {
        let driver = mounted.driver.name().to_owned();
        let configured = mounted.driver.configured();
        let result = if configured.is_empty() {
            let found = self.search(mount, mounted, context()).await;
            if depth == Depth::Everything && found.is_ok() {
                self.ask_firmware(mount, mounted, context).await;
            }
            found
        } else {
            if depth == Depth::Everything {
                self.ask_all(mount, mounted, &configured, context).await;
            }
            Ok(configured)
        };
        Answer { mount, driver, result }
    }

    /// Searches a bus. Its boards are missing if it fails, unless it was only too busy to be searched.
    async fn search(
        &self,
        mount: usize,
        mounted: &Mounted,
        context: Context,
    ) -> Result<Vec<Board>, DriverError> {
        let found = mounted.driver.discover(Scope::All, context).await;
        let now = self.inner.clock.now();
        match found {
            Ok(mut boards) => {
                drop_strays(mounted, &mut boards);
                self.inventory_mut().found_all(mount, &boards, now);
                Ok(boards)
            }
            Err(error) => {
                if !matches!(error.fault, Fault::Busy { .. }) {
                    self.inventory_mut().missed_all(mount, &BoardFailure::from(&error), now);
                }
                Err(error)
            }
        }
    }

    /// Asks the boards of a bus for their firmware that have not told it yet: a search does not. One that does not answer
    /// is asked again the next time.
    async fn ask_firmware(
        &self,
        mount: usize,
        mounted: &Mounted,
        context: impl Fn() -> Context + Copy + Send,
    ) {
        let boards = self.inventory().boards_of(mount);
        let is_unknown = |board: &BoardRecord| board.state == BoardState::Present && board.firmware.is_none();
        for (place, _) in boards.iter().filter(|(_, board)| is_unknown(board)) {
            let answer = mounted.driver.read(Query::Version(place.board), context()).await;
            if let Ok(Observation::Version(firmware)) = answer {
                self.inventory_mut().tell_firmware(*place, firmware);
            }
        }
    }

    /// Asks each of the boards of a configuration. What one of them answers is a matter of that board.
    async fn ask_all(
        &self,
        mount: usize,
        mounted: &Mounted,
        boards: &[Board],
        context: impl Fn() -> Context + Copy + Send,
    ) {
        let places: Vec<Place> = boards.iter().map(|board| Place { mount, board: board.id }).collect();
        let asked = stream::iter(places).map(async |place| {
            let result = mounted.driver.discover(Scope::Board(place.board), context()).await;
            self.note(place, &result);
        });
        asked.buffer_unordered(ASKED_AT_ONCE).collect::<()>().await;
    }

    /// Looks at one board, wherever it may be, so that its place is known afterwards.
    async fn look_at(
        &self,
        board: BoardId,
        depth: Depth,
        context: Context,
    ) -> Result<Findings, GatewayError> {
        let is_listed = depth == Depth::Buses && self.is_configured(board);
        if !is_listed {
            self.find(board, context).await?;
        }
        let record = self.record(board).ok_or(GatewayError::UnknownBoard(board))?;
        let report = ScanReport { boards: vec![record], failures: Vec::new() };
        Ok(Findings { report, is_nothing: false })
    }

    /// Remembers what asking for one board has brought.
    pub(crate) fn note(&self, place: Place, result: &Result<Vec<Board>, DriverError>) {
        let now = self.inner.clock.now();
        match result {
            Ok(boards) => {
                for board in boards.iter().filter(|board| board.id == place.board) {
                    self.inventory_mut().found(place, board, now);
                }
            }
            Err(error) if matches!(error.fault, Fault::Busy { .. }) => {}
            Err(error) => self.inventory_mut().missed(place, BoardFailure::from(error), now),
        }
        self.save();
    }

    /// A board that may also be on a mount that left doubt must be looked for before it is used, even where an earlier
    /// scan saw it.
    fn note_doubts(&self, answers: &[Answer]) {
        let leaves_doubt = |answer: &&Answer| answer.result.as_ref().is_err_and(leaves_doubt);
        let doubtful: Vec<usize> = answers.iter().filter(leaves_doubt).map(|answer| answer.mount).collect();
        let mut inventory = self.inventory_mut();
        inventory.clear_doubts();
        for board in answers.iter().filter_map(|answer| answer.result.as_ref().ok()).flatten() {
            if self.candidates(board.id).any(|(mount, _)| doubtful.contains(&mount)) {
                inventory.doubt(board.id);
            }
        }
    }

    /// What is known of the boards that a mount holds, in the order in which it told them.
    fn records(&self, mount: usize, boards: &[Board]) -> Vec<Arc<BoardRecord>> {
        let inventory = self.inventory();
        let record = |board: &Board| inventory.at(Place { mount, board: board.id }).cloned();
        boards.iter().filter_map(record).collect()
    }
}

/// Removes the boards outside the range of a mount: no other command would reach them.
fn drop_strays(mounted: &Mounted, boards: &mut Vec<Board>) {
    let strays: Vec<BoardId> =
        boards.extract_if(.., |board| !mounted.boards.contains(&board.id)).map(|board| board.id).collect();
    if !strays.is_empty() {
        let named: Vec<String> = strays.iter().take(NAMED_STRAYS).map(BoardId::to_string).collect();
        tracing::warn!(
            bus = mounted.driver.name(),
            boards = %named.join(", "),
            count = strays.len(),
            "boards outside the range of their bus are left out of the scan; widen the range in the configuration"
        );
    }
}

/// Whether a board may be on a mount that failed like this. A wire that is silent or gone does not have it; any
/// other failure leaves it open whether a second board of this name is there, and a change must not go to the
/// wrong one.
pub(crate) const fn leaves_doubt(error: &DriverError) -> bool {
    !matches!(error.fault, Fault::Timeout | Fault::Gone)
}
