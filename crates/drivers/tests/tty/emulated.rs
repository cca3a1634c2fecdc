//! The bus driver and the emulated bus, which remembers what is set.

use opendcre_devicebus::{Protocol, ReplyMatching};
use opendcre_drivers::devicebus::BusConfig;
use opendcre_emulator::bus::{EmulatedBus, Handle, Options, Room};
use opendcre_model::{
    Action, BoardId, BootOverride, BootTarget, Capability, ChamberLedSetting, ChamberLedState, DeviceAddress,
    DeviceId, DeviceKind, Driver, DriverError, Fault, Observation, PowerAction, PowerState, Priority,
    Quantity, Query, Rgb, Scope,
};

use super::common::{ServedBus, context, open};

const SYSTEM: DeviceAddress = at(1);
const LED: DeviceAddress = at(2);
const FAN: DeviceAddress = at(3);
const CHAMBER_FAN: DeviceAddress = at(4);
const RECTIFIER: DeviceAddress = at(5);
const BATTERY: DeviceAddress = at(6);
const CHAMBER_LED: DeviceAddress = at(7);
const PRESSURE: DeviceAddress = at(8);
const STUCK_LED: DeviceAddress = at(9);
const NOISY_LED: DeviceAddress = at(10);
const POWER: DeviceAddress = at(11);

const ROOM: &str = r#"{"boards": [{"board_id": "00000070", "firmware_version": "chamber 1.3", "devices": [
    {"device_id": "0001", "device_type": "system", "has_state": true,
     "asset_info": {"repeatable": true, "responses": ["Acme,B-1,Main board,S01,Rack,C-1,S02,A7,Acme,P-1,Node,S03,1.0"]},
     "boot_target": "B0", "hdd": "B1", "pxe": "B2", "no_override": "B0",
     "host_info": {"repeatable": true, "responses": ["hnode4,i10.2.0.4,i2001:db8::4"]}},
    {"device_id": "0002", "device_type": "led", "has_state": true, "read": 0, "write": true},
    {"device_id": "0003", "device_type": "fan_speed", "has_state": true, "read": 1000, "write": true},
    {"device_id": "0004", "device_type": "vapor_fan", "has_state": true, "read": 2000, "write": true},
    {"device_id": "0005", "device_type": "vapor_rectifier", "has_state": true,
     "power": "64,0,0,0", "on": "0,4095,4095,4095", "off": "64,0,0,0"},
    {"device_id": "0006", "device_type": "vapor_battery", "power": {"repeatable": true, "responses": ["charging,88"]}},
    {"device_id": "0007", "device_type": "vapor_led", "has_state": true, "write": "0,000000,0"},
    {"device_id": "0008", "device_type": "pressure", "read": {"repeatable": true, "responses": ["101.3"]}},
    {"device_id": "0009", "device_type": "led",
     "read": {"repeatable": true, "responses": [0]}, "write": {"repeatable": true, "responses": ["W0"]}},
    {"device_id": "000a", "device_type": "led",
     "read": {"repeatable": true, "responses": [[1, 10, 999, 16, 0, 0, 0, 112, 0, 10, 49, 0, 4]],
              "retry_responses": [[1, 10, 999, 16, 0, 0, 0, 112, 0, 10, 49, 1002, 4]]},
     "write": {"repeatable": true, "responses": [null, [1, 11, 999, 16, 0, 0, 0, 112, 0, 10, 87, 49, 0, 4]],
               "retry_responses": [[1, 11, 999, 16, 0, 0, 0, 112, 0, 10, 87, 49, 1002, 4]]}},
    {"device_id": "000b", "device_type": "power", "asset_info": "web-01",
     "power": {"repeatable": true, "responses": ["0,12000,2400,3356"]}}
]}]}"#;

const fn at(device: u16) -> DeviceAddress {
    DeviceAddress { board: BoardId(0x70), device: DeviceId(device) }
}

