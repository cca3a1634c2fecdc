//! One request to API 2, as its handlers see it.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use opendcre_gateway::{Gateway, Principal, View};
use opendcre_model::Subject;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::{Api, Caller};
use crate::problem::Problem;
use crate::request_id::RequestId;

/// A request, and what it can reach. It owns everything, so that an answer can go on after the request was understood.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) api: Api,
    pub(crate) head: Arc<Parts>,
    /// When it was there.
    pub(crate) begun: Instant,
    pub(crate) subject: Arc<Subject>,
    /// Where the connection comes from; nothing for a Unix socket.
    pub(crate) address: Option<IpAddr>,
    /// The address of the client, as text.
    pub(crate) remote: Arc<str>,
    pub(crate) request_id: RequestId,
}

impl Call {
    /// The door.
    pub(super) fn gateway(&self) -> &Gateway {
        self.api.gateway()
    }

    /// Who asks.
    pub(super) fn principal(&self) -> Principal {
        self.caller().principal()
    }

    /// The same, of whom nothing is copied.
    pub(super) fn caller(&self) -> Caller<'_> {
        Caller { subject: &self.subject, remote: &self.remote, request_id: &self.request_id }
    }

    /// What whoever asks may look at.
    pub(super) fn view(&self) -> Result<View, Problem> {
        Ok(self.gateway().view(self.principal())?)
    }

    /// Cancelled when the server stops: who only waits for news waits no longer.
    pub(super) fn stopping(&self) -> &CancellationToken {
        self.api.stopping()
    }
}
