//! What every connection goes through: its beginning, its requests, and its end.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use opendcre_gateway::RefusedLogin;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::activity::{Activity, Wait};
use super::exchange::{self, Conversation, Exchange};
use super::greeting::{self, Greeted, GreetingError, Version};
use super::listener::Socket;
use super::pace::Pace;
use super::place::{Place, Places};
use crate::api::Api;
use crate::limits::Limits;
use crate::peer::{Peer, Remote};
use crate::problem::Code;
use crate::tls::Tls;
use crate::vitals::Vitals;

/// The smallest buffer that the HTTP library takes.
const MIN_BUFFER: usize = 8192;
/// How much of an answer HTTP/2 takes at once, in bytes: one frame (RFC 9113 §4.2). What it has taken cannot be seen to
/// wait for the client any more.
const FRAME: u32 = 16 * 1024;
/// What an HTTP/2 client may send of all request bodies together before the server has read it, in bytes.
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// Streams that a client of HTTP/2 may have opened and reset before the server has looked at them, and how often it may make
/// mistakes that cost no more than a stream.
const RESET_STREAMS: usize = 20;
const LOCAL_RESETS: usize = 64;
/// How often to look how fast a client takes what waits for it.
const LOOK: Duration = Duration::from_secs(1);
/// How long an idle client has to take note of the end of the connection.
const GOODBYE: Duration = Duration::from_millis(500);

/// What every connection needs. Clones are for the same server.
#[derive(Clone)]
pub(super) struct Connections {
    api: Api,
    tls: Option<Arc<Tls>>,
    limits: Limits,
    places: Places,
    http1: http1::Builder,
    http2: http2::Builder<Tasks>,
    /// Connections finish their requests and close.
    closing: CancellationToken,
    /// Connections close at once.
    cut_off: CancellationToken,
}

/// Runs what the HTTP library wants to do besides, so that the server does not stop before it is done.
#[derive(Clone)]
struct Tasks(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// Why a connection ends before the client ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It has to leave, because the server stops or for another one.
    Leaves,
    /// It was idle, or its header came too slowly.
    Idle,
    /// Its client takes its answers too slowly.
    TooSlow,
}

// === impl Connections ===

impl Connections {
    pub(super) fn new(api: Api, tls: Option<Arc<Tls>>, tasks: &TaskTracker) -> Self {
        let (limits, closing) = (api.limits(), CancellationToken::new());
        let places = Places::new(limits, closing.clone());
        api.belongs_to(|| Vitals { places: places.clone(), tls: tls.clone() });
        Self {
            places,
            http1: http1(&limits),
            http2: http2(&limits, tasks),
            api,
            tls,
            limits,
            closing,
            cut_off: CancellationToken::new(),
        }
    }

    /// A place for a connection from `remote`; nothing if it must be closed.
    pub(super) async fn admit(&self, remote: Remote) -> Option<Place> {
        self.places.admit(remote, self.tls_for(remote).is_some()).await
    }

    /// Serves one client until it leaves, or has to.
    pub(super) async fn serve(self, socket: Socket, remote: Remote, place: Place) {
        let greeting = Box::pin(self.greet(socket, remote, &place));
        let Some(greeted) = place.leave.run_until_cancelled(greeting).await else { return };
        match greeted {
            Ok(greeted) => self.converse(greeted, &place).await,
            Err(error) => {
                tracing::debug!(%error, ?remote, "a connection led to nothing");
                self.note_bad_certificate(&error, remote);
            }
        }
    }

    /// Whose client certificate is refused has tried to log in.
    fn note_bad_certificate(&self, error: &GreetingError, remote: Remote) {
        let Some(reason) = error.about_certificate() else { return };
        let remote = Peer::new(remote);
        self.api.gateway().note_refused_login(RefusedLogin {
            claimed: None,
            remote: remote.text(),
            request_id: "",
            code: Code::UNAUTHENTICATED.name,
            reason: &reason,
        });
    }

    /// Unix sockets never speak TLS: what is said on them stays on this machine.
    fn tls_for(&self, remote: Remote) -> Option<&Arc<Tls>> {
        self.tls.as_ref().filter(|_| matches!(remote, Remote::Tcp(_)))
    }

    async fn greet(&self, socket: Socket, remote: Remote, place: &Place) -> Result<Greeted, GreetingError> {
        prepare(&socket, &self.limits)?;
        let patience = self.limits.send_timeout;
        let greeting = async {
            match self.tls_for(remote) {
                Some(tls) => greeting::encrypted(tls, socket, remote, place, patience).await,
                None => greeting::plain(socket, remote, place, patience).await,
            }
        };
        timeout(self.limits.header_timeout, greeting).await.unwrap_or(Err(GreetingError::TooLate))
    }

