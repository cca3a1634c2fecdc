//! What may be ordered, and its translation into what the door understands, target by target.

use opendcre_model::{
    Action, BoardId, BootOverride, Capability, ChamberLedSetting, Device, DeviceAddress, DeviceId, Identify,
    PowerAction, Rgb, Scope,
};
use serde_json::Value;

use super::record::{JobKind, TargetResult, TargetState};
use crate::{BoardRecord, Command};

/// A change of devices. Every target gets the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobAction {
    /// Switch power.
    Power(PowerAction),
    /// Set from where a server boots next.
    SetBootTarget(BootOverride),
    /// Switch a lamp.
    SetLed {
        /// On or off.
        on: bool,
    },
    /// Set the lamp of a chamber. What is not set stays as it is.
    SetChamberLed {
        /// On or off.
        on: Option<bool>,
        /// The colour.
        color: Option<Rgb>,
        /// Blinking or steady.
        blink: Option<bool>,
    },
    /// Make a server show which one it is.
    Identify(Identify),
    /// Set the speed of a fan.
    SetFanSpeed {
        /// Revolutions per minute, 0 to 10000.
        rpm: u16,
    },
    /// Store a free asset text.
    SetAssetText(String),
}

/// One order for many targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub(super) kind: JobKind,
    pub(super) request: Value,
    pub(super) targets: Vec<Target>,
    /// What a device must be able to do for it.
    needs: Option<Capability>,
}

/// One target of an order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    board: BoardId,
    board_name: String,
    rack: String,
    device: Option<DeviceId>,
    command: Command,
    /// As far as its capabilities say.
    can_do_it: bool,
}

impl Order {
    /// The change `action` of every one of `targets`, as the client ordered it with `request`. The targets of a board are
    /// attended to one by one, in this order.
    #[must_use]
    pub fn change<'a>(
        action: &JobAction,
        targets: impl IntoIterator<Item = (&'a BoardRecord, &'a Device)>,
        request: Value,
    ) -> Self {
        let needs = action.needs();
        let target = |(board, device): (&BoardRecord, &Device)| {
            let command = Command::Action(action.of(board, device));
            let can_do_it = device.capabilities.has(needs);
            Target { device: Some(device.id), can_do_it, ..Target::new(board, command) }
        };
        let targets = targets.into_iter().map(target).collect();
        Self { kind: action.kind(), request, targets, needs: Some(needs) }
    }

    /// That every one of `boards` is asked what it is and holds, as the client ordered it with `request`.
    #[must_use]
    pub fn refresh<'a>(boards: impl IntoIterator<Item = &'a BoardRecord>, request: Value) -> Self {
        let target = |board: &BoardRecord| Target::new(board, Command::Refresh(Scope::Board(board.id)));
        let targets = boards.into_iter().map(target).collect();
        Self { kind: JobKind::Scan, request, targets, needs: None }
    }

    /// What will be carried out, target by target.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &Command> {
        self.targets.iter().map(|target| &target.command)
    }

    /// What every target lacks, if none can do it. Whether some can is for each to say when its turn comes.
    pub(crate) fn lacks(&self) -> Option<Capability> {
        let can_any = self.targets.is_empty() || self.targets.iter().any(|target| target.can_do_it);
        self.needs.filter(|_| !can_any)
    }

    /// What will come of it at every target, before anything has.
    pub(super) fn results(&self) -> Vec<TargetResult> {
        self.targets.iter().map(Target::result).collect()
    }
}

impl Target {
    /// A target that is a whole board.
    fn new(board: &BoardRecord, command: Command) -> Self {
        let (board_name, rack) = (board.name.clone(), board.rack.clone());
        Self { board: board.id, board_name, rack, device: None, command, can_do_it: true }
    }

    fn result(&self) -> TargetResult {
        TargetResult {
            board: self.board,
            board_name: self.board_name.clone(),
            rack: self.rack.clone(),
            device: self.device,
            state: TargetState::Waiting,
            code: None,
            message: None,
            result: None,
        }
    }

    pub(super) const fn board(&self) -> BoardId {
        self.board
    }

    pub(super) fn into_command(self) -> Command {
        self.command
    }
}

impl JobAction {
    const fn kind(&self) -> JobKind {
        match self {
            Self::Power(_) => JobKind::Power,
            Self::SetBootTarget(_) => JobKind::Boot,
            Self::SetLed { .. } | Self::SetChamberLed { .. } => JobKind::Led,
            Self::Identify(_) => JobKind::Identify,
            Self::SetFanSpeed { .. } => JobKind::Fan,
            Self::SetAssetText(_) => JobKind::Asset,
        }
    }

    /// What a device must be able to do for it.
    const fn needs(&self) -> Capability {
        match self {
            Self::Power(_) => Capability::PowerControl,
            Self::SetBootTarget(_) => Capability::BootTarget,
            Self::SetLed { .. } => Capability::Led,
            Self::SetChamberLed { .. } => Capability::ChamberLed,
            Self::Identify(_) => Capability::Identify,
            Self::SetFanSpeed { .. } => Capability::FanControl,
            Self::SetAssetText(_) => Capability::AssetTextControl,
        }
    }

    /// This change of one device.
    fn of(&self, board: &BoardRecord, Device { id, kind, .. }: &Device) -> Action {
        let device = DeviceAddress { board: board.id, device: *id };
        match self {
            Self::Power(action) => Action::Power { device, kind: *kind, action: *action },
            Self::SetBootTarget(boot) => Action::SetBootTarget { device, boot: *boot },
            Self::SetLed { on } => Action::SetLed { device, on: *on },
            Self::SetChamberLed { on, color, blink } => {
                let setting =
                    ChamberLedSetting { rack: board.rack.clone(), on: *on, color: *color, blink: *blink };
                Action::SetChamberLed { device, setting }
            }
            Self::Identify(identify) => Action::Identify { device, identify: *identify },
            Self::SetFanSpeed { rpm } => Action::SetFanSpeed { device, rpm: *rpm },
            Self::SetAssetText(text) => Action::SetAssetText { device, text: text.clone() },
        }
    }
}
