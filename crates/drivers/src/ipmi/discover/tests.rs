//! What is found behind a scripted BMC, and what it costs, in virtual time.

use opendcre_ipmi::client::Failure;
use opendcre_ipmi::dcmi::{self, Capability, PowerReading, Version};
use opendcre_ipmi::fru::{BoardInfo, FruAccess, FruInventory, FruInventoryArea, Language};
use opendcre_ipmi::sdr::RepositoryInfo;
use opendcre_ipmi::{Completion, NetFn, app};
use opendcre_model::{
    Board, Capability as Can, Device, DeviceId, DeviceKind, Driver, Fault, Observation, Priority, Quality,
    Quantity, Query, SERVER_LED, SERVER_POWER, SERVER_SYSTEM, Scope,
};

use super::super::bench::{self, BOARD, Script, context, ok, part, refusal};
use super::super::queue::{Job, Outcome};
use super::*;

const UUID: [u8; 16] = [1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16];
const BMC: u8 = 0x20;
const TEMPERATURE: u8 = 0x01;
const FAN: u8 = 0x04;
const CELSIUS: u8 = 1;

const GET_DEVICE_ID: (u8, u8) = (6, app::GET_DEVICE_ID);
const GET_SYSTEM_GUID: (u8, u8) = (6, app::GET_SYSTEM_GUID);
const SDR_INFO: (u8, u8) = (0x0a, 0x20);
const GET_SDR: (u8, u8) = (0x0a, 0x23);
const DCMI_CAPABILITIES: (u8, u8) = (0x2c, dcmi::GET_CAPABILITIES);
const FRU_SIZE: (u8, u8) = (0x0a, 0x10);

/// A BMC without faults, and how often it was asked what.
struct Bmc {
    device: DeviceIdentity,
    guid: [u8; 16],
    fru: Vec<u8>,
    records: Vec<Vec<u8>>,
    /// Those that it has besides, as its own.
    own_records: Vec<Vec<u8>>,
    last_addition: u32,
    /// Whether it measures power; nothing for a BMC without DCMI.
    dcmi: Option<bool>,
    measuring: bool,
    readings: Outcome,
    asked: Vec<(u8, u8)>,
    /// How many more questions it answers.
    patience: usize,
}

impl Default for Bmc {
    fn default() -> Self {
        let temperature = |number, name| record(BMC, 0, number, TEMPERATURE, name);
        Self {
            device: DeviceIdentity::decode(&[0x20, 1, 1, 0x74, 2, 0x8f, 0xd9, 0x7e, 0, 1, 0]).unwrap(),
            guid: UUID,
            fru: Vec::new(),
            records: vec![temperature(1, "CPU1 Temp"), temperature(2, "CPU2 Temp")],
            own_records: Vec::new(),
            last_addition: 1000,
            dcmi: Some(true),
            measuring: true,
            readings: ok(&[42, 0xc0, 0xc0]),
            asked: Vec::new(),
            patience: usize::MAX,
        }
    }
}

/// A record of a sensor that gives degrees Celsius. Ids are given when it is read.
fn record(owner: u8, lun: u8, number: u8, sensor_type: u8, name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    let header = [0, 0, 0x51, 0x01, 43 + length];
    let key = [owner, lun, number, 3, 1, 0x45, 0, sensor_type, 1];
    let units_and_factors = [0, 0, 0, 0, 0, 0, 0, CELSIUS, 0, 0, 1, 0, 0, 1, 0, 0];
    let mut record = [&header[..], &key, &units_and_factors, &[0; 17]].concat();
    record.push(0xc0 | length);
    record.extend(name.as_bytes());
    record
}

impl Bmc {
    fn fru(&mut self, serial_number: &str) {
        let board = BoardInfo {
            language: Language::ENGLISH,
            manufactured: None,
            manufacturer: "ACME".into(),
            product_name: "Board".into(),
            serial_number: serial_number.into(),
            part_number: String::new(),
            fru_file_id: String::new(),
            custom: Vec::new(),
        };
        self.fru = FruInventory { board: Some(board), ..FruInventory::default() }.encode().unwrap();
    }

    fn count(&self, command: (u8, u8)) -> usize {
        self.asked.iter().filter(|asked| **asked == command).count()
    }

    fn sdr(records: &[Vec<u8>], data: &[u8]) -> Outcome {
        let [_, _, low, high, offset, count] = *data else { panic!("{data:?}") };
        let id = u16::from_le_bytes([low, high]).max(1);
        let Some(record) = records.get(usize::from(id) - 1) else { return refusal(Completion::NOT_PRESENT) };
        let mut record = record.clone();
        record[..2].copy_from_slice(&id.to_le_bytes());
        let next = if usize::from(id) == records.len() { 0xffff } else { id + 1 };
        let part = record.iter().skip(offset.into()).take(count.into());
        ok(&next.to_le_bytes().iter().chain(part).copied().collect::<Vec<_>>())
    }

