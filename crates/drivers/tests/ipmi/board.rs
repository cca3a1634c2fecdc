//! An emulated server as a board: what is found of it, what its devices answer, and what it costs.

use std::sync::Arc;

use opendcre_drivers::ipmi::Settings;
use opendcre_emulator::bmc::{Defects, Handle, Pin, SensorConfig, SensorKind};
use opendcre_model::{
    Action, BootOverride, BootTarget, Capability, Device, DeviceId, DeviceKind, Driver, DriverError, Fault,
    Health, Identify, Observation, PowerAction, Priority, Quality, Quantity, Query, SERVER_LED, SERVER_POWER,
    SERVER_SYSTEM,
};
use tokio::task::JoinSet;

use super::support::{Served, context, emulate, operator, part};

fn serve(emulated: &Handle) -> Served {
    Served::open(emulated.bmcs().addresses(), &operator(), Settings::default())
}

/// How many commands the first BMC has carried out.
fn commands(emulated: &Handle) -> u64 {
    emulated.bmcs().with(0, |bmc, _| bmc.counters().commands).unwrap()
}

fn pin(emulated: &Handle, sensor: &str, value: Pin) {
    assert_eq!(emulated.bmcs().with(0, |bmc, _| bmc.pin(sensor, Some(value))), Some(true), "{sensor}");
}

async fn read(bmcs: &Served, query: Query) -> Result<Observation, DriverError> {
    bmcs.read(query, context(Priority::Read)).await
}

async fn change(bmcs: &Served, action: Action) -> Result<Observation, DriverError> {
    bmcs.perform(action, context(Priority::Control)).await
}

#[tokio::test]
async fn every_sensor_is_found_and_read() {
    let emulated = emulate(1, |_| {});
    let bmcs = serve(&emulated);
    let board = bmcs.board(1).await.unwrap();
    assert_eq!(board.firmware.as_deref(), Some("1.74"));
    assert!(board.identity.as_ref().unwrap().0.starts_with("uuid:"), "{:?}", board.identity);
    let name = |device: &Device| (device.kind, device.name.clone().unwrap());
    let (server, sensors) = board.devices.split_at(3);
    assert!(server.iter().all(|device| device.kind.name() == device.name.as_deref().unwrap()));
    let expected = [
        (DeviceKind::Temperature, "CPU1 Temp", Some(Quantity::TemperatureCelsius)),
        (DeviceKind::Temperature, "CPU2 Temp", Some(Quantity::TemperatureCelsius)),
        (DeviceKind::Temperature, "Inlet Temp", Some(Quantity::TemperatureCelsius)),
        (DeviceKind::Temperature, "Exhaust Temp", Some(Quantity::TemperatureCelsius)),
        (DeviceKind::FanSpeed, "FAN1", Some(Quantity::SpeedRpm)),
        (DeviceKind::FanSpeed, "FAN2", Some(Quantity::SpeedRpm)),
        (DeviceKind::Voltage, "12V", Some(Quantity::VoltageVolts)),
        (DeviceKind::Voltage, "3.3V", Some(Quantity::VoltageVolts)),
        (DeviceKind::Voltage, "VBAT", Some(Quantity::VoltageVolts)),
        (DeviceKind::Sensor, "System Power", Some(Quantity::PowerWatts)),
        (DeviceKind::Sensor, "Airflow", Some(Quantity::Other("CFM".into()))),
        (DeviceKind::PowerSupply, "PS1 Status", None),
        (DeviceKind::Sensor, "CPU1 Status", None),
        (DeviceKind::Sensor, "Chassis Intru", None),
    ];
    assert_eq!(
        sensors.iter().map(name).collect::<Vec<_>>(),
        expected.iter().map(|(kind, name, _)| (*kind, (*name).to_owned())).collect::<Vec<_>>()
    );
    for (device, (kind, name, quantity)) in sensors.iter().zip(expected) {
        assert_eq!(device.capabilities.iter().collect::<Vec<_>>(), [Capability::Reading], "{name}");
        let reading = bmcs.sensor(1, device.id, kind).await.unwrap();
        assert_eq!((reading.kind, reading.quality), (kind, Quality::Good), "{name}");
        let quantities: Vec<_> = reading.measurements.iter().map(|value| value.quantity.clone()).collect();
        assert_eq!(quantities, quantity.into_iter().collect::<Vec<_>>(), "{name}");
        assert!(reading.measurements.iter().all(|value| value.value > 0.0), "{name}: {reading:?}");
    }
    bmcs.stop().await;
}

