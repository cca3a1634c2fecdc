//! Metrics: what is told of devices and of the service, in which form, and what cannot be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use opendcre_gateway::{Defect, DeliveryStatistics, Part, PollSettings, Principal};
use opendcre_model::{
    BatteryReport, Board, BoardId, Capabilities, Capability, Device, DeviceId, DeviceKind, DriverError,
    Fault, LinkState, LinkStatistics, Number, Observation, Quality, Quantity, Query, Subject,
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Answer, Room, device, electrical, measured, now, power, remote, request, server_reading,
};

const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn sensor(id: u16, kind: DeviceKind, name: &str, capability: Capability) -> Device {
    Device {
        name: Some(name.to_owned()).filter(|name| !name.is_empty()),
        ..Device::new(DeviceId(id), kind, Capabilities::of(&[capability]))
    }
}

/// A server with a sensor of a name that must be escaped, a power switch that measures, and a fan.
fn web() -> Board {
    let devices = vec![
        sensor(0x0030, DeviceKind::Temperature, "CPU \"1\" \\ Temp\n", Capability::Reading),
        sensor(0x0031, DeviceKind::FanSpeed, "Fan 1", Capability::Reading),
        sensor(0x0032, DeviceKind::Sensor, "Airflow", Capability::Reading),
        sensor(0x0100, DeviceKind::Power, "power", Capability::PowerState),
        sensor(0x0200, DeviceKind::System, "system", Capability::AssetInfo),
        sensor(0x0300, DeviceKind::Led, "led", Capability::Led),
    ];
    Board { hostnames: vec!["web-01".to_owned()], ..Board::new(BoardId(0x4000_0001), devices) }
}

/// A room with a server of which everything is known that it can tell.
async fn room() -> Room {
    let room = Room::with_servers(vec![web()]);
    let (board, value) = (0x4000_0001, |quantity, value| Some((quantity, value)));
    let sensor = |id, kind| Query::Sensor { device: device(board, id), kind };
    let answers = [
        (
            sensor(0x0030, DeviceKind::Temperature),
            server_reading(DeviceKind::Temperature, value(Quantity::TemperatureCelsius, 41.5), Quality::Good),
        ),
        (
            sensor(0x0031, DeviceKind::FanSpeed),
            server_reading(DeviceKind::FanSpeed, None, Quality::Unavailable),
        ),
        (
            sensor(0x0032, DeviceKind::Sensor),
            measured(
                DeviceKind::Sensor,
                Number::from(3),
                &[(Quantity::Other("CFM".into()), 30.0), (Quantity::Other("CFM".into()), 31.0)],
            ),
        ),
        (Query::Power { device: device(board, 0x0100), kind: DeviceKind::Power }, power(Some(electrical()))),
        (Query::Led(device(board, 0x0300)), Observation::Led { on: false }),
    ];
    room.look_around().await;
    for (query, answer) in answers {
        room.second.answers_to(query, Ok(answer));
        room.api.gateway().read(&nobody(), query, Duration::ZERO).await.unwrap();
    }
    room.forget_calls();
    room
}

fn nobody() -> Principal {
    let subject = Subject::anonymous().into();
    Principal { subject, remote: "".into(), request_id: "".into() }
}

async fn get(room: &Room, path: &str, accept: &str) -> Answer {
    let mut request = request(Method::GET, path);
    request.headers_mut().insert("accept", accept.parse().unwrap());
    let answer = room.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

/// The samples of a page by name and labels. Asserts that every family stands together and is announced once.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let (mut announced, mut samples, mut family) = (BTreeSet::new(), BTreeMap::new(), "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
            assert!(announced.insert(family), "{family} is announced twice");
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(family), "{line} is not of {family}");
            assert!(samples.insert(name, value.parse().unwrap()).is_none(), "{line} is there twice");
        }
    }
    samples
}

