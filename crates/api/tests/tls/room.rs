//! A server that answers on a free port, with a clock that a test can set.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use opendcre_api::{Api, Entrance, Limits, Listen, Server, Tls, TlsFiles};
use opendcre_auth::{Authenticator, Providers};
use opendcre_gateway::{
    AuditFile, AuditFilter, AuditKind, AuditLog, AuditOrder, AuditQuery, Equipment, Gateway, Policy, Settings,
};
use opendcre_model::WallClock;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        let clock = Arc::new(Self(AtomicI64::new(0)));
        clock.set("2026-12-01T10:00:00Z");
        clock
    }

    pub(crate) fn set(&self, time: &str) {
        self.0.store(time.parse::<Timestamp>().unwrap().as_second(), Ordering::Relaxed);
    }
}

impl WallClock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

pub(crate) struct Room {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) shutdown: CancellationToken,
    tls: Option<Arc<Tls>>,
    server: JoinSet<()>,
    audit: AuditFile,
    _folder: TempDir,
}

impl Room {
    pub(crate) async fn plain(limits: Limits) -> Self {
        Self::start(limits, None, Vec::new()).await
    }

    pub(crate) async fn encrypted(files: TlsFiles) -> Self {
        Self::start(Limits::default(), Some(files), Vec::new()).await
    }

    pub(crate) async fn start(limits: Limits, files: Option<TlsFiles>, more: Vec<Listen>) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), TestClock::new());
        let shared = Arc::clone(&clock) as Arc<dyn WallClock>;
        let audit = AuditLog::open(folder.path().join("audit.db"), Arc::clone(&shared)).unwrap();
        let file = audit.file();
        let gateway = Gateway::new(
            Equipment::default(),
            audit.into(),
            Policy::open(),
            Arc::clone(&shared),
            Settings::default(),
        );
        let providers = Providers { anonymous: true, ..Providers::default() };
        let entrance = Entrance::new(Arc::new(Authenticator::new(providers, Arc::clone(&shared))));
        let tls = files.map(|files| Arc::new(Tls::open(files, shared).unwrap()));
        if let Some(tls) = &tls {
            gateway.watch_over(Arc::clone(tls) as _);
        }
        let api = Api::new(gateway, entrance, clock.as_ref(), limits);
        let loopback = Listen::Tcp("127.0.0.1:0".parse().unwrap());
        let server = Server::bind([loopback].into_iter().chain(more)).await.unwrap();
        let (address, shutdown) = (server.address().unwrap(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(server.run(api, tls.clone(), shutdown.clone()));
        Self { address, clock, shutdown, tls, server: tasks, audit: file, _folder: folder }
    }

    pub(crate) fn tls(&self) -> &Arc<Tls> {
        self.tls.as_ref().unwrap()
    }

    /// A connection on which nothing waits for an acknowledgement, which would come after a time that no test pauses.
    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Stops the server, and waits until it is gone.
    pub(crate) async fn stop(mut self) {
        self.end().await;
    }

    /// The logins that were refused, as the audit log has them once the server is gone.
    pub(crate) async fn refused_logins(mut self) -> Vec<Value> {
        self.end().await;
        let filter = AuditFilter { kind: Some(AuditKind::LoginRefused), ..AuditFilter::default() };
        let query = AuditQuery { after: None, limit: 100, order: AuditOrder::OldestFirst, filter };
        let page = self.audit.page(&query).unwrap();
        page.entries.iter().map(|entry| serde_json::from_str(&entry.text).unwrap()).collect()
    }

    async fn end(&mut self) {
        self.shutdown.cancel();
        self.server.join_next().await.unwrap().unwrap();
    }
}
