//! What an observation says about the effect of an action: whether it proves or contradicts it, and how to tell people.
//! Pure.

use opendcre_model::{
    Action, ChamberLedSetting, ChamberLedState, Observation, PowerAction, PowerState, excerpt,
};

/// Whether the state shows that the action has the effect that was wanted. A cycle leaves no trace in the state, and a
/// battery unit does not say whether it is on.
pub(super) fn proves(observation: &Observation, action: &Action) -> bool {
    match (action, observation) {
        (Action::Power { action: PowerAction::On, .. }, Observation::Power(report)) => {
            report.state == PowerState::On
        }
        (Action::Power { action: PowerAction::Off, .. }, Observation::Power(report)) => {
            report.state == PowerState::Off
        }
        (Action::SetAssetText { text, .. }, Observation::AssetText { text: stored, .. }) => text == stored,
        (Action::SetBootTarget { boot, .. }, Observation::BootTarget(reported)) => boot == reported,
        (Action::SetLed { on, .. }, Observation::Led { on: lit }) => on == lit,
        (Action::SetFanSpeed { rpm, .. }, Observation::Sensor(reading)) => {
            reading.raw.to_i64() == Some(i64::from(*rpm))
        }
        (Action::SetChamberLed { setting, .. }, Observation::ChamberLed(state)) => shows(state, setting),
        _ => false,
    }
}

/// Whether the state shows that the action does not have the effect that was wanted, though the device answered to it.
///
/// Only lamps show at once what they are told. Fans spin up or down, and turn at about the speed that was set: another
/// speed is what the fan does now, and no contradiction.
pub(super) fn contradicts(observation: &Observation, action: &Action) -> bool {
    matches!(action, Action::SetLed { .. } | Action::SetChamberLed { .. }) && !proves(observation, action)
}

/// Whether a chamber lamp shows everything that was set.
fn shows(state: &ChamberLedState, setting: &ChamberLedSetting) -> bool {
    let ChamberLedSetting { rack: _, on, color, blink } = setting;
    on.is_none_or(|on| on == state.on)
        && color.is_none_or(|color| state.color.eq_ignore_ascii_case(&color.to_string()))
        && blink.is_none_or(|blink| blink == state.blink)
}

/// What is known of the device, in words.
pub(super) fn describe(observation: &Observation) -> String {
    match observation {
        Observation::Power(report) => format!("the device now reports power {}", report.state),
        Observation::Battery(report) => {
            format!("the battery unit now reports {:?}", excerpt(&report.status))
        }
        Observation::AssetText { text, .. } => format!("the device now holds the text {text:?}"),
        Observation::BootTarget(boot) => format!("the server now reports the boot target {}", boot.target),
        Observation::Led { on } => format!("the lamp is now {}", on_off(*on)),
        Observation::Sensor(reading) => format!("the device now reports {}", reading.raw),
        Observation::ChamberLed(ChamberLedState { on, color, blink }) => {
            let blinking = if *blink { "blinking" } else { "steady" };
            format!("the lamp now reports {}, colour {:?}, {blinking}", on_off(*on), excerpt(color))
        }
        _ => "the device answers".to_owned(),
    }
}

const fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests {
    use opendcre_model::{BoardId, DeviceAddress, DeviceId, Rgb};

    use super::*;

    const DEVICE: DeviceAddress = DeviceAddress { board: BoardId(1), device: DeviceId(1) };

    #[test]
    fn a_chamber_lamp_must_show_everything_that_was_set() {
        let proven = |on, color, blink| {
            let setting = ChamberLedSetting { rack: "3".into(), on, color, blink };
            let state = ChamberLedState { on: true, color: "FF8800".into(), blink: false };
            proves(&Observation::ChamberLed(state), &Action::SetChamberLed { device: DEVICE, setting })
        };
        let orange = Rgb([0xff, 0x88, 0]);
        assert!(proven(Some(true), Some(orange), Some(false)));
        assert!(proven(None, Some(orange), None));
        assert!(!proven(Some(false), Some(orange), Some(false)));
        assert!(!proven(Some(true), Some(Rgb([0; 3])), Some(false)));
        assert!(!proven(None, None, Some(true)));
    }

    #[test]
    fn a_lamp_that_shows_something_else_contradicts() {
        let led = |on| contradicts(&Observation::Led { on }, &Action::SetLed { device: DEVICE, on: true });
        assert!(!led(true));
        assert!(led(false));
        let lamp = |blink| {
            let setting = ChamberLedSetting { rack: "3".into(), on: None, color: None, blink: Some(true) };
            let state = ChamberLedState { on: true, color: "ffffff".into(), blink };
            contradicts(&Observation::ChamberLed(state), &Action::SetChamberLed { device: DEVICE, setting })
        };
        assert!(!lamp(true));
        assert!(lamp(false));
    }

    #[test]
    fn an_answer_to_something_else_proves_nothing() {
        let led = Action::SetLed { device: DEVICE, on: true };
        assert!(proves(&Observation::Led { on: true }, &led));
        assert!(!proves(&Observation::Led { on: false }, &led));
        assert!(!proves(&Observation::Done, &led));
    }
}
