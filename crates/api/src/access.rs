//! The access log: one event per request, also for those whose client did not wait for the answer.

use std::sync::Arc;

use http::request::Parts;
use tokio::time::Instant;

use crate::reply::Reply;
use crate::request_id::RequestId;
use crate::traffic::Traffic;

/// The status of a request whose client went away first. No client ever sees it.
const CLIENT_WENT_AWAY: u16 = 499;

/// The part of a path that is logged, in bytes.
const MAX_PATH: usize = 256;

/// A running request; says how it went, and counts it, when it is dropped.
pub(crate) struct Entry {
    head: Arc<Parts>,
    remote: Arc<str>,
    request_id: RequestId,
    start: Instant,
    status: u16,
    bytes: u64,
    traffic: Arc<Traffic>,
}

impl Entry {
    pub(crate) fn start(
        head: Arc<Parts>,
        remote: Arc<str>,
        request_id: RequestId,
        traffic: Arc<Traffic>,
    ) -> Self {
        let start = Instant::now();
        Self { head, remote, request_id, start, status: CLIENT_WENT_AWAY, bytes: 0, traffic }
    }

    /// What the request says of itself.
    pub(crate) const fn head(&self) -> &Arc<Parts> {
        &self.head
    }

    /// Its name.
    pub(crate) const fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// When the request was there.
    pub(crate) const fn begun(&self) -> Instant {
        self.start
    }

    /// Notes the answer, and logs the request: now, or when the body has been sent if only that says how long it is.
    pub(crate) fn finish(mut self, reply: &mut Reply) {
        self.status = reply.status().as_u16();
        match reply.body().length() {
            Some(bytes) => self.bytes = bytes,
            None => reply.body_mut().log(self),
        }
    }

    /// Notes that so many bytes more were handed over for sending.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let path = self.head.uri.path();
        self.traffic.note(path, self.status, self.bytes);
        tracing::info!(
            target: "access",
            method = self.head.method.as_str(),
            path = path.split_at(path.floor_char_boundary(MAX_PATH)).0,
            status = self.status,
            duration_us = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX),
            bytes = self.bytes,
            remote = %self.remote,
            request_id = self.request_id.as_str(),
        );
    }
}
