//! Forgetting a board that has left for good. No equipment is asked.

use std::sync::Arc;

use opendcre_model::BoardId;

use crate::gateway::Gateway;
use crate::inventory::{BoardRecord, BoardState};
use crate::journal::forgetting;
use crate::{GatewayError, Principal};

impl Gateway {
    /// Forgets a missing board for `principal`: it is not listed any more, nor kept over restarts. It is a new board when it
    /// is seen again; one that the configuration names is also listed again after a restart. What was known of it.
    ///
    /// # Errors
    /// [`GatewayError::Forbidden`], [`GatewayError::UnknownBoard`], [`GatewayError::NotMissing`],
    /// [`GatewayError::AuditUnavailable`] and [`GatewayError::ShuttingDown`]; the board is still known then.
    pub async fn forget(
        &self,
        principal: &Principal,
        board: BoardId,
    ) -> Result<Arc<BoardRecord>, GatewayError> {
        self.authorise_forgetting(principal, board)?;
        let record = self.record(board).ok_or(GatewayError::UnknownBoard(board))?;
        if record.state != BoardState::Missing {
            return Err(GatewayError::NotMissing(record.describe(), record.state));
        }
        let entry = forgetting(principal, &record, self.inner.clock.now());
        self.inner.audit.append(&entry).await.map_err(GatewayError::AuditUnavailable)?;
        let forgotten = self.inventory_mut().forget(board, self.inner.clock.now());
        self.save();
        // It may have come back, or been forgotten by somebody else, while the disk was busy.
        forgotten.ok_or_else(|| match self.record(board) {
            Some(record) => GatewayError::NotMissing(record.describe(), record.state),
            None => GatewayError::UnknownBoard(board),
        })
    }
}