#[tokio::test]
async fn everything_that_devices_said_is_told_in_base_units() {
    let room = room().await;
    let answer = get(&room, "/metrics/devices", "application/openmetrics-text").await;
    assert_eq!(answer.header("content-type"), Some(OPEN));
    assert!(answer.text.ends_with("\n# EOF\n"), "{}", answer.text);
    let samples = samples(&answer.text);
    let board = r#"rack="rack_2",board="40000001",name="web-01""#;
    let cpu = r#"device="0030",kind="temperature",sensor="CPU \"1\" \\ Temp\n""#;
    let fan = r#"device="0031",kind="fan_speed",sensor="Fan 1""#;
    let air = r#"device="0032",kind="sensor",sensor="Airflow""#;
    let switch = r#"device="0100",kind="power",sensor="power""#;
    let led = r#"device="0300",kind="led",sensor="led""#;
    let mut expected = BTreeMap::from([
        (format!("opendcre_up{{{board}}}"), 1.0),
        (format!("opendcre_board_condition{{{board}}}"), 0.0),
        (format!("opendcre_temperature_celsius{{{board},{cpu}}}"), 41.5),
        (format!("opendcre_sensor_value{{{board},{air},unit=\"CFM\"}}"), 30.0),
        (format!("opendcre_power_watts{{{board},{switch}}}"), electrical().input_power_watts),
        (format!("opendcre_voltage_volts{{{board},{switch}}}"), electrical().input_voltage_volts),
        (format!("opendcre_current_amperes{{{board},{switch}}}"), electrical().output_current_amperes),
        (format!("opendcre_power_on{{{board},{switch}}}"), 1.0),
        (format!("opendcre_led_on{{{board},{led}}}"), 0.0),
        (format!("opendcre_reading_up{{{board},{fan}}}"), 0.0),
    ]);
    for device in [cpu, fan, air, switch] {
        expected.insert(format!("opendcre_health{{{board},{device}}}"), 0.0);
    }
    for device in [cpu, air, switch, led] {
        expected.insert(format!("opendcre_reading_up{{{board},{device}}}"), 1.0);
    }
    let ages = |(name, _): &(&&str, &f64)| name.starts_with("opendcre_reading_age_seconds");
    assert_eq!(samples.iter().filter(ages).count(), 5);
    let told: BTreeMap<String, f64> = samples
        .iter()
        .filter(|sample| !ages(sample))
        .map(|(name, value)| ((*name).to_owned(), *value))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(room.calls(), [], "nothing was asked");
}