    fn fru_data(&self, data: &[u8]) -> Outcome {
        let [_, low, high, count] = *data else { panic!("{data:?}") };
        let offset = usize::from(u16::from_le_bytes([low, high]));
        let part: Vec<u8> = self.fru.iter().skip(offset).take(count.into()).copied().collect();
        ok(&[&[u8::try_from(part.len()).unwrap()], part.as_slice()].concat())
    }

    fn dcmi(&self, command: u8) -> Outcome {
        let Some(power_management) = self.dcmi else { return refusal(Completion::INVALID_COMMAND) };
        if command == dcmi::GET_CAPABILITIES {
            let parameter = dcmi::Supported { power_management, ..dcmi::Supported::default() };
            let version = Version { major: 1, minor: 5 };
            return ok(&Capability { version, revision: 2, parameter }.encode());
        }
        let reading = PowerReading {
            current_w: 210,
            minimum_w: 100,
            maximum_w: 300,
            average_w: 200,
            timestamp: 0,
            period_ms: 1000,
            measuring: self.measuring,
        };
        ok(&reading.encode())
    }
}

impl Script for Bmc {
    fn answer(&mut self, job: &Job) -> Outcome {
        let Some(patience) = self.patience.checked_sub(1) else {
            return Err(Problem::Session(Failure::Silent { sent: true }));
        };
        self.patience = patience;
        let request = &job.request;
        self.asked.push((request.netfn.0, request.command));
        match (request.netfn, request.command) {
            (NetFn::APP, app::GET_DEVICE_ID) => ok(&self.device.encode()),
            (NetFn::APP, app::GET_SYSTEM_GUID) => ok(&self.guid),
            (NetFn::STORAGE, 0x10) if self.fru.is_empty() => refusal(Completion::INVALID_COMMAND),
            (NetFn::STORAGE, 0x10) => {
                let size = u16::try_from(self.fru.len()).unwrap();
                ok(&FruInventoryArea { size, access: FruAccess::Bytes }.encode())
            }
            (NetFn::STORAGE, 0x11) => self.fru_data(&request.data),
            (NetFn::STORAGE, 0x20) => {
                let records = u16::try_from(self.records.len()).unwrap();
                let last_addition = self.last_addition;
                ok(&RepositoryInfo { version: 0x51, records, last_addition, ..RepositoryInfo::default() }
                    .encode())
            }
            (NetFn::STORAGE, 0x23) => Self::sdr(&self.records, &request.data),
            (NetFn::SENSOR, 0x20) => ok(&[u8::try_from(self.own_records.len()).unwrap(), 1]),
            (NetFn::SENSOR, 0x22) => ok(&[1, 0]),
            (NetFn::SENSOR, 0x21) => Self::sdr(&self.own_records, &request.data),
            (NetFn::SENSOR, 0x2d) => self.readings.clone(),
            (NetFn(0x2c), command) => self.dcmi(command),
            _ => panic!("{request:?}"),
        }
    }
}

type Bench = bench::Bench<Bmc>;

impl Bench {
    async fn discover(&self) -> Result<Board, DriverError> {
        let boards = self.bmcs.discover(Scope::Board(BOARD), context(Priority::Scan)).await?;
        let [board] = <[Board; 1]>::try_from(boards).unwrap();
        Ok(board)
    }

    /// What it is asked meanwhile.
    async fn cost(&self) -> Vec<(u8, u8)> {
        let before = self.script().asked.len();
        self.discover().await.unwrap();
        self.script().asked.split_off(before)
    }

    async fn read(&self, query: Query) -> Result<Observation, DriverError> {
        self.bmcs.read(query, context(Priority::Read)).await
    }

    async fn sensor(
        &self,
        device: DeviceId,
        kind: DeviceKind,
    ) -> Result<opendcre_model::Reading, DriverError> {
        match self.read(Query::Sensor { device: part(device), kind }).await? {
            Observation::Sensor(reading) => Ok(reading),
            other => panic!("{other:?}"),
        }
    }
}

