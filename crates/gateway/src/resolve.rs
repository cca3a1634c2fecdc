//! Finding boards: scans, and the question which driver holds a board.

use std::sync::{Arc, MutexGuard, PoisonError};

use futures_util::future::join_all;
use opendcre_model::{Board, BoardId, Context, Driver, DriverError, Fault, Scope};
use tokio::sync::OwnedSemaphorePermit;

use crate::GatewayError;
use crate::gateway::{Gateway, ScanReport};
use crate::inventory::Inventory;
use crate::mount::Mounted;

/// How many boards outside the range of their bus are named in one line of the log.
const NAMED_STRAYS: usize = 16;

/// What one mount answered to a scan.
struct Answer {
    mount: usize,
    driver: String,
    result: Result<Vec<Board>, DriverError>,
}

impl Gateway {
    /// Scans every mount at the same time. Fails only if every mount failed.
    pub(crate) async fn scan_all(&self, context: Context) -> Result<ScanReport, GatewayError> {
        let everywhere = self.inner.mounts.iter().enumerate();
        let mut answers = discover(everywhere, Scope::All, context).await;
        for (answer, mount) in answers.iter_mut().zip(&self.inner.mounts) {
            answer.drop_strays(mount);
        }
        self.learn(&answers);
        let mut report = ScanReport::default();
        let mut answered = answers.is_empty();
        for Answer { driver, result, .. } in answers {
            match result {
                Ok(boards) => {
                    answered = true;
                    report.boards.extend(boards);
                }
                Err(error) => report.failures.push((driver, error)),
            }
        }
        match report.failures.first() {
            Some((_, error)) if !answered => Err(error.clone().into()),
            _ => Ok(report),
        }
    }

    /// Remembers what a scan of every mount found. A board that may also be on a mount that left doubt is
    /// forgotten, even where an earlier scan saw it: it must be looked for before it is used.
    fn learn(&self, answers: &[Answer]) {
        let mut inventory = self.inventory();
        for Answer { mount, result, .. } in answers {
            if let Ok(boards) = result {
                inventory.learn_mount(*mount, boards.iter().map(|board| board.id));
            }
        }
        let leaves_doubt = |answer: &&Answer| answer.result.as_ref().is_err_and(leaves_doubt);
        let doubtful: Vec<usize> = answers.iter().filter(leaves_doubt).map(|answer| answer.mount).collect();
        for board in answers.iter().filter_map(|answer| answer.result.as_ref().ok()).flatten() {
            if self.candidates(board.id).any(|(mount, _)| doubtful.contains(&mount)) {
                inventory.learn_board(board.id, &[]);
            }
        }
    }

    /// Scans one board, on every mount that may hold it, so that its place is known afterwards.
    pub(crate) async fn scan_board(
        &self,
        board: BoardId,
        context: Context,
    ) -> Result<ScanReport, GatewayError> {
        let (_, boards) = self.find(board, context).await?;
        Ok(ScanReport { boards, failures: Vec::new() })
    }

    /// The driver that holds `board`. Asks the wires only if several drivers may hold it and no scan has seen it.
    pub(crate) async fn resolve(
        &self,
        board: BoardId,
        context: Context,
    ) -> Result<Arc<dyn Driver>, GatewayError> {
        let mount = self.choose(board, self.places(board)?, context).await?;
        Ok(Arc::clone(&mount.driver))
    }

    /// The driver that holds `board`, and the right to one change there. The right comes first, on every mount that may
    /// have to be asked: a refused change has asked no wire, and the search is as bounded as the changes are.
    pub(crate) async fn reserve(
        &self,
        board: BoardId,
        context: Context,
    ) -> Result<(Arc<dyn Driver>, OwnedSemaphorePermit), GatewayError> {
        let places = self.places(board)?.into_iter();
        let reserved = places
            .map(|(position, mount)| Ok((position, (Arc::clone(&mount.driver), mount.permit()?))))
            .collect::<Result<Vec<_>, DriverError>>()?;
        self.choose(board, reserved, context).await
    }

    /// Where `board` is, as far as that is known without asking the wires: one mount if it is certain, otherwise all
    /// that may hold it.
    fn places(&self, board: BoardId) -> Result<Vec<(usize, &Mounted)>, GatewayError> {
        let mut places: Vec<_> = self.candidates(board).collect();
        if places.len() > 1 {
            let known = self.known(board);
            match known.len() {
                0 => {}
                1 => places.retain(|(position, _)| known.contains(position)),
                _ => return Err(self.ambiguous(board, &known)),
            }
        }
        if places.is_empty() { Err(GatewayError::UnknownBoard(board)) } else { Ok(places) }
    }

