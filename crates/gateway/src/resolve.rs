//! Finding boards: scans, and the question which driver holds a board.

use std::sync::{Arc, MutexGuard, PoisonError};

use futures_util::future::join_all;
use opendcre_model::{Board, BoardId, Context, Driver, DriverError, Fault, Scope};

use crate::GatewayError;
use crate::gateway::{Gateway, Mount, ScanReport};
use crate::inventory::Inventory;

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
        let answers = discover(everywhere, Scope::All, context).await;
        let mut report = ScanReport::default();
        let mut answered = answers.is_empty();
        for Answer { mount, driver, result } in answers {
            match result {
                Ok(boards) => {
                    answered = true;
                    self.inventory().learn_mount(mount, boards.iter().map(|board| board.id));
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
        let candidates: Vec<usize> = self.candidates(board).map(|(mount, _)| mount).collect();
        let mount = match candidates.as_slice() {
            [] => return Err(GatewayError::UnknownBoard(board)),
            [only] => *only,
            _ => match self.known(board).as_slice() {
                [] => self.find(board, context).await?.0,
                [only] => *only,
                several => return Err(self.ambiguous(board, several)),
            },
        };
        let mount = self.inner.mounts.get(mount);
        let mount = mount.ok_or(GatewayError::UnknownBoard(board))?;
        Ok(Arc::clone(&mount.driver))
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
        // A wire that is silent or gone does not have the board. Any other failure leaves it open whether a second
        // board of this name is there, and a change must not go to the wrong one.
        let in_doubt = |error: &&DriverError| !matches!(error.fault, Fault::Timeout | Fault::Gone);
        if let Some(error) = failures.iter().find(in_doubt) {
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
    fn candidates(&self, board: BoardId) -> impl Iterator<Item = (usize, &Mount)> {
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

/// Scans several mounts at the same time; the answers come in the order of the mounts.
async fn discover<'a>(
    mounts: impl Iterator<Item = (usize, &'a Mount)>,
    scope: Scope,
    context: Context,
) -> Vec<Answer> {
    let scans = mounts.map(|(mount, Mount { driver, .. })| async move {
        Answer { mount, driver: driver.name().to_owned(), result: driver.discover(scope, context).await }
    });
    join_all(scans).await
}
