//! The one trait that everyone must know.

use std::net::IpAddr;
use std::pin::Pin;
use std::time::Instant;

use jiff::Timestamp;

use crate::{
    AssetInfo, BatteryReport, Board, BoardId, BootOverride, ChamberLedSetting, ChamberLedState,
    DeviceAddress, DeviceKind, DriverError, EventLogPage, HostInfo, Identify, LinkStatistics, LogCursor,
    PowerAction, PowerLimit, PowerReport, RawAnswer, RawRequest, Reading,
};

/// A future that can be kept behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How urgent a request is. Greater is sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Reading a value that nobody waits for.
    Poll,
    /// Finding out what is there.
    Scan,
    /// Reading a value that somebody waits for.
    Read,
    /// Changing something.
    Control,
}

/// What a request may cost.
///
/// A request is cancelled by dropping its future. What is already on the wire is finished all the same; what
/// still waits is never sent.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// When the caller stops waiting. A request that is still queued then is not sent any more.
    pub deadline: Instant,
    /// How urgent it is.
    pub priority: Priority,
}

/// What to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything on this driver's wire.
    All,
    /// One board.
    Board(BoardId),
}

/// A question that changes nothing, so it may be repeated and shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Query {
    /// The firmware version of a board.
    Version(BoardId),
    /// The value of a sensor.
    Sensor {
        /// The sensor.
        device: DeviceAddress,
        /// The kind to ask for; a device answers only to its own kind.
        kind: DeviceKind,
    },
    /// The power state of a device.
    Power {
        /// The device.
        device: DeviceAddress,
        /// Its kind: a power switch, a rectifier or a battery unit.
        kind: DeviceKind,
    },
    /// The free asset text of a device.
    AssetText(DeviceAddress),
    /// The asset information of a device, in fields.
    AssetInfo(DeviceAddress),
    /// From where a server boots next.
    BootTarget(DeviceAddress),
    /// The host names and addresses of a server.
    HostInfo(DeviceAddress),
    /// Whether a lamp is on.
    Led(DeviceAddress),
    /// What has been added to the event log of a server.
    EventLog {
        /// The server.
        device: DeviceAddress,
        /// How far the log has been read.
        after: LogCursor,
    },
}

/// Something that changes equipment. Never repeated without certainty that the first try did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Switch power.
    Power {
        /// What to switch.
        device: DeviceAddress,
        /// Its kind: a power switch, a rectifier or a battery unit.
        kind: DeviceKind,
        /// How.
        action: PowerAction,
    },
    /// Store a free asset text.
    SetAssetText {
        /// Where to store it.
        device: DeviceAddress,
        /// What to store.
        text: String,
    },
    /// Make a server show which one it is.
    Identify {
        /// The server.
        device: DeviceAddress,
        /// Whether, and for how long.
        identify: Identify,
    },
    /// Set from where a server boots next.
    SetBootTarget {
        /// The server.
        device: DeviceAddress,
        /// From where, and for how often.
        boot: BootOverride,
    },
    /// Switch a lamp.
    SetLed {
        /// The lamp.
        device: DeviceAddress,
        /// On or off.
        on: bool,
    },
    /// Set the lamp of a chamber, which several racks share.
    SetChamberLed {
        /// The lamp.
        device: DeviceAddress,
        /// What to show.
        setting: ChamberLedSetting,
    },
    /// Set the speed of a fan.
    SetFanSpeed {
        /// The fan.
        device: DeviceAddress,
        /// Revolutions per minute, 0 to 10000.
        rpm: u16,
    },
    /// Limit the power that a server draws.
    SetPowerLimit {
        /// The server.
        device: DeviceAddress,
        /// The limit; without one the present limit is switched off.
        limit: Option<PowerLimit>,
    },
    /// Remove every entry of a server's event log.
    ClearEventLog {
        /// The server.
        device: DeviceAddress,
    },
    /// Send a command in the words of IPMI. Whatever it does, it counts as a change.
    RawIpmi {
        /// The server.
        device: DeviceAddress,
        /// The command.
        request: RawRequest,
    },
}

/// What a driver learned.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// Answer to [`Query::Version`].
    Version(String),
    /// Answer to [`Query::Sensor`].
    Sensor(Reading),
    /// Answer to [`Query::Power`] and [`Action::Power`] of everything but battery units.
    Power(PowerReport),
    /// Answer to [`Query::Power`] and [`Action::Power`] of a battery unit.
    Battery(BatteryReport),
    /// Answer to [`Query::AssetText`] and [`Action::SetAssetText`].
    AssetText {
        /// The text that is stored now.
        text: String,
        /// Where the device is managed over the network, if it is.
        management_address: Option<IpAddr>,
    },
    /// Answer to [`Query::AssetInfo`].
    AssetInfo(Box<AssetInfo>),
    /// Answer to [`Query::BootTarget`], and to [`Action::SetBootTarget`]: what the server reports now.
    BootTarget(BootOverride),
    /// Answer to [`Query::HostInfo`].
    HostInfo(HostInfo),
    /// Answer to [`Query::Led`] and [`Action::SetLed`]: whether the lamp is on.
    Led {
        /// Whether it is.
        on: bool,
    },
    /// Answer to [`Query::EventLog`].
    EventLog(Box<EventLogPage>),
    /// Answer to [`Action::SetChamberLed`].
    ChamberLed(ChamberLedState),
    /// Answer to [`Action::RawIpmi`].
    RawIpmi(RawAnswer),
    /// Answer to an [`Action`] after which there is nothing to report: it was done.
    Done,
}

