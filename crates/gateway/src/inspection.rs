//! Looking into the audit log through the door.

use crate::audit::{AuditPage, AuditQuery};
use crate::gateway::Gateway;
use crate::{GatewayError, Principal};

impl Gateway {
    /// A page of the audit log.
    ///
    /// # Errors
    /// [`GatewayError::Forbidden`] if the principal may not look into it, [`GatewayError::AuditUnreadable`] if it cannot be
    /// read.
    pub async fn audit(&self, principal: &Principal, query: AuditQuery) -> Result<AuditPage, GatewayError> {
        self.authorise_audit(principal)?;
        let file = self.inner.audit.file();
        let read = tokio::task::spawn_blocking(move || file.page(&query));
        let page = read.await.unwrap_or_else(|failure| Err(self.inner.audit.file().unread(&failure)));
        page.map_err(GatewayError::AuditUnreadable)
    }
}
