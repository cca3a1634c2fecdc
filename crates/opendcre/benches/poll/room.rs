//! A gateway, as it is installed, that polls emulated BMCs of twenty sensors.

use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::IgnoredAny;
use tempfile::TempDir;

use crate::emulator::Emulator;
use crate::measure::{megabytes, processor_seconds};
use crate::server::Server;

/// The sensors of each BMC: as those of a server with two sockets, four of which are not analogue.
const SENSORS: [(&str, &str); 20] = [
    ("CPU1 Temp", "kind = \"cpu_temperature\""),
    ("CPU2 Temp", "kind = \"cpu_temperature\""),
    ("Inlet Temp", "kind = \"inlet_temperature\""),
    ("Exhaust Temp", "kind = \"exhaust_temperature\""),
    ("FAN1", "kind = \"fan\""),
    ("FAN2", "kind = \"fan\""),
    ("FAN3", "kind = \"fan\""),
    ("FAN4", "kind = \"fan\""),
    ("12V", "kind = \"voltage\"\nnominal = 12.0"),
    ("5V", "kind = \"voltage\"\nnominal = 5.0"),
    ("3.3V", "kind = \"voltage\"\nnominal = 3.3"),
    ("1.8V", "kind = \"voltage\"\nnominal = 1.8"),
    ("VBAT", "kind = \"battery\"\nnominal = 3.0"),
    ("PS1 Power", "kind = \"power\""),
    ("PS2 Power", "kind = \"power\""),
    ("Airflow", "kind = \"airflow\""),
    ("PS1 Status", "kind = \"power_supply\""),
    ("PS2 Status", "kind = \"power_supply\""),
    ("CPU1 Status", "kind = \"processor\""),
    ("Chassis Intru", "kind = \"intrusion\""),
];

/// How the configuration calls the BMCs that answer, and those that never do.
const RACK: &str = "r";
const SILENT_RACK: &str = "silent";

/// The kind of device that is read only when somebody asks.
const LAMP: &str = "led";

/// A gateway with its BMCs. They end when this goes away.
pub(crate) struct Room {
    pub(crate) bmcs: u16,
    interval: Duration,
    server: Server,
    emulator: Emulator,
    /// They are there and never answer, which is worse than not to be there.
    _silent: Vec<UdpSocket>,
    _directory: TempDir,
}

/// What was used up to a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    at: Instant,
    processor: f64,
    processor_of_bmcs: f64,
    requests: u64,
}

/// What polling cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// The part of one processor that the gateway used.
    pub(crate) load: f64,
    /// Processor time of the gateway for each BMC in each interval, in seconds.
    pub(crate) processor_of_round: f64,
    /// The part of one processor that the BMCs used.
    pub(crate) load_of_bmcs: f64,
    /// Commands to each BMC in each minute.
    pub(crate) requests: f64,
    /// Resident memory at the end, and the most so far, in megabytes.
    pub(crate) megabytes: f64,
    pub(crate) most_megabytes: f64,
}

/// What the gateway tells of its connections and values, as far as it counts here.
#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
    #[serde(default)]
    failures: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Link {
    rack: String,
    requests: u64,
}

#[derive(Deserialize)]
struct Reading {
    kind: String,
    age_ms: u64,
}

#[derive(Deserialize)]
struct About {
    boards: Boards,
}

#[derive(Deserialize)]
struct Boards {
    present: u16,
}

impl Room {
    /// Starts so many BMCs, as many more that never answer, and a gateway that reads all of them once in each interval.
    pub(crate) fn start(bmcs: u16, silent: u16, interval: Duration) -> Self {
        let emulator = Emulator::start(bmcs, &machine());
        let sockets = (0..silent).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a free port"));
        let sockets: Vec<UdpSocket> = sockets.collect();
        let silent: Vec<SocketAddr> =
            sockets.iter().map(|socket| socket.local_addr().expect("its address")).collect();
        let directory = tempfile::tempdir().expect("a directory");
        let server =
            Server::product(directory.path(), &configuration(&emulator.addresses, &silent, interval));
        Self { bmcs, interval, server, emulator, _silent: sockets, _directory: directory }
    }

