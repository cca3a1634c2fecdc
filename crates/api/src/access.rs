//! The access log: one event per request, also for those whose client did not wait for the answer.

use std::net::SocketAddr;

use http::request::Parts;
use hyper::body::Body;
use tokio::time::Instant;

use crate::reply::Reply;
use crate::request_id::RequestId;

/// The status of a request whose client went away first. No client ever sees it.
const CLIENT_WENT_AWAY: u16 = 499;

/// The part of a path that is logged, in bytes.
const MAX_PATH: usize = 256;

/// A running request; says how it went when it is dropped.
pub(crate) struct Entry<'a> {
    head: &'a Parts,
    remote: SocketAddr,
    request_id: &'a RequestId,
    start: Instant,
    status: u16,
    bytes: u64,
}

impl<'a> Entry<'a> {
    pub(crate) fn start(head: &'a Parts, remote: SocketAddr, request_id: &'a RequestId) -> Self {
        Self { head, remote, request_id, start: Instant::now(), status: CLIENT_WENT_AWAY, bytes: 0 }
    }

    /// Notes the answer, and logs the request.
    pub(crate) fn finish(mut self, reply: &Reply) {
        self.status = reply.status().as_u16();
        self.bytes = reply.body().size_hint().lower();
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let path = self.head.uri.path();
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