fn plug(protocol: Protocol) -> (Handle, ServedBus) {
    let room = Room::from_json(ROOM).unwrap();
    let emulated = EmulatedBus::open(room, Options::new(protocol)).unwrap().spawn().unwrap();
    let replies = match protocol {
        Protocol::V1_1 => ReplyMatching::Compatible,
        Protocol::V1_2 | Protocol::V1_3 => ReplyMatching::Strict,
    };
    let bus = open(BusConfig { protocol, replies, ..BusConfig::new("test", emulated.tty()) });
    (emulated, bus)
}

async fn read(bus: &ServedBus, query: Query) -> Result<Observation, DriverError> {
    bus.read(query, context(Priority::Read)).await
}

async fn perform(bus: &ServedBus, action: Action) -> Result<Observation, DriverError> {
    bus.perform(action, context(Priority::Control)).await
}

#[tokio::test]
async fn a_chamber_is_discovered_with_what_can_be_asked_of_it() {
    use Capability::{
        AssetInfo, AssetText, AssetTextControl, BootTarget, ChamberLed, FanControl, HostInfo, Led,
        PowerControl, PowerState, Reading,
    };
    let (_emulated, bus) = plug(Protocol::V1_3);
    let boards = bus.discover(Scope::All, context(Priority::Scan)).await.unwrap();
    let devices = boards[0].devices.iter();
    let found: Vec<_> =
        devices.map(|device| (device.kind, device.capabilities.iter().collect::<Vec<_>>())).collect();
    let led = (DeviceKind::Led, vec![Reading, Led]);
    let expected = [
        (DeviceKind::System, vec![AssetInfo, BootTarget, HostInfo]),
        led.clone(),
        (DeviceKind::FanSpeed, vec![Reading, FanControl]),
        (DeviceKind::VaporFan, vec![Reading, FanControl]),
        (DeviceKind::VaporRectifier, vec![PowerState, PowerControl]),
        (DeviceKind::VaporBattery, vec![PowerState, PowerControl]),
        (DeviceKind::VaporLed, vec![ChamberLed]),
        (DeviceKind::Pressure, vec![Reading]),
        led.clone(),
        led,
        (DeviceKind::Power, vec![PowerState, PowerControl, AssetText, AssetTextControl]),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        read(&bus, Query::Version(BoardId(0x70))).await,
        Ok(Observation::Version("chamber 1.3".into()))
    );
}

#[tokio::test]
async fn a_server_says_what_it_is() {
    let (_emulated, bus) = plug(Protocol::V1_3);
    let Ok(Observation::AssetInfo(info)) = read(&bus, Query::AssetInfo(SYSTEM)).await else {
        panic!("no asset information");
    };
    assert_eq!((info.board.manufacturer.as_str(), info.board.serial_number.as_str()), ("Acme", "S01"));
    assert_eq!((info.chassis.chassis_type.as_str(), info.chassis.serial_number.as_str()), ("Rack", "S02"));
    assert_eq!((info.product.asset_tag.as_str(), info.product.version.as_str()), ("A7", "1.0"));
    assert_eq!(info.management_address, None);
    let Ok(Observation::HostInfo(host)) = read(&bus, Query::HostInfo(SYSTEM)).await else {
        panic!("no host information");
    };
    assert_eq!(host.hostnames, ["node4"]);
    assert_eq!(
        host.ip_addresses,
        ["10.2.0.4".parse::<std::net::IpAddr>().unwrap(), "2001:db8::4".parse().unwrap()]
    );
}

#[tokio::test]
async fn a_boot_target_is_kept() {
    let (_emulated, bus) = plug(Protocol::V1_3);
    for target in [BootTarget::Disk, BootTarget::Pxe, BootTarget::NoOverride] {
        let boot = BootOverride { target, persistent: false, efi: false };
        let set = perform(&bus, Action::SetBootTarget { device: SYSTEM, boot }).await;
        assert_eq!(set, Ok(Observation::BootTarget(boot)));
        assert_eq!(read(&bus, Query::BootTarget(SYSTEM)).await, Ok(Observation::BootTarget(boot)));
    }
}