/// The sensors of a board.
fn sensors(board: &Board) -> Vec<(u16, DeviceKind, &str)> {
    let of_server = [SERVER_POWER, SERVER_SYSTEM, SERVER_LED];
    let sensors = board.devices.iter().filter(|device| !of_server.contains(&device.id));
    sensors.map(|Device { id, kind, name, .. }| (id.0, *kind, name.as_deref().unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_says_needs_no_bmc() {
    let bench = Bench::new(Bmc { patience: 0, ..Bmc::default() });
    let listed = bench.bmcs.discover(Scope::All, context(Priority::Scan)).await.unwrap();
    assert_eq!(listed, bench.bmcs.configured());
    let [board] = listed.as_slice() else { panic!("{listed:?}") };
    let kinds: Vec<_> = board.devices.iter().map(|device| (device.id, device.kind)).collect();
    let of_server = [
        (SERVER_POWER, DeviceKind::Power),
        (SERVER_SYSTEM, DeviceKind::System),
        (SERVER_LED, DeviceKind::Led),
    ];
    assert_eq!(kinds, of_server);
    assert!(board.devices.iter().all(|device| device.name.as_deref() == Some(device.kind.name())));
    assert_eq!((board.id, &board.identity, &board.firmware), (BOARD, &None, &None));
    assert_eq!(board.hostnames, ["web-1"]);
    assert_eq!(board.ip_addresses, [std::net::IpAddr::from([127, 0, 0, 1])]);

    let text = bench.read(Query::AssetText(part(SERVER_POWER))).await.unwrap();
    let management_address = Some([127, 0, 0, 1].into());
    assert_eq!(text, Observation::AssetText { text: "web front end".to_owned(), management_address });
    let Ok(Observation::HostInfo(host)) = bench.read(Query::HostInfo(part(SERVER_SYSTEM))).await else {
        panic!("no host information")
    };
    assert_eq!((host.hostnames, host.ip_addresses), (board.hostnames.clone(), board.ip_addresses.clone()));
    assert_eq!(bench.discover().await.unwrap_err().fault, Fault::Timeout);
}

#[tokio::test(start_paused = true)]
async fn what_is_found_is_kept_and_costs_little_as_long_as_it_is_the_same() {
    let bench = Bench::new(Bmc::default());
    let board = bench.discover().await.unwrap();
    assert_eq!(board.firmware.as_deref(), Some("1.74"));
    assert_eq!(board.identity.as_ref().unwrap().0, "uuid:01020304-0506-4708-890a-0b0c0d0e0f10");
    let found = [(1, DeviceKind::Temperature, "CPU1 Temp"), (2, DeviceKind::Temperature, "CPU2 Temp")];
    assert_eq!(sensors(&board), found);
    assert_eq!(bench.bmcs.configured(), [board]);
    assert_eq!(bench.cost().await, [GET_DEVICE_ID, GET_SYSTEM_GUID, SDR_INFO]);
}

#[tokio::test(start_paused = true)]
async fn changed_records_are_read_again() {
    let bench = Bench::new(Bmc::default());
    bench.discover().await.unwrap();
    bench.script().records.push(record(BMC, 0, 3, FAN, "FAN1"));
    bench.script().last_addition += 1;
    let board = bench.discover().await.unwrap();
    assert_eq!(sensors(&board)[2], (3, DeviceKind::FanSpeed, "FAN1"));
    bench.script().last_addition += 1;
    bench.script().records.remove(0);
    assert_eq!(sensors(&bench.discover().await.unwrap()).len(), 2);
    bench.script().device.firmware_major += 1;
    assert!(bench.cost().await.contains(&GET_SDR), "another firmware may have other records");
}

#[tokio::test(start_paused = true)]
async fn callers_at_the_same_time_share_one_walk() {
    let alone = Bench::new(Bmc::default());
    alone.discover().await.unwrap();
    let bench = Bench::new(Bmc::default());
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..40 {
        let bmcs = Arc::clone(&bench.bmcs);
        callers.spawn(async move {
            if number % 2 == 0 {
                bmcs.discover(Scope::Board(BOARD), context(Priority::Scan)).await.map(drop)
            } else {
                let query = Query::Sensor { device: part(DeviceId(1)), kind: DeviceKind::Temperature };
                bmcs.read(query, context(Priority::Read)).await.map(drop)
            }
        });
    }
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    assert_eq!(bench.script().count(GET_SDR), alone.script().count(GET_SDR));
    assert_eq!(bench.script().count(DCMI_CAPABILITIES), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_walk_waits_no_longer_than_allowed() {
    let bench = Bench::new(Bmc::default());
    let walk = bench.bmcs.bmc(BOARD).unwrap().knowledge.turn.lock().await;
    let error = bench.discover().await.unwrap_err();
    assert!(matches!(error.fault, Fault::Busy { .. }) && error.code == "bmc_busy", "{error}");
    assert!(bench.script().asked.is_empty());
    drop(walk);
    bench.discover().await.unwrap();
}

/// A caller whose time is over leaves what was read to the next one.
#[tokio::test(start_paused = true)]
async fn a_walk_that_was_interrupted_is_gone_on_with() {
    let names: Vec<String> = (1..=50).map(|number| format!("Temp {number}")).collect();
    let numbered = (1..).zip(&names);
    let records: Vec<_> = numbered.map(|(number, name)| record(BMC, 0, number, TEMPERATURE, name)).collect();
    let bench = Bench::new(Bmc { records, ..Bmc::default() });
    let mut attempts = 0;
    let board = loop {
        bench.script().patience = 20;
        attempts += 1;
        match bench.discover().await {
            Ok(board) => break board,
            Err(error) => assert_eq!(error.fault, Fault::Timeout, "{error}"),
        }
    };
    assert_eq!(sensors(&board).len(), 50);
    assert!((6..=10).contains(&attempts), "two questions for each record, and a few more: {attempts}");
}

#[tokio::test(start_paused = true)]
async fn the_first_reading_after_a_restart_learns_the_sensors_once() {
    let bench = Bench::new(Bmc::default());
    let reading = bench.sensor(DeviceId(1), DeviceKind::Temperature).await.unwrap();
    assert_eq!(reading.value(&Quantity::TemperatureCelsius), Some(42.0));
    let before = bench.script().asked.len();
    bench.sensor(DeviceId(2), DeviceKind::Temperature).await.unwrap();
    assert_eq!(bench.script().asked[before..], [(4, 0x2d)]);
}

#[tokio::test(start_paused = true)]
async fn a_sensor_answers_only_to_its_kind_and_only_if_it_is_there() {
    let bench = Bench::new(Bmc::default());
    bench.discover().await.unwrap();
    let before = bench.script().asked.len();
    let error = bench.sensor(DeviceId(1), DeviceKind::FanSpeed).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Invalid, "wrong_kind"), "{error}");
    let error = bench.sensor(DeviceId(9), DeviceKind::Temperature).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Unsupported, "unknown_device"), "{error}");
    let error = bench.sensor(SERVER_SYSTEM, DeviceKind::System).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Unsupported, "unsupported"), "{error}");
    let error = bench.sensor(SERVER_POWER, DeviceKind::Voltage).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Invalid, "wrong_kind"), "{error}");
    assert_eq!(bench.script().asked.len(), before, "nothing is sent for that");
}