#[tokio::test]
async fn a_reading_says_what_it_means() {
    let emulated = emulate(1, |_| {});
    let bmcs = serve(&emulated);
    let (cpu, supply) = (DeviceId(1), DeviceId(12));
    for (value, health, count) in [
        (50.0, Health::Ok, 0),
        (90.0, Health::Warning, 1),
        (96.0, Health::Critical, 2),
        (120.0, Health::Failed, 3),
    ] {
        pin(&emulated, "CPU1 Temp", Pin::Value(value));
        let reading = bmcs.sensor(1, cpu, DeviceKind::Temperature).await.unwrap();
        assert_eq!(reading.value(&Quantity::TemperatureCelsius), Some(value));
        assert_eq!((reading.health, reading.states.len()), (health, count), "{reading:?}");
    }
    pin(&emulated, "PS1 Status", Pin::States(0b11));
    let reading = bmcs.sensor(1, supply, DeviceKind::PowerSupply).await.unwrap();
    assert_eq!(reading.states, ["presence detected", "failure detected"]);
    assert_eq!(reading.health, Health::Critical);
    pin(&emulated, "PS1 Status", Pin::Unavailable);
    let reading = bmcs.sensor(1, supply, DeviceKind::PowerSupply).await.unwrap();
    assert_eq!(
        (reading.quality, reading.health, reading.states.len()),
        (Quality::Unavailable, Health::Ok, 0)
    );
    bmcs.stop().await;
}

#[tokio::test]
async fn what_needs_power_is_unavailable_while_the_server_is_off() {
    let emulated = emulate(1, |_| {});
    let bmcs = serve(&emulated);
    bmcs.power(1, PowerAction::Off).await.unwrap();
    let fan = bmcs.sensor(1, DeviceId(5), DeviceKind::FanSpeed).await.unwrap();
    assert_eq!((fan.quality, fan.measurements.len()), (Quality::Unavailable, 0));
    let battery = bmcs.sensor(1, DeviceId(9), DeviceKind::Voltage).await.unwrap();
    assert_eq!((battery.quality, battery.measurements.len()), (Quality::Good, 1));
    bmcs.stop().await;
}

#[tokio::test]
async fn the_server_itself_answers_through_its_own_devices() {
    let emulated = emulate(1, |_| {});
    let bmcs = serve(&emulated);
    let draw = bmcs.sensor(1, SERVER_POWER, DeviceKind::Power).await.unwrap();
    assert!(draw.value(&Quantity::PowerWatts).unwrap() > 50.0, "{draw:?}");

    let Ok(Observation::AssetInfo(asset)) = read(&bmcs, Query::AssetInfo(part(1, SERVER_SYSTEM))).await
    else {
        panic!("no asset information")
    };
    assert_eq!(
        (asset.product.manufacturer.as_str(), asset.product.asset_tag.as_str()),
        ("OpenDCRE", "unassigned")
    );
    assert_eq!(asset.chassis.chassis_type, "Rack Mount Chassis");
    assert_eq!(asset.board.product_name, "Emulated Board");
    assert_eq!(asset.management_address, Some([127, 0, 0, 1].into()));

    let boot = BootOverride { target: BootTarget::Pxe, persistent: false, efi: true };
    let set = Action::SetBootTarget { device: part(1, SERVER_SYSTEM), boot };
    assert_eq!(change(&bmcs, set).await, Ok(Observation::BootTarget(boot)));
    let asked = read(&bmcs, Query::BootTarget(part(1, SERVER_SYSTEM))).await;
    assert_eq!(asked, Ok(Observation::BootTarget(boot)));

    let version = read(&bmcs, Query::Version(part(1, SERVER_SYSTEM).board)).await;
    assert_eq!(version, Ok(Observation::Version("1.74".to_owned())));
    bmcs.stop().await;
}

#[tokio::test]
async fn the_lamp_is_switched_and_read_back() {
    let emulated = emulate(1, |_| {});
    let bmcs = serve(&emulated);
    let device = part(1, SERVER_LED);
    for on in [true, false] {
        assert_eq!(change(&bmcs, Action::SetLed { device, on }).await, Ok(Observation::Led { on }));
        assert_eq!(emulated.bmcs().with(0, |bmc, now| bmc.is_identified(now)), Some(on));
        assert_eq!(read(&bmcs, Query::Led(device)).await, Ok(Observation::Led { on }));
    }
    let identify = Action::Identify { device, identify: Identify::Seconds(60) };
    assert_eq!(change(&bmcs, identify).await, Ok(Observation::Done));
    assert_eq!(read(&bmcs, Query::Led(device)).await, Ok(Observation::Led { on: true }));
    bmcs.stop().await;
}