#[tokio::test]
async fn lamps_and_fans_keep_what_is_set() {
    let (_emulated, bus) = plug(Protocol::V1_3);
    for on in [true, false] {
        let set = perform(&bus, Action::SetLed { device: LED, on }).await;
        assert_eq!(set, Ok(Observation::Led { on }));
        assert_eq!(read(&bus, Query::Led(LED)).await, Ok(Observation::Led { on }));
    }
    for (device, kind) in [(FAN, DeviceKind::FanSpeed), (CHAMBER_FAN, DeviceKind::VaporFan)] {
        let Ok(Observation::Sensor(set)) = perform(&bus, Action::SetFanSpeed { device, rpm: 4100 }).await
        else {
            panic!("no reading");
        };
        assert_eq!(set.value(&Quantity::SpeedRpm), Some(4100.0));
        let Ok(Observation::Sensor(reading)) = read(&bus, Query::Sensor { device, kind }).await else {
            panic!("no reading");
        };
        assert_eq!((reading.kind, reading.value(&Quantity::SpeedRpm)), (kind, Some(4100.0)));
    }
}

#[tokio::test]
async fn a_chamber_lamp_shows_each_rack_its_own() {
    let (_emulated, bus) = plug(Protocol::V1_3);
    let set = async |rack: &str, on, color, blink| {
        let setting = ChamberLedSetting { rack: rack.into(), on, color, blink };
        perform(&bus, Action::SetChamberLed { device: CHAMBER_LED, setting }).await
    };
    let shows = |on, color: &str, blink| {
        Ok(Observation::ChamberLed(ChamberLedState { on, color: color.into(), blink }))
    };
    let orange = Rgb([0xff, 0x88, 0]);
    assert_eq!(set("rack 1", Some(true), Some(orange), Some(true)).await, shows(true, "ff8800", true));
    assert_eq!(set("rack 1", None, None, None).await, shows(true, "ff8800", true));
    assert_eq!(set("rack 2", None, None, None).await, shows(false, "000000", false));
}

/// The emulated lamp leaves everything as it is when its blinking is to be left alone.
#[tokio::test]
async fn a_chamber_lamp_that_leaves_its_colour_refuses_another_one() {
    let (_emulated, bus) = plug(Protocol::V1_3);
    let red = |blink| {
        let setting =
            ChamberLedSetting { rack: "3".into(), on: Some(true), color: Some(Rgb([0xff, 0, 0])), blink };
        Action::SetChamberLed { device: CHAMBER_LED, setting }
    };
    let error = perform(&bus, red(None)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.message.contains("the lamp now reports off, colour \"000000\", steady"), "{error}");
    let lit = ChamberLedState { on: true, color: "ff0000".into(), blink: true };
    assert_eq!(perform(&bus, red(Some(true))).await, Ok(Observation::ChamberLed(lit)));
}

#[tokio::test]
async fn power_devices_tell_and_store_their_asset_text() {
    let (_emulated, bus) = plug(Protocol::V1_3);
    let text = |text: &str| Ok(Observation::AssetText { text: text.into(), management_address: None });
    assert_eq!(read(&bus, Query::AssetText(POWER)).await, text("web-01"));
    let set = perform(&bus, Action::SetAssetText { device: POWER, text: "web-02".into() }).await;
    assert_eq!(set, text("web-02"));
}

#[tokio::test]
async fn rectifiers_switch_and_battery_units_tell_their_charge() {
    let (_emulated, bus) = plug(Protocol::V1_3);
    let kind = DeviceKind::VaporRectifier;
    for (action, state) in [(PowerAction::On, PowerState::On), (PowerAction::Off, PowerState::Off)] {
        let switched = perform(&bus, Action::Power { device: RECTIFIER, kind, action }).await;
        assert!(matches!(switched, Ok(Observation::Power(report)) if report.state == state), "{action}");
        let asked = read(&bus, Query::Power { device: RECTIFIER, kind }).await;
        assert!(matches!(asked, Ok(Observation::Power(report)) if report.state == state), "{action}");
    }
    let asked = read(&bus, Query::Power { device: BATTERY, kind: DeviceKind::VaporBattery }).await;
    let Ok(Observation::Battery(battery)) = asked else { panic!("{asked:?}") };
    assert_eq!((battery.status.as_str(), battery.charge_percent), ("charging", 88));
}