    /// What belongs to the one of `places` that holds `board`. Asks the wires if there are several.
    async fn choose<T>(
        &self,
        board: BoardId,
        mut places: Vec<(usize, T)>,
        context: Context,
    ) -> Result<T, GatewayError> {
        if places.len() > 1 {
            let (holder, _) = self.find(board, context).await?;
            places.retain(|(position, _)| *position == holder);
        }
        places.pop().map(|(_, place)| place).ok_or(GatewayError::UnknownBoard(board))
    }

    /// Asks every candidate for `board`; exactly one may have it.
    async fn find(&self, board: BoardId, context: Context) -> Result<(usize, Vec<Board>), GatewayError> {
        let answers = discover(self.candidates(board), Scope::Board(board), context).await;
        let mut found = Vec::new();
        let mut failures = Vec::new();
        for Answer { mount, result, .. } in answers {
            match result {
                Ok(boards) => found.push((mount, boards)),
                Err(error) => failures.push(error),
            }
        }
        let holders: Vec<usize> = found.iter().map(|(mount, _)| *mount).collect();
        if holders.len() > 1 {
            self.inventory().learn_board(board, &holders);
            return Err(self.ambiguous(board, &holders));
        }
        if let Some(error) = failures.iter().find(|error| leaves_doubt(error)) {
            return Err(error.clone().into());
        }
        match (found.pop(), failures.into_iter().next()) {
            (Some(only), _) => {
                self.inventory().learn_board(board, &holders);
                Ok(only)
            }
            (None, Some(error)) => Err(error.into()),
            (None, None) => Err(GatewayError::UnknownBoard(board)),
        }
    }

    /// The mounts that may hold `board`.
    fn candidates(&self, board: BoardId) -> impl Iterator<Item = (usize, &Mounted)> {
        let mounts = self.inner.mounts.iter().enumerate();
        mounts.filter(move |(_, mount)| mount.boards.contains(&board))
    }

    /// The candidates on which scans have seen `board`.
    fn known(&self, board: BoardId) -> Vec<usize> {
        let inventory = self.inventory();
        let seen = inventory.mounts(board);
        let candidates = self.candidates(board).map(|(mount, _)| mount);
        candidates.filter(|mount| seen.contains(mount)).collect()
    }

    fn ambiguous(&self, board: BoardId, holders: &[usize]) -> GatewayError {
        let mounts = holders.iter().filter_map(|mount| self.inner.mounts.get(*mount));
        GatewayError::AmbiguousBoard {
            board,
            buses: mounts.map(|mount| mount.driver.name().to_owned()).collect(),
        }
    }

    fn inventory(&self) -> MutexGuard<'_, Inventory> {
        // Every change of the table is complete in itself, so a panic elsewhere cannot have broken it.
        self.inner.inventory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    /// Removes the boards outside the range of `mount`: no other command would reach them.
    fn drop_strays(&mut self, mount: &Mounted) {
        let Ok(boards) = &mut self.result else { return };
        let strays: Vec<BoardId> =
            boards.extract_if(.., |board| !mount.boards.contains(&board.id)).map(|board| board.id).collect();
        if !strays.is_empty() {
            let named: Vec<String> = strays.iter().take(NAMED_STRAYS).map(BoardId::to_string).collect();
            tracing::warn!(
                bus = %self.driver,
                boards = %named.join(", "),
                count = strays.len(),
                "boards outside the range of their bus are left out of the scan; widen the range in the configuration"
            );
        }
    }
}

/// Whether a board may be on a mount that failed like this. A wire that is silent or gone does not have it; any
/// other failure leaves it open whether a second board of this name is there, and a change must not go to the
/// wrong one.
const fn leaves_doubt(error: &DriverError) -> bool {
    !matches!(error.fault, Fault::Timeout | Fault::Gone)
}

/// Scans several mounts at the same time; the answers come in the order of the mounts.
async fn discover<'a>(
    mounts: impl Iterator<Item = (usize, &'a Mounted)>,
    scope: Scope,
    context: Context,
) -> Vec<Answer> {
    let scans = mounts.map(|(mount, Mounted { driver, .. })| async move {
        Answer { mount, driver: driver.name().to_owned(), result: driver.discover(scope, context).await }
    });
    join_all(scans).await
}