    async fn converse(self, greeted: Greeted, place: &Place) {
        let Greeted { transport, version, peer } = greeted;
        let io = TokioIo::new(transport);
        let (api, activity) = (self.api.clone(), Arc::clone(&place.activity));
        let conversation = Arc::new(Conversation { api, peer, activity, piece: piece(version) });
        let service = service_fn(move |request| exchange::respond(request, Exchange::begin(&conversation)));
        match version {
            Version::Http1 => self.drive(self.http1.serve_connection(io, service), place).await,
            Version::Http2 => self.drive(self.http2.serve_connection(io, service), place).await,
        }
    }

    /// Lets a connection live until it ends by itself, or has to end.
    async fn drive<C>(&self, connection: C, place: &Place)
    where
        C: GracefulConnection<Error = hyper::Error>,
    {
        let mut connection = pin!(connection);
        let end = tokio::select! {
            biased;
            served = connection.as_mut() => return report(served),
            () = place.leave.cancelled() => End::Leaves,
            end = watch(&place.activity, &self.limits) => end,
        };
        tracing::debug!(?end, "ending a connection");
        self.part(connection, end, place).await;
    }

    /// Ends a connection as politely as its end allows.
    async fn part<C>(&self, mut connection: Pin<&mut C>, end: End, place: &Place)
    where
        C: GracefulConnection<Error = hyper::Error>,
    {
        match end {
            End::Leaves if self.closing.is_cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    served = connection => report(served),
                    () = self.cut_off.cancelled() => {}
                    _ = watch(&place.activity, &self.limits) => {}
                }
            }
            End::Idle => {
                connection.as_mut().graceful_shutdown();
                let _ = timeout(GOODBYE, connection).await;
            }
            // Its place is somebody else's already, or its client would not take note.
            End::Leaves | End::TooSlow => {}
        }
    }

    /// Lets connections finish their requests, and cuts off those that take too long.
    pub(super) async fn drain(&self, tasks: &TaskTracker) {
        tasks.close();
        self.closing.cancel();
        if timeout(self.limits.drain_timeout, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "cutting off requests that take too long to finish");
            self.cut_off.cancel();
            tasks.wait().await;
        }
    }
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // The time limits are kept by `watch`, which has one timer for a connection instead of one for each request.
    http.header_read_timeout(None)
        // A client that has said everything (`nc -N`) still wants its answer.
        .half_close(true)
        // The library takes `Limits::HEADERS` header fields by itself. Where it is told so, it fills room for as many at
        // every request.
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(MIN_BUFFER));
    http
}

fn http2(limits: &Limits, tasks: &TaskTracker) -> http2::Builder<Tasks> {
    let mut http = http2::Builder::new(Tasks(tasks.clone()));
    http.max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .initial_stream_window_size(
            u32::try_from(limits.body_bytes).unwrap_or(u32::MAX).min(CONNECTION_WINDOW),
        )
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_send_buf_size(FRAME as usize);
    http
}

/// How much of an answer is handed over at once.
const fn piece(version: Version) -> usize {
    match version {
        // Here the socket itself shows what the client does not take.
        Version::Http1 => usize::MAX,
        Version::Http2 => FRAME as usize,
    }
}

fn report(served: Result<(), hyper::Error>) {
    if let Err(error) = served {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Waits until a connection should end: it waits too long for a request, or for its client to take an answer.
async fn watch(activity: &Activity, limits: &Limits) -> End {
    let mut pace = Pace::new(limits.send_timeout);
    let mut sent = activity.sent();
    loop {
        let now = Instant::now();
        let (before, wait) = (sent, activity.wait());
        sent = activity.sent();
        if wait == Wait::Taking || !pace.is_full() {
            pace.took(sent.wrapping_sub(before), now);
        }
        let (end, next) = match wait {
            Wait::Request(since) => {
                let end = since + limits.header_timeout;
                (Some((end, End::Idle)), end)
            }
            Wait::Taking => {
                let end = pace.waits(now);
                (Some((end, End::TooSlow)), end.min(now + LOOK))
            }
            Wait::Other => (None, now + limits.header_timeout),
        };
        match end {
            Some((time, end)) if time <= now => return end,
            _ => sleep_until(next).await,
        }
    }
}

/// Answers leave at once, and a client that no longer takes them does not keep its place.
fn prepare(socket: &Socket, limits: &Limits) -> io::Result<()> {
    let Either::Left(stream) = socket else { return Ok(()) };
    stream.set_nodelay(true)?;
    let patience = u32::try_from(limits.send_timeout.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(stream, patience)?;
    Ok(())
}