    fn wait_for_all(&self) {
        while self.get::<About>("about").boards.present < self.bmcs {
            sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn meter(&self) -> Meter {
        let links = self.get::<Items<Link>>("bmcs").items.into_iter();
        let requests = links.filter(|link| link.rack == RACK).map(|link| link.requests).sum();
        let (processor, processor_of_bmcs) = self.processors();
        Meter { at: Instant::now(), processor, processor_of_bmcs, requests }
    }

    /// What was used since `begin`.
    pub(crate) fn cost(&self, begin: Meter) -> Cost {
        // First, because to ask for the number of requests costs something, too.
        let (processor, processor_of_bmcs) = self.processors();
        let seconds = begin.at.elapsed().as_secs_f64();
        let process = self.server.process();
        let (resident, most) = (megabytes(process, "VmRSS"), megabytes(process, "VmHWM"));
        let requests = self.meter().requests - begin.requests;
        let processor = processor - begin.processor;
        let bmcs = f64::from(self.bmcs);
        Cost {
            load: processor / seconds,
            processor_of_round: processor / seconds * self.interval.as_secs_f64() / bmcs,
            load_of_bmcs: (processor_of_bmcs - begin.processor_of_bmcs) / seconds,
            requests: requests as f64 / bmcs / (seconds / 60.0),
            megabytes: resident,
            most_megabytes: most,
        }
    }

    /// The processor time that the gateway and the BMCs have used so far.
    fn processors(&self) -> (f64, f64) {
        let of_bmcs = processor_seconds(&[self.emulator.child.id()]);
        (processor_seconds(&[self.server.process()]), of_bmcs)
    }

    /// How old every value is that the gateway reads by itself of the BMCs that answer, in seconds.
    pub(crate) fn ages(&self) -> Vec<f64> {
        // So old that nobody is asked, but for the lamps the first time.
        let readings: Items<Reading> = self.get(&format!("racks/{RACK}/readings?max_age=1h"));
        assert!(readings.failures.is_empty(), "{} values are not known", readings.failures.len());
        let polled = readings.items.into_iter().filter(|reading| reading.kind != LAMP);
        let ages: Vec<f64> = polled.map(|reading| reading.age_ms as f64 / 1e3).collect();
        assert!(ages.len() >= usize::from(self.bmcs) * SENSORS.len());
        ages
    }

    fn get<T: for<'a> Deserialize<'a>>(&self, path: &str) -> T {
        let text = self.server.get(&format!("/opendcre/2/{path}")).expect("an answer");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// Waits until everything was read at least once, and goes its pace.
pub(crate) fn settle(rooms: &[Room]) {
    rooms.iter().for_each(Room::wait_for_all);
    let interval = rooms.iter().map(|room| room.interval).max().unwrap_or_default();
    // Rounds begin within an interval, and the next ones at most a part of it later than planned.
    sleep(interval * 2 + interval / 8);
}

/// What the BMCs are like.
fn machine() -> String {
    SENSORS.iter().fold(String::new(), |mut text, (name, meaning)| {
        writeln!(text, "[[machine.sensors]]\nname = \"{name}\"\n{meaning}").expect("text");
        text
    })
}

/// What the gateway serves.
fn configuration(bmcs: &[SocketAddr], silent: &[SocketAddr], interval: Duration) -> String {
    let interval = format!("{}s", interval.as_secs());
    // Searched for once: what that costs is no part of the polling.
    let mut text = "refresh = \"0s\"\n".to_owned();
    writeln!(text, "[poll]\nreadings = \"{interval}\"\npower = \"{interval}\"").expect("text");
    let racks = bmcs.iter().map(|bmc| (RACK, bmc)).chain(silent.iter().map(|bmc| (SILENT_RACK, bmc)));
    for (rack, address) in racks {
        let access = "username = \"ADMIN\"\npassword = \"ADMIN\"";
        writeln!(text, "[[ipmi]]\nrack = \"{rack}\"\naddress = \"{address}\"\n{access}").expect("text");
    }
    text
}
