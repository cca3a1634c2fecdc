//! OpenIPMI's `ipmi_sim` with the BMCs of `tests/peer/ipmi`: processes that are stopped when this goes away.
//!
//! Knows how to start them and how to see that they are there; knows nothing of what is asked of them. Tests and
//! measurements share it, so it uses nothing but the standard library.

use std::fmt::Write;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// As many as ipmi_sim tells apart: one for each even address on the internal bus from 0x20 to 0xfe.
const BMCS_OF_ONE_PROCESS: usize = 112;
const FIRST_ADDRESS: usize = 0x20;

/// Where the descriptions of a BMC are.
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peer/ipmi");
const LAN: &str = include_str!("../../../../../tests/peer/ipmi/machine.lan");
const COMMANDS: &str = include_str!("../../../../../tests/peer/ipmi/machine.emu");

/// RMCP with an ASF presence ping (ASF 2.0 §3.2.4.1).
const PING: [u8; 12] = [0x06, 0x00, 0xff, 0x06, 0x00, 0x00, 0x11, 0xbe, 0x80, 0x00, 0x00, 0x00];

/// An address of this machine that other processes do not use.
pub(crate) fn host() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 0x40, middle, low)
}

/// Simulated BMCs, equal but for their addresses and ids.
pub(crate) struct Simulator {
    pub(crate) processes: Vec<Child>,
}

impl Simulator {
    /// Starts one BMC on each of `addresses`, and returns when all answer. Their files are written to `directory`.
    pub(crate) fn start(directory: &Path, addresses: &[SocketAddr]) -> Self {
        let machine = Machine::build(directory);
        let processes = addresses.chunks(BMCS_OF_ONE_PROCESS).enumerate();
        let processes = processes
            .map(|(number, addresses)| machine.start(&directory.join(number.to_string()), addresses));
        let simulator = Self { processes: processes.collect() };
        addresses.iter().for_each(wait_for_pong);
        simulator
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for process in &mut self.processes {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// What all BMCs have in common.
struct Machine {
    /// The module that keeps the power state.
    chassis: PathBuf,
    fru: PathBuf,
    records: Vec<Vec<u8>>,
}

impl Machine {
    fn build(directory: &Path) -> Self {
        let (chassis, fru, records) =
            (directory.join("chassis.so"), directory.join("fru"), directory.join("sdrs"));
        // Where Rust links programs there is a `cc`.
        run(Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&chassis).arg(peer("chassis.c")));
        run(Command::new("sdrcomp").arg("-r").arg("-o").arg(&records).arg(peer("machine.sdrs")));
        fs::write(&fru, fru_image()).expect("a FRU image");
        let records = split_records(&fs::read(records).expect("SDRs"));
        Self { chassis, fru, records }
    }

    fn start(&self, directory: &Path, addresses: &[SocketAddr]) -> Child {
        fs::create_dir(directory).expect("a directory");
        let mut lan = format!("name \"rack\"\nloadlib {:?} \"\"\n", self.chassis);
        let mut commands = format!("mc_setbmc {FIRST_ADDRESS:#x}\n");
        for (number, address) in addresses.iter().enumerate() {
            let controller = u8::try_from(FIRST_ADDRESS + 2 * number).expect("an even address below 0x100");
            let text = |template: &str| self.fill_in(template, controller, *address);
            lan += &text(LAN);
            commands += &text(COMMANDS);
        }
        fs::write(directory.join("lan"), lan).expect("a configuration");
        fs::write(directory.join("commands"), commands).expect("a configuration");
        let log = File::create(directory.join("log")).expect("a log");
        let mut command = Command::new("ipmi_sim");
        command.args(["-n", "-c", "lan", "-f", "commands", "-s", "state"]).current_dir(directory);
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("a log")).stdout(log);
        command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn fill_in(&self, template: &str, controller: u8, address: SocketAddr) -> String {
        let guid = format!("00112233445566778899aabb0000{:04x}", address.port());
        let text = template
            .replace("@mc@", &format!("{controller:#04x}"))
            .replace("@address@", &address.ip().to_string())
            .replace("@port@", &address.port().to_string())
            .replace("@guid@", &guid)
            .replace("@fru@", self.fru.to_str().expect("a path in Unicode"));
        text.replace("@sdrs@", &self.add_records(controller))
    }

    /// The commands that give a controller its SDRs. The file that ipmi_sim would read them from serves only the
    /// first controller of a process.
    fn add_records(&self, controller: u8) -> String {
        let mut text = String::new();
        for record in &self.records {
            write!(text, "main_sdr_add {controller:#04x}").expect("text");
            for byte in record {
                write!(text, " {byte:#04x}").expect("text");
            }
            text.push('\n');
        }
        text
    }
}

/// Cuts what sdrcomp wrote into records, each with a header of five bytes that ends with its length
/// (IPMI 2.0 §43, table 43-1).
fn split_records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let [_, _, _, _, length, ..] = bytes {
        let (record, rest) = bytes.split_at(5 + usize::from(*length));
        records.push(record.to_vec());
        bytes = rest;
    }
    records
}

/// A FRU with a chassis, a board and a product area (Platform Management FRU Information Storage Definition §8).
fn fru_image() -> Vec<u8> {
    const RACK_MOUNT_CHASSIS: u8 = 0x17;
    const ENGLISH: u8 = 0;
    /// 2026-01-01 00:00 UTC in minutes since 1996.
    const MADE: u32 = 15_779_520;
    let [minutes @ .., _] = MADE.to_le_bytes();
    let made = [&[ENGLISH][..], &minutes[..]].concat();
    let areas = [
        fru_area(&[RACK_MOUNT_CHASSIS], &["CH-100", "C0001"]),
        fru_area(&made, &["Sundry Boards", "SB-2", "B0001", "BP-1", "fru 0"]),
        fru_area(&[ENGLISH], &["Sundry Systems", "SIM-1U", "PN-42", "v1.2", "P0001", "rack 7", "fru 0"]),
    ];
    let mut header = vec![1, 0];
    let mut end = 8;
    for area in &areas {
        header.push(u8::try_from(end / 8).expect("a small image"));
        end += area.len();
    }
    header.extend([0, 0]);
    header.push(zero_checksum(&header));
    [&header[..], &areas.concat()[..]].concat()
}

fn fru_area(fixed: &[u8], texts: &[&str]) -> Vec<u8> {
    const LATIN_1: u8 = 0xc0;
    const END_OF_FIELDS: u8 = 0xc1;
    let mut area = [&[1, 0], fixed].concat();
    for text in texts {
        area.push(LATIN_1 | u8::try_from(text.len()).expect("a short text"));
        area.extend(text.bytes());
    }
    area.push(END_OF_FIELDS);
    area.resize((area.len() + 1).next_multiple_of(8) - 1, 0);
    area[1] = u8::try_from(area.len().div_ceil(8)).expect("a small area");
    area.push(zero_checksum(&area));
    area
}

fn zero_checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte))
}

fn peer(file: &str) -> PathBuf {
    Path::new(PEER).join(file)
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; `cargo xtask test` installs what tests need"));
    assert!(status.success(), "{command:?}: {status}");
}

/// Asks until a BMC is there. Those of ipmi_sim answer only after the command file was read to its end.
pub(crate) fn wait_for_pong(address: &SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
    socket.connect(address).expect("an address of this machine");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    for _ in 0..1000 {
        // Nobody listens yet: the answer is an error, at once.
        if socket.send(&PING).is_ok() && socket.recv(&mut [0; 64]).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no BMC answers on {address}");
}
