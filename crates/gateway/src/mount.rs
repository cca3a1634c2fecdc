//! Drivers behind the door, each with its boards and the changes that run on it. It knows nothing of what a change is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use opendcre_model::{BoardId, Driver, DriverError, Fault};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Defect, Group, Mode, Thresholds};

/// When it is worth asking again after [`Mount::max_changes`] was reached.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the gateway serves.
#[derive(Default)]
pub struct Equipment {
    /// The drivers.
    pub mounts: Vec<Mount>,
    /// Whether the drivers lead to real equipment.
    pub mode: Mode,
    /// The groups that the configuration names.
    pub groups: Vec<Group>,
    /// What cannot be served; only told to whoever asks how the service is.
    pub defects: Vec<Defect>,
    /// What is normal.
    pub thresholds: Thresholds,
}

/// A driver, and the boards that it may hold. The ranges of several mounts may overlap.
#[derive(Clone)]
pub struct Mount {
    /// Speaks to the equipment.
    pub driver: Arc<dyn Driver>,
    /// The boards that are looked for there.
    pub boards: RangeInclusive<BoardId>,
    /// The rack that holds its boards, unless an annotation says otherwise.
    pub rack: String,
    /// What the configuration says about single boards.
    pub annotations: Vec<Annotation>,
    /// The most changes that run there at the same time, at least 1; the next one is refused as busy.
    ///
    /// A change outlives the caller that hung up, so a limit on connections does not limit changes. What hangs on
    /// one mount takes nothing from the others.
    pub max_changes: usize,
}

/// What the configuration says about a board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotation {
    /// The board, by its id on the wire.
    pub board: BoardId,
    /// Its id in the API is that on the wire, whatever identity answers there. Without it, the id follows the identity.
    pub keeps_id: bool,
    /// The rack that holds it.
    pub rack: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// The names of the host behind it.
    pub hostnames: Vec<String>,
    /// The addresses of the host behind it.
    pub ip_addresses: Vec<IpAddr>,
    /// What its owner wrote on it.
    pub labels: BTreeMap<String, String>,
    /// The groups that its owner put it in.
    pub groups: Vec<String>,
}

/// A mount in use.
pub(crate) struct Mounted {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) boards: RangeInclusive<BoardId>,
    /// Its boards are those of the configuration; none can be found by searching.
    pub(crate) is_configured: bool,
    /// A change holds a permit from before its board is looked for until its outcome is recorded.
    changes: Arc<Semaphore>,
}

impl Mounted {
    /// The right to one change. It is refused at once if too many run.
    pub(crate) fn permit(&self) -> Result<OwnedSemaphorePermit, DriverError> {
        Arc::clone(&self.changes).try_acquire_owned().map_err(|_| self.busy())
    }

    fn busy(&self) -> DriverError {
        let name = self.driver.name();
        let message = format!("too many changes are running on {name}; nothing was sent, ask again later");
        DriverError::new(Fault::Busy { retry_after: RETRY_AFTER }, message)
    }
}

impl From<&Mount> for Mounted {
    fn from(Mount { driver, boards, max_changes, .. }: &Mount) -> Self {
        Self {
            driver: Arc::clone(driver),
            boards: boards.clone(),
            is_configured: !driver.configured().is_empty(),
            changes: Arc::new(Semaphore::new((*max_changes).min(Semaphore::MAX_PERMITS))),
        }
    }
}