#[tokio::test]
async fn pressure_has_a_fraction() {
    let (_emulated, bus) = plug(Protocol::V1_3);
    let asked = read(&bus, Query::Sensor { device: PRESSURE, kind: DeviceKind::Pressure }).await;
    let Ok(Observation::Sensor(reading)) = asked else { panic!("{asked:?}") };
    assert_eq!(reading.value(&Quantity::PressureKilopascals), Some(101.3));
}

#[tokio::test]
async fn a_lamp_that_refuses_is_a_refusal() {
    let (emulated, bus) = plug(Protocol::V1_3);
    let error = perform(&bus, Action::SetLed { device: STUCK_LED, on: true }).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused, "{error}");
    assert_eq!(emulated.statistics().requests(), 1);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_or_damaged_is_sent_once() {
    let (emulated, bus) = plug(Protocol::V1_3);
    // First the answer to the write is lost; then it is damaged, and accepts only when asked for once more, as does every
    // answer to a read. All of that may be older than the write.
    for requests in [3, 4] {
        let before = emulated.statistics().requests();
        let error = perform(&bus, Action::SetLed { device: NOISY_LED, on: true }).await.unwrap_err();
        assert_eq!(error.fault, Fault::Uncertain, "{error}");
        assert_eq!(emulated.statistics().requests() - before, requests, "one write, one read, repetitions");
    }
    assert_eq!(read(&bus, Query::Led(NOISY_LED)).await, Ok(Observation::Led { on: true }));
}

#[tokio::test]
async fn a_device_that_is_not_there_is_silent() {
    let (_emulated, bus) = plug(Protocol::V1_3);
    let missing = at(0x99);
    for query in [Query::AssetInfo(missing), Query::HostInfo(LED), Query::Led(SYSTEM)] {
        assert_eq!(read(&bus, query).await.unwrap_err().fault, Fault::Timeout, "{query:?}");
    }
    let error = perform(&bus, Action::SetFanSpeed { device: missing, rpm: 0 }).await.unwrap_err();
    assert_eq!(error.fault, Fault::Uncertain, "silence is no proof that nobody was there");
}

#[tokio::test]
async fn boards_of_1_1_are_not_asked_for_what_came_later() {
    let (emulated, bus) = plug(Protocol::V1_1);
    let boot = BootOverride { target: BootTarget::Pxe, persistent: false, efi: false };
    let setting = ChamberLedSetting { rack: "3".into(), on: Some(true), color: None, blink: None };
    let battery = Query::Power { device: BATTERY, kind: DeviceKind::VaporBattery };
    for query in [Query::AssetInfo(SYSTEM), Query::BootTarget(SYSTEM), Query::HostInfo(SYSTEM), battery] {
        let error = read(&bus, query).await.unwrap_err();
        assert_eq!(error.fault, Fault::Unsupported, "{query:?}");
    }
    for action in [
        Action::SetLed { device: LED, on: true },
        Action::SetFanSpeed { device: FAN, rpm: 100 },
        Action::SetBootTarget { device: SYSTEM, boot },
        Action::SetChamberLed { device: CHAMBER_LED, setting },
    ] {
        let error = perform(&bus, action.clone()).await.unwrap_err();
        assert_eq!(error.fault, Fault::Unsupported, "{action:?}");
    }
    assert_eq!(emulated.statistics().requests(), 0);
    assert_eq!(read(&bus, Query::Led(LED)).await, Ok(Observation::Led { on: false }), "an ordinary read");
}
