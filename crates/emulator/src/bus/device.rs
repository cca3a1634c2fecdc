//! One emulated device: what it answers to which command, and the state that some commands change.
//!
//! Knows no packets; the addresses have been compared already.

use std::collections::HashMap;

use opendcre_devicebus::{ChamberLed, Command, Override, PowerSwitch};
use opendcre_model::{DeviceId, DeviceKind};

use super::answer::{Answer, Script};

/// The answer of a write that was accepted.
const ACCEPTED: &[u8] = b"W1";
/// A chamber lamp remembers the state of so many racks; what further racks set is answered, but not kept.
const MAX_RACKS: usize = 1024;

/// One device. A command without its answers stays unanswered.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) id: DeviceId,
    pub(super) kind: DeviceKind,
    /// Whether commands change what is read back.
    pub(super) has_state: bool,
    pub(super) read: Option<Script>,
    pub(super) power: Option<Power>,
    pub(super) write: Option<Write>,
    pub(super) asset: Asset,
    pub(super) boot_target: Option<Script>,
    pub(super) host_info: Option<Script>,
}

/// The answers to power commands, one list for all of them, or one for each state.
#[derive(Debug, Clone)]
pub(super) struct Power {
    pub(super) initial: Script,
    pub(super) on: Option<Script>,
    pub(super) off: Option<Script>,
    /// What was switched last, if anything was.
    pub(super) is_on: Option<bool>,
}

/// What a write does.
#[derive(Debug, Clone)]
pub(super) enum Write {
    /// It is answered and changes nothing.
    Script(Script),
    /// It is accepted and read back from then on.
    Store,
    /// It sets the lamp of a chamber.
    Lamp(Lamp),
}

/// The lamp of a chamber, which every rack sees in the state that it set itself.
#[derive(Debug, Clone)]
pub(super) struct Lamp {
    /// "state,color,blink" for racks that have set nothing yet.
    pub(super) initial: Vec<u8>,
    /// The same by rack.
    pub(super) racks: HashMap<String, Vec<u8>>,
}

/// What is known of the equipment around the device.
#[derive(Debug, Clone)]
pub(super) enum Asset {
    /// Nothing, until a text is stored.
    None,
    /// Free text (1.1).
    Text(Vec<u8>),
    /// Answers with the fields of asset information (1.3).
    Script(Script),
}

impl Device {
    /// The answer to a command that is addressed to this device, or to the repetition of one.
    pub(super) fn answer(&mut self, command: &Command, is_repeat: bool) -> Answer {
        let script = match command {
            Command::AssetText => return self.asset_text(),
            Command::SetAssetText(text) => return self.set_asset_text(text),
            Command::WriteLed(on) => return self.write(if *on { "1" } else { "0" }, is_repeat),
            Command::WriteFan(rpm) => return self.write(rpm, is_repeat),
            Command::ChamberLed(led) => return self.set_chamber_led(led, is_repeat),
            Command::Read => self.read.as_mut(),
            Command::PowerStatus => self.power.as_mut().map(|power| power.switch(None)),
            Command::Power(action) => self.power.as_mut().map(|power| power.switch(Some(*action))),
            Command::AssetInfo => match &mut self.asset {
                Asset::Script(script) => Some(script),
                Asset::None | Asset::Text(_) => None,
            },
            Command::BootTarget => self.boot_target.as_mut(),
            Command::SetBootTarget(target) => {
                if let Some(stored) = self.boot_target.as_mut().filter(|_| self.has_state) {
                    *stored = Script::constant(vec![b'B', target.code()]);
                }
                self.boot_target.as_mut()
            }
            Command::HostInfo => self.host_info.as_mut(),
            Command::Scan | Command::Version | Command::Repeat => None,
        };
        script.map_or(Answer::Silence, |script| script.advance(is_repeat))
    }

    fn asset_text(&self) -> Answer {
        match &self.asset {
            Asset::Text(text) => Answer::Data(text.clone()),
            Asset::None | Asset::Script(_) => Answer::Silence,
        }
    }

    fn set_asset_text(&mut self, text: &[u8]) -> Answer {
        if matches!(self.asset, Asset::Script(_)) {
            return Answer::Silence;
        }
        self.asset = Asset::Text(text.to_vec());
        Answer::Data(text.to_vec())
    }

    fn write(&mut self, text: &str, is_repeat: bool) -> Answer {
        match &mut self.write {
            Some(Write::Script(script)) => script.advance(is_repeat),
            Some(Write::Store) => {
                self.read = Some(Script::constant(text.into()));
                Answer::Data(ACCEPTED.into())
            }
            Some(Write::Lamp(_)) | None => Answer::Silence,
        }
    }

    fn set_chamber_led(&mut self, led: &ChamberLed, is_repeat: bool) -> Answer {
        if self.kind != DeviceKind::VaporLed {
            return Answer::Silence;
        }
        match &mut self.write {
            Some(Write::Script(script)) => script.advance(is_repeat),
            Some(Write::Lamp(lamp)) => Answer::Data(lamp.set(led)),
            Some(Write::Store) | None => Answer::Silence,
        }
    }
}

impl Power {
    /// Switches, and gives the answers of the state that results. Cycling ends where it began.
    fn switch(&mut self, action: Option<PowerSwitch>) -> &mut Script {
        match action {
            Some(PowerSwitch::On) => self.is_on = Some(true),
            Some(PowerSwitch::Off) => self.is_on = Some(false),
            Some(PowerSwitch::Cycle) | None => {}
        }
        let switched = match self.is_on {
            Some(true) => self.on.as_mut(),
            Some(false) => self.off.as_mut(),
            None => None,
        };
        switched.unwrap_or(&mut self.initial)
    }
}

impl Lamp {
    /// Sets the state that a rack sees, unless its blinking is to be left alone, which leaves everything alone.
    fn set(&mut self, led: &ChamberLed) -> Vec<u8> {
        if led.blink == Override::Keep {
            return self.racks.get(&led.rack).unwrap_or(&self.initial).clone();
        }
        let (state, blink) = (setting(led.state), setting(led.blink));
        let color = led.color.as_deref().unwrap_or(setting(Override::Keep));
        let text = format!("{state},{color},{blink}").into_bytes();
        if self.racks.len() < MAX_RACKS || self.racks.contains_key(&led.rack) {
            self.racks.insert(led.rack.clone(), text.clone());
        }
        text
    }
}

const fn setting(value: Override) -> &'static str {
    match value {
        Override::Keep => "-1",
        Override::Off => "0",
        Override::On => "1",
    }
}