#[tokio::test]
async fn boards_of_a_bus_are_told_with_ratios_and_pascals() {
    let room = Room::new();
    let devices = vec![
        sensor(1, DeviceKind::Humidity, "", Capability::Reading),
        sensor(2, DeviceKind::Pressure, "", Capability::Reading),
        sensor(3, DeviceKind::VaporBattery, "", Capability::PowerState),
        // As a board may say by mistake.
        sensor(1, DeviceKind::Humidity, "", Capability::Reading),
    ];
    *room.bus.boards.lock().unwrap() = vec![Board::new(BoardId(0x10), devices)];
    room.look_around().await;
    let sensor = |id, kind| Query::Sensor { device: device(0x10, id), kind };
    let humidity = [(Quantity::HumidityPercent, 38.4), (Quantity::TemperatureCelsius, 16.24)];
    let pressure = [(Quantity::PressureKilopascals, 101.325)];
    let battery = BatteryReport {
        status: "charging".to_owned(),
        charge_percent: 87,
        measured_at: now(),
        source: "hat".into(),
    };
    for (query, answer) in [
        (sensor(1, DeviceKind::Humidity), measured(DeviceKind::Humidity, Number::from(1), &humidity)),
        (sensor(2, DeviceKind::Pressure), measured(DeviceKind::Pressure, Number::from(1), &pressure)),
        (
            Query::Power { device: device(0x10, 3), kind: DeviceKind::VaporBattery },
            Observation::Battery(battery),
        ),
    ] {
        room.bus.answers_to(query, Ok(answer));
        room.api.gateway().read(&nobody(), query, Duration::ZERO).await.unwrap();
    }
    let answer = get(&room, "/metrics/devices", "*/*").await;
    let board = r#"rack="rack_1",board="00000010",name="00000010""#;
    for line in [
        format!(r#"opendcre_humidity_ratio{{{board},device="0001",kind="humidity"}} 0.384"#),
        format!(r#"opendcre_temperature_celsius{{{board},device="0001",kind="humidity"}} 16.24"#),
        format!(r#"opendcre_pressure_pascals{{{board},device="0002",kind="pressure"}} 101325"#),
        format!(r#"opendcre_charge_ratio{{{board},device="0003",kind="vapor_battery"}} 0.87"#),
    ] {
        assert!(answer.text.lines().any(|told| told == line), "{line} is not in {}", answer.text);
    }
    assert!(!answer.text.contains("opendcre_sensor_value"), "a charge is no other value");
    samples(&answer.text);
}

#[tokio::test]
async fn racks_and_kinds_are_selected() {
    let room = room().await;
    let families = async |query: &str| {
        let answer = get(&room, &format!("/metrics/devices?{query}"), "text/plain").await;
        assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
        assert!(!answer.text.contains("EOF"));
        let types = answer.text.lines().filter_map(|line| line.strip_prefix("# TYPE opendcre_"));
        types.map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of_a_device = ["health", "reading_up", "reading_age_seconds"];
    let told = families("rack=rack_2&kind=temperature&kind=thermistor").await;
    assert!(told.contains(&"temperature_celsius".to_owned()), "{told:?}");
    assert!(of_a_device.iter().all(|family| told.contains(&(*family).to_owned())), "{told:?}");
    assert!(!told.contains(&"power_on".to_owned()), "{told:?}");
    let told = families("kind=led").await;
    assert!(told.contains(&"led_on".to_owned()) && !told.contains(&"health".to_owned()), "{told:?}");
    assert_eq!(families("kind=door_lock").await, ["up", "board_condition"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_told_as_by_api_2() {
    let room = room().await;
    for (path, status, code) in [
        ("/metrics/devices?rack=rack_9", 404, "unknown_rack"),
        ("/metrics/devices?rack=rack_2&rack=", 404, "unknown_rack"),
        ("/metrics/devices?kind=sofa", 400, "bad_parameter"),
        ("/metrics/devices?racks=rack_2", 400, "unknown_parameter"),
        ("/metrics?rack=rack_2", 400, "unknown_parameter"),
    ] {
        let answer = room.send(request(Method::GET, path)).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (status, Some(code)), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
    for path in ["/metrics", "/metrics/devices"] {
        room.send(request(Method::POST, path)).await.failure(405, "method_not_allowed");
        let head = room.send(request(Method::HEAD, path)).await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
        assert_eq!(
            room.send(request(Method::OPTIONS, path)).await.header("allow"),
            Some("GET, HEAD, OPTIONS")
        );
    }
}

#[tokio::test]
async fn a_page_is_compressed_for_who_takes_that() {
    let room = room().await;
    let plain = get(&room, "/metrics/devices", "*/*").await;
    let request = Request::get("/metrics/devices").header("accept-encoding", "gzip");
    let request = request.body(Full::default()).unwrap();
    let (head, body) = room.api.respond(request, remote()).await.into_parts();
    assert_eq!(head.headers["content-encoding"], "gzip");
    let vary: Vec<_> = head.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["accept", "accept-encoding"]);
    let mut text = String::new();
    GzDecoder::new(&*body.collect().await.unwrap().to_bytes()).read_to_string(&mut text).unwrap();
    let names = |text: &str| samples(text).keys().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&text), names(&plain.text));
}

#[tokio::test]
async fn the_service_tells_how_it_is_doing() {
    let room = room().await;
    room.bus.fail(Fault::Gone);
    *room.second.links.lock().unwrap() = vec![LinkStatistics {
        board: BoardId(0x4000_0001),
        address: remote(),
        state: LinkState::Up,
        since: now(),
        failure: None,
        requests: 12,
        retries: 3,
        timeouts: 2,
        session_opens: 1,
        dropped: 0,
        latency: Some(Duration::from_micros(250)),
        pause: Duration::ZERO,
        waiting: 4,
        has_session: true,
    }];
    room.send(request(Method::GET, "/opendcre/2/nothing")).await;
    let answer = get(&room, "/metrics", "application/openmetrics-text").await;
    assert_eq!(answer.header("content-type"), Some(OPEN));
    let samples = samples(&answer.text);
    let bmc = r#"rack="rack_2",board="40000001",name="web-01""#;
    for (name, value) in [
        (concat!("opendcre_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
        ("opendcre_start_time_seconds", 1_796_119_200.0),
        ("opendcre_ready", 0.0),
        ("opendcre_source_up{source=\"hat\"}", 0.0),
        ("opendcre_source_up{source=\"loft\"}", 1.0),
        ("opendcre_audit_up", 1.0),
        ("opendcre_history_up", 0.0),
        ("opendcre_boards{state=\"present\"}", 1.0),
        ("opendcre_boards{state=\"missing\"}", 0.0),
        ("opendcre_http_requests_total{api=\"2\",status=\"4xx\"}", 1.0),
        ("opendcre_poll_rounds_total", 0.0),
        (&format!("opendcre_bmc_up{{{bmc}}}"), 1.0),
        (&format!("opendcre_bmc_requests_total{{{bmc}}}"), 12.0),
        (&format!("opendcre_bmc_retries_total{{{bmc}}}"), 3.0),
        (&format!("opendcre_bmc_timeouts_total{{{bmc}}}"), 2.0),
        (&format!("opendcre_bmc_latency_seconds{{{bmc}}}"), 0.000_25),
        (&format!("opendcre_bmc_requests_waiting{{{bmc}}}"), 4.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name} in {}", answer.text);
    }
}

/// A part of the service that brings something to two receivers, of which one takes nothing.
struct Publisher;

impl Part for Publisher {
    fn defects(&self) -> Vec<Defect> {
        Vec::new()
    }

    fn deliveries(&self) -> Vec<DeliveryStatistics> {
        let willing = DeliveryStatistics {
            receiver: "webhook.noc".to_owned(),
            delivered: 12,
            last_success: Some(now()),
            ..DeliveryStatistics::default()
        };
        let refusing = DeliveryStatistics {
            receiver: "syslog.siem".to_owned(),
            failed: 7,
            dead: 1,
            missed: 36,
            waiting: 5,
            lag: Duration::from_millis(90_500),
            is_failing: true,
            ..DeliveryStatistics::default()
        };
        vec![willing, refusing]
    }
}

#[tokio::test]
async fn who_publishes_tells_what_became_of_it() {
    let room = Room::new();
    room.api.gateway().watch_over(Arc::new(Publisher));
    let answer = get(&room, "/metrics", "application/openmetrics-text").await;
    let samples = samples(&answer.text);
    let of = |receiver: &str| {
        let family = |name: &str| {
            let sample = format!("opendcre_publish_{name}{{receiver=\"{receiver}\"}}");
            samples.get(sample.as_str()).copied()
        };
        let names = ["up", "delivered_total", "failed_total", "dead_total", "missed_total", "waiting"];
        let counts: Vec<_> = names.into_iter().filter_map(family).collect();
        (counts, family("lag_seconds"), family("last_success_timestamp_seconds"))
    };
    let sent = now().as_second() as f64;
    assert_eq!(of("webhook.noc"), (vec![1.0, 12.0, 0.0, 0.0, 0.0, 0.0], Some(0.0), Some(sent)));
    assert_eq!(of("syslog.siem"), (vec![0.0, 0.0, 7.0, 1.0, 36.0, 5.0], Some(90.5), None));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_not_shown_and_who_does_not_answer_is_down() {
    let room = room().await;
    room.second.permits.add_permits(100_000);
    let (stop, gateway) = (CancellationToken::new(), room.api.gateway().clone());
    let is_told = async || {
        let answer = get(&room, "/metrics/devices", "*/*").await;
        let is_up = samples(&answer.text)[r#"opendcre_up{rack="rack_2",board="40000001",name="web-01"}"#];
        (is_up, answer.text.contains("opendcre_temperature_celsius{"))
    };
    let looking = async {
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(is_told().await, (1.0, true));
        let cpu = Query::Sensor { device: device(0x4000_0001, 0x0030), kind: DeviceKind::Temperature };
        room.second.answers_to(cpu, Err(DriverError::new(Fault::Corrupt, "noise")));
        tokio::time::sleep(Duration::from_secs(240)).await;
        assert_eq!(is_told().await, (1.0, true), "the value is not too old yet");
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(is_told().await, (1.0, false));
        room.second.fail(Fault::Timeout);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(is_told().await, (0.0, false));
        let service = get(&room, "/metrics", "*/*").await;
        let samples = samples(&service.text);
        assert!(samples["opendcre_poll_rounds_unanswered_total"] > 0.0);
        assert!(samples["opendcre_poll_rounds_total"] > samples["opendcre_poll_rounds_unanswered_total"]);
        stop.cancel();
    };
    let settings = PollSettings::default();
    tokio::join!(gateway.keep_polling(&settings, stop.clone()), looking);
}