#[tokio::test]
async fn what_a_device_cannot_do_is_refused_and_nothing_is_sent() {
    let emulated = emulate(1, |_| {});
    let bmcs = serve(&emulated);
    bmcs.board(1).await.unwrap();
    let before = commands(&emulated);
    let (power, fan) = (part(1, SERVER_POWER), part(1, DeviceId(5)));
    for (action, code) in [
        (Action::SetLed { device: power, on: true }, "unknown_device"),
        (Action::ClearEventLog { device: power }, "unknown_device"),
        (
            Action::Power { device: part(1, SERVER_LED), kind: DeviceKind::Power, action: PowerAction::Off },
            "unknown_device",
        ),
        (Action::SetFanSpeed { device: fan, rpm: 4000 }, "unsupported"),
        (Action::SetAssetText { device: power, text: "x".to_owned() }, "unsupported"),
    ] {
        let error = change(&bmcs, action).await.unwrap_err();
        assert_eq!((error.fault, error.code), (Fault::Unsupported, code), "{error}");
        assert!(error.message.ends_with("; nothing was sent"), "{error}");
    }
    assert_eq!(commands(&emulated), before);
    bmcs.stop().await;
}

#[tokio::test]
async fn a_board_that_is_known_costs_few_commands() {
    let emulated = emulate(1, |_| {});
    let bmcs = serve(&emulated);
    let board = bmcs.board(1).await.unwrap();
    let walked = commands(&emulated);
    assert!(walked > 20, "{walked}");
    assert_eq!(bmcs.board(1).await, Ok(board));
    assert_eq!(commands(&emulated), walked + 3);
    bmcs.stop().await;
}

/// Everybody may ask at once; who does not fit into the queue is told so, and the others are answered.
#[tokio::test]
async fn too_many_readers_of_one_board_are_refused_cleanly() {
    const COUNT: u16 = 200;
    let emulated = emulate(1, |config| {
        let sensor = |number| SensorConfig {
            excursion: None,
            name: format!("Temp {number}"),
            kind: SensorKind::CpuTemperature,
            nominal: None,
        };
        config.machine.sensors = (1..=COUNT).map(sensor).collect();
    });
    let bmcs = Arc::new(serve(&emulated));
    assert_eq!(bmcs.board(1).await.unwrap().devices.len(), 3 + usize::from(COUNT));
    let mut readers = JoinSet::new();
    for number in 1..=COUNT {
        let bmcs = Arc::clone(&bmcs);
        readers.spawn(async move { bmcs.sensor(1, DeviceId(number), DeviceKind::Temperature).await });
    }
    let answers = readers.join_all().await;
    let backlog = Settings::default().backlog;
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() >= backlog);
    for refusal in answers.into_iter().filter_map(Result::err) {
        assert!(matches!(refusal.fault, Fault::Busy { .. }) && refusal.code == "bmc_busy", "{refusal}");
    }
    assert!(bmcs.sensor(1, DeviceId(COUNT), DeviceKind::Temperature).await.is_ok());
    Arc::into_inner(bmcs).unwrap().stop().await;
}

#[tokio::test]
async fn hostile_records_end_somewhere() {
    for defects in [
        Defects { sdr_loop: true, ..Defects::default() },
        Defects { sdr_endless: true, ..Defects::default() },
        Defects { fru_endless: true, ..Defects::default() },
    ] {
        let emulated = emulate(1, |_| {});
        emulated.bmcs().with(0, |bmc, _| bmc.set_defects(defects));
        let bmcs = serve(&emulated);
        let board = bmcs.board(1).await.unwrap();
        assert_eq!(board.devices.len(), 3 + 14, "{defects:?}");
        let walked = commands(&emulated);
        bmcs.board(1).await.unwrap();
        assert_eq!(commands(&emulated), walked + 3, "{defects:?}");
        read(&bmcs, Query::AssetInfo(part(1, SERVER_SYSTEM))).await.unwrap();
        bmcs.stop().await;
    }
}