impl Query {
    /// The board that is asked.
    #[must_use]
    pub const fn board(&self) -> BoardId {
        match self {
            Self::Version(board) => *board,
            Self::Sensor { device, .. }
            | Self::Power { device, .. }
            | Self::AssetText(device)
            | Self::AssetInfo(device)
            | Self::BootTarget(device)
            | Self::HostInfo(device)
            | Self::Led(device)
            | Self::EventLog { device, .. } => device.board,
        }
    }

    /// The device that is asked; nothing if it is the board itself.
    #[must_use]
    pub const fn device(&self) -> Option<DeviceAddress> {
        match self {
            Self::Version(_) => None,
            Self::Sensor { device, .. }
            | Self::Power { device, .. }
            | Self::AssetText(device)
            | Self::AssetInfo(device)
            | Self::BootTarget(device)
            | Self::HostInfo(device)
            | Self::Led(device)
            | Self::EventLog { device, .. } => Some(*device),
        }
    }

    /// The same question to another board.
    #[must_use]
    pub const fn at(mut self, place: BoardId) -> Self {
        match &mut self {
            Self::Version(board) => *board = place,
            Self::Sensor { device, .. }
            | Self::Power { device, .. }
            | Self::AssetText(device)
            | Self::AssetInfo(device)
            | Self::BootTarget(device)
            | Self::HostInfo(device)
            | Self::Led(device)
            | Self::EventLog { device, .. } => device.board = place,
        }
        self
    }
}

impl Action {
    /// The device that is changed.
    #[must_use]
    pub const fn device(&self) -> DeviceAddress {
        match self {
            Self::Power { device, .. }
            | Self::SetAssetText { device, .. }
            | Self::Identify { device, .. }
            | Self::SetBootTarget { device, .. }
            | Self::SetLed { device, .. }
            | Self::SetChamberLed { device, .. }
            | Self::SetFanSpeed { device, .. }
            | Self::SetPowerLimit { device, .. }
            | Self::ClearEventLog { device }
            | Self::RawIpmi { device, .. } => *device,
        }
    }

    /// The same change of a device of another board.
    #[must_use]
    pub const fn at(mut self, place: BoardId) -> Self {
        match &mut self {
            Self::Power { device, .. }
            | Self::SetAssetText { device, .. }
            | Self::Identify { device, .. }
            | Self::SetBootTarget { device, .. }
            | Self::SetLed { device, .. }
            | Self::SetChamberLed { device, .. }
            | Self::SetFanSpeed { device, .. }
            | Self::SetPowerLimit { device, .. }
            | Self::ClearEventLog { device }
            | Self::RawIpmi { device, .. } => device.board = place,
        }
        self
    }
}

/// Speaks one protocol to the equipment on one wire.
pub trait Driver: Send + Sync {
    /// The label of this wire in logs, metrics and errors.
    fn name(&self) -> &str;

    /// Says whether the wire can be used now, from what is already known: it does no I/O and never waits.
    ///
    /// # Errors
    /// Why the wire cannot be used, usually [`crate::Fault::Gone`].
    fn health(&self) -> Result<(), DriverError>;

    /// What was counted for each partner at the far end of the wire, in the order of their addresses. From what is
    /// known: it does no I/O and never waits. Empty for wires without such partners.
    fn statistics(&self) -> Vec<LinkStatistics> {
        Vec::new()
    }

    /// The boards that are there because the configuration says so, with what is known of them without asking. It does
    /// no I/O and never waits. Empty for wires that can be searched with [`Scope::All`].
    fn configured(&self) -> Vec<Board> {
        Vec::new()
    }

    /// Asks the wire which boards and devices are there. Boards that are [configured](Self::configured) are asked one by
    /// one, never with [`Scope::All`], which only lists them.
    ///
    /// # Errors
    /// [`crate::Fault::Timeout`] when nothing answers, and every other fault of the wire.
    fn discover(&self, scope: Scope, context: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>>;

    /// Asks one question.
    ///
    /// # Errors
    /// Every [`crate::Fault`] but [`crate::Fault::Uncertain`].
    fn read(&self, query: Query, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>>;

    /// Changes something, at most once.
    ///
    /// # Errors
    /// [`crate::Fault::Uncertain`] when the command was sent and its effect is unknown; with any other fault
    /// nothing was changed.
    fn perform(&self, action: Action, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>>;
}

/// Tells the time of day. Passed in, so that tests decide what time it is.
pub trait WallClock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}
