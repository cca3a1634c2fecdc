//! API 2, the native one. It begins with one route and grows with later releases.

use std::time::Duration;

use http::StatusCode;
use http::request::Parts;
use hyper::body::Bytes;
use jiff::Timestamp;
use opendcre_gateway::Gateway;
use opendcre_model::{BoardId, DeviceId, LinkState, LinkStatistics};
use serde::Serialize;

use crate::error::ApiError;
use crate::method::{Methods, Verb};
use crate::reply::{self, Reply};

/// Everything of this generation is below this path.
pub(crate) const BASE: &str = "/opendcre/2";

#[derive(Serialize)]
struct BmcsBody {
    bmcs: Vec<BmcBody>,
}

#[derive(Serialize)]
struct BmcBody {
    board_id: BoardId,
    device_id: DeviceId,
    address: String,
    state: LinkState,
    since: Timestamp,
    /// Why it is down; both nothing otherwise.
    code: Option<&'static str>,
    message: Option<String>,
    requests: u64,
    retries: u64,
    timeouts: u64,
    session_opens: u64,
    dropped: u64,
    /// In microseconds; nothing before the first answer.
    latency_us: Option<u64>,
    pause_us: u64,
    waiting: usize,
    session: bool,
}

/// Answers a request for `path`, which is what follows [`BASE`], decoded.
pub(crate) fn answer(gateway: &Gateway, head: &Parts, path: &str) -> Result<Reply, ApiError> {
    if path != "/bmcs" {
        return Err(ApiError::NotFound);
    }
    match Methods::Read.verb(&head.method)? {
        Verb::List => Ok(reply::allow(Methods::Read)),
        Verb::Check => Ok(reply::json(StatusCode::OK, Bytes::new())),
        Verb::Do => bmcs(gateway),
    }
}

/// What is known of every BMC. Asks none of them.
fn bmcs(gateway: &Gateway) -> Result<Reply, ApiError> {
    let bmcs = gateway.statistics().into_iter().map(BmcBody::from).collect();
    Ok(reply::json(StatusCode::OK, reply::to_json(&BmcsBody { bmcs })?))
}

impl From<LinkStatistics> for BmcBody {
    fn from(link: LinkStatistics) -> Self {
        let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (code, message) = link.failure.map(|failure| (failure.code, failure.message)).unzip();
        Self {
            board_id: link.device.board,
            device_id: link.device.device,
            address: link.address.to_string(),
            state: link.state,
            since: link.since,
            code,
            message,
            requests: link.requests,
            retries: link.retries,
            timeouts: link.timeouts,
            session_opens: link.session_opens,
            dropped: link.dropped,
            latency_us: link.latency.map(microseconds),
            pause_us: microseconds(link.pause),
            waiting: link.waiting,
            session: link.has_session,
        }
    }
}