#[tokio::test(start_paused = true)]
async fn a_sensor_that_the_bmc_refuses_is_an_error_of_its_own() {
    let bench = Bench::new(Bmc { readings: refusal(Completion::NOT_PRESENT), ..Bmc::default() });
    let error = bench.sensor(DeviceId(1), DeviceKind::Temperature).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Refused, "refused"), "{error}");
    assert!(error.message.starts_with("bmc 40000001 at 127.0.0.1:623: Get Sensor Reading: "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn only_what_the_bmc_itself_reads_is_a_device_and_each_once() {
    let records = vec![
        record(0x2c, 0, 1, TEMPERATURE, "Elsewhere"),
        record(BMC, 0, 2, TEMPERATURE, "First"),
        record(BMC, 0, 2, FAN, "Second"),
        record(BMC, 3, 2, FAN, "Other LUN"),
        // Too short for a sensor.
        vec![0, 0, 0x51, 0x01, 3, BMC, 0, 9],
    ];
    let bench = Bench::new(Bmc { records: records.clone(), ..Bmc::default() });
    let found = [(0x0002, DeviceKind::Temperature, "First"), (0x3002, DeviceKind::FanSpeed, "Other LUN")];
    assert_eq!(sensors(&bench.discover().await.unwrap()), found);

    // One that is known to name wrong owners.
    let device = DeviceIdentity { manufacturer: 10368, ..Bmc::default().device };
    let bench = Bench::new(Bmc { records, device, ..Bmc::default() });
    assert_eq!(sensors(&bench.discover().await.unwrap())[0], (1, DeviceKind::Temperature, "Elsewhere"));
}

#[tokio::test(start_paused = true)]
async fn records_that_the_bmc_has_besides_its_repository_add_what_is_missing() {
    let own_records = vec![record(BMC, 0, 2, FAN, "Again"), record(BMC, 0, 7, FAN, "FAN7")];
    let device = DeviceIdentity { device_sdrs: true, ..Bmc::default().device };
    let bench = Bench::new(Bmc { own_records, device, ..Bmc::default() });
    let board = bench.discover().await.unwrap();
    assert_eq!(
        sensors(&board).iter().map(|(_, _, name)| *name).collect::<Vec<_>>(),
        ["CPU1 Temp", "CPU2 Temp", "FAN7"]
    );
    assert_eq!(bench.cost().await, [GET_DEVICE_ID, GET_SYSTEM_GUID, SDR_INFO, (4, 0x20)]);
}

#[tokio::test(start_paused = true)]
async fn a_uuid_that_cannot_be_trusted_gives_way_to_a_serial_number() {
    for guid in [[0; 16], [0xff; 16]] {
        let mut bmc = Bmc { guid, ..Bmc::default() };
        bmc.fru("B77");
        let bench = Bench::new(bmc);
        assert_eq!(bench.discover().await.unwrap().identity.unwrap().0, "serial:ACME/B77");
        bench.script().fru("");
        assert_eq!(bench.discover().await.unwrap().identity, None);
        bench.script().fru.clear();
        assert_eq!(bench.discover().await.unwrap().identity, None, "there is no inventory at all");
        bench.script().guid = UUID;
        assert!(!bench.cost().await.contains(&FRU_SIZE), "nobody needs the inventory then");
    }
}

#[tokio::test(start_paused = true)]
async fn power_is_measured_where_the_bmc_measures_it() {
    let bench = Bench::new(Bmc::default());
    let reading = bench.sensor(SERVER_POWER, DeviceKind::Power).await.unwrap();
    assert_eq!(reading.value(&Quantity::PowerWatts), Some(210.0));
    assert_eq!((reading.quality, reading.raw.to_i64()), (Quality::Good, Some(210)));
    bench.script().measuring = false;
    let reading = bench.sensor(SERVER_POWER, DeviceKind::Power).await.unwrap();
    assert_eq!((reading.quality, reading.measurements.len()), (Quality::Unavailable, 0));
    assert_eq!(bench.script().count(DCMI_CAPABILITIES), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bmc_that_does_not_measure_power_is_asked_once() {
    for dcmi in [None, Some(false)] {
        let bench = Bench::new(Bmc { dcmi, ..Bmc::default() });
        for _ in 0..3 {
            let error = bench.sensor(SERVER_POWER, DeviceKind::Power).await.unwrap_err();
            assert_eq!((error.fault, error.code), (Fault::Unsupported, "command_not_supported"), "{error}");
        }
        assert_eq!(bench.script().count(DCMI_CAPABILITIES), 1);
        let can_read = |board: &Board| board.devices[0].capabilities.has(Can::Reading);
        assert!(!can_read(&bench.discover().await.unwrap()));
        bench.script().dcmi = Some(true);
        bench.script().device.firmware_major += 1;
        assert!(can_read(&bench.discover().await.unwrap()), "other firmware can do other things");
    }
}

#[tokio::test(start_paused = true)]
async fn the_version_is_asked_for_each_time() {
    let bench = Bench::new(Bmc::default());
    assert_eq!(bench.read(Query::Version(BOARD)).await, Ok(Observation::Version("1.74".to_owned())));
    bench.script().device.firmware_minor = 0x80;
    assert_eq!(bench.read(Query::Version(BOARD)).await, Ok(Observation::Version("1.80".to_owned())));
    let error = bench.read(Query::Version(BoardId(1))).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Invalid, "unknown_board"));
}

/// A BMC that answers anything: sensible completion codes and lengths, and bytes that mean nothing.
struct Noise(u64);

impl Noise {
    /// The generator of Marsaglia (xorshift64).
    fn next(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_le_bytes()[3]
    }
}

impl Script for Noise {
    fn answer(&mut self, _: &Job) -> Outcome {
        match self.next() {
            0..8 => refusal(Completion(self.next())),
            8..12 => Err(Problem::Session(Failure::Silent { sent: true })),
            length => ok(&(0..length % 80).map(|_| self.next()).collect::<Vec<_>>()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_mean_nothing_are_survived() {
    for seed in 1..=300 {
        let bench = bench::Bench::new(Noise(seed));
        let mut board = bench.bmcs.configured().remove(0);
        for _ in 0..3 {
            let found = bench.bmcs.discover(Scope::Board(BOARD), context(Priority::Scan)).await;
            board = found.map_or(board, |mut boards| boards.remove(0));
        }
        assert!(board.devices.len() <= 3 + 1024);
        for Device { id, kind, .. } in board.devices {
            for query in [
                Query::Sensor { device: part(id), kind },
                Query::AssetInfo(part(id)),
                Query::BootTarget(part(id)),
                Query::Led(part(id)),
            ] {
                bench.bmcs.read(query, context(Priority::Read)).await.ok();
            }
        }
    }
}
