//! Tells a broker how boards and devices are: only what is known already, and only what is new. Equipment is never asked.
//!
//! One board is told after the other, and the next one only when the broker has taken what was told. So a broker that is
//! slow is told less often, and nothing piles up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opendcre_gateway::{Answering, BoardRecord, Gateway, Principal, View};
use opendcre_model::{BoardId, DeviceAddress, Extent, Grant, Login, Subject as Caller};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::ledger::{Ledger, Manner};
use super::link::{Message, Sender};
use super::state::Scene;
use super::topic::{Subject, Topics};
use crate::courier::Failure;
use crate::status::Status;

/// How many topics of others are looked at together.
const STRAYS_AT_ONCE: usize = 256;

/// What tells a broker of boards.
pub(crate) struct Teller {
    pub(crate) manner: Manner,
    /// The boards that are told of; every one unless given.
    pub(crate) nodes: Option<String>,
    /// How often everything is looked at.
    pub(crate) interval: Duration,
    pub(crate) sender: Sender,
    /// The boards that there were when that was looked at last.
    pub(crate) places: Places,
    /// Topics at which somebody else tells something, or we did before, of a board that there was not then.
    pub(crate) strays: mpsc::Receiver<String>,
    /// How telling of boards is doing.
    pub(crate) status: Arc<Status>,
}

/// The boards that are told of, for several tasks. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<Arc<Boards>>>);

/// The boards that are told of.
type Boards = BTreeMap<BoardId, Arc<BoardRecord>>;

impl Places {
    /// Whether something is told at `topic` of a board or device that is not there.
    pub(crate) fn is_orphan(&self, topics: &Topics, topic: &str) -> bool {
        let Some(Subject { board, device }) = topics.subject(topic) else { return false };
        let boards = Arc::clone(&self.lock());
        let is_gone = |board: &Arc<BoardRecord>| device.is_some_and(|device| board.device(device).is_none());
        boards.get(&board).is_none_or(is_gone)
    }

    fn replace(&self, boards: Arc<Boards>) {
        *self.lock() = boards;
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Boards>> {
        // It is replaced as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Teller {
    /// Tells until `stop`.
    pub(crate) async fn run(mut self, gateway: Gateway, stop: CancellationToken) {
        stop.run_until_cancelled(self.work(&gateway)).await;
    }

    async fn work(&mut self, gateway: &Gateway) {
        let principal = principal(self.status.name());
        // Before there is a connection, over which much that the broker keeps comes at once.
        self.look(gateway, &principal).ok();
        while let Some(session) = self.sender.session().await {
            // Whatever the broker kept over its own restart: everything is told again.
            let mut ledger = Ledger::default();
            while self.sender.session().await == Some(session) {
                let next = Instant::now() + self.interval;
                match self.round(gateway, &principal, session, &mut ledger).await {
                    Ok(()) => self.status.on_recovered(),
                    Err(Failure::Later(reason, _) | Failure::Never(reason))
                        if self.sender.is_current(session) =>
                    {
                        self.status.on_failed(&reason);
                    }
                    // That there is no connection is told already.
                    Err(_) => {}
                }
                self.watch(gateway, &principal, session, next).await;
            }
        }
    }

    /// Tells what is new.
    async fn round(
        &self,
        gateway: &Gateway,
        principal: &Principal,
        session: u64,
        ledger: &mut Ledger,
    ) -> Result<(), Failure> {
        let (view, boards) = self.look(gateway, principal)?;
        for board in ledger.gone(|board| boards.contains_key(&board)) {
            self.sender.send(session, ledger.clear(&self.manner, board)).await?;
            ledger.forget(board);
        }
        let answering = view.answering();
        for board in boards.values() {
            let messages = ledger.tell(&self.manner, &scene(&view, board, answering.get(&board.id)));
            if messages.is_empty() {
                // There may be thousands of boards, and others have something to do.
                tokio::task::yield_now().await;
                continue;
            }
            if let Err(failure) = self.sender.send(session, messages).await {
                ledger.forget(board.id);
                return Err(failure);
            }
            self.status.on_recovered();
        }
        Ok(())
    }

    /// Until `next`, takes back what the broker keeps of boards and devices that are not there.
    async fn watch(&mut self, gateway: &Gateway, principal: &Principal, session: u64, next: Instant) {
        loop {
            let mut strays = Vec::new();
            tokio::select! {
                () = sleep_until(next) => return,
                _ = self.strays.recv_many(&mut strays, STRAYS_AT_ONCE) => {}
            }
            if self.look(gateway, principal).is_err() {
                return;
            }
            let is_orphan = |topic: &String| self.places.is_orphan(&self.manner.topics, topic);
            let orphans: BTreeSet<String> = strays.into_iter().filter(is_orphan).collect();
            let messages: Vec<Message> = orphans.into_iter().map(Message::clear).collect();
            if !messages.is_empty()
                && let Err(failure) = self.sender.send(session, messages).await
            {
                tracing::warn!(
                    destination = self.status.name(),
                    ?failure,
                    "a broker keeps what is not there any more"
                );
                return;
            }
        }
    }

    /// The boards that are told of.
    fn look(&self, gateway: &Gateway, principal: &Principal) -> Result<(View, Arc<Boards>), Failure> {
        let unseen = |error: String| Failure::Later(format!("cannot tell of any board: {error}"), None);
        let view = gateway.view(principal.clone()).map_err(|error| unseen(error.to_string()))?;
        let boards = match &self.nodes {
            Some(nodes) => view.select(nodes).map_err(|error| unseen(format!("nodes: {error}")))?,
            None => view.boards(),
        };
        let boards: Arc<Boards> = Arc::new(boards.into_iter().map(|board| (board.id, board)).collect());
        self.places.replace(Arc::clone(&boards));
        Ok((view, boards))
    }
}

fn scene<'a>(view: &View, board: &'a BoardRecord, answering: Option<&Answering>) -> Scene<'a> {
    let health = |device| view.device_health(DeviceAddress { board: board.id, device });
    Scene {
        board,
        is_up: board.is_up(answering),
        stale: Answering::stale(answering),
        condition: view.condition(board),
        devices: Scene::devices(&view.known(board), health),
    }
}

/// Whoever wrote the configuration, who may look at everything, and change nothing.
fn principal(name: &str) -> Principal {
    let grant = Grant { role: "viewer".to_owned(), extent: Extent::default() };
    let subject =
        Caller { name: name.to_owned(), login: Login::Local, grants: vec![grant], ..Caller::anonymous() };
    Principal { subject: Arc::new(subject), remote: "configuration".into(), request_id: name.into() }
}
