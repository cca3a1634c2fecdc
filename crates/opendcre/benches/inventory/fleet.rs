//! The product in front of many emulated BMCs: how soon it knows them, what it costs to list them all and to read one
//! value, and how soon it is there again when it knows them already.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::emulator::Emulator;
use crate::load;
use crate::measure::{median, megabytes};
use crate::room;
use crate::server::Server;

const BMCS: u16 = 10_000;
const BMCS_OF_ONE_RACK: usize = 40;
/// The BMCs of a room whose polling leaves the machine nearly idle.
const FEW_BMCS: u16 = 100;
/// A value that is known, as an emulated BMC calls its first sensor.
const KNOWN: &str = "/opendcre/2/boards/node00050/devices/0001/readings?max_age=1h";
const LISTINGS: usize = 21;
const STARTS: usize = 7;
/// Everything, in one listing.
const ALL: &str = "/opendcre/2/boards?limit=0";

/// What it cost to get a listing.
struct Listing {
    first_byte: f64,
    last_byte: f64,
    bytes: usize,
    /// By how much the memory of the server grew above what it was before, at most.
    megabytes: f64,
}

pub(crate) fn report(out: &mut impl Write) -> io::Result<()> {
    known_value_of_few(out)?;
    let emulator = Emulator::start(BMCS, "");
    let directory = tempfile::tempdir()?;
    let begun = Instant::now();
    let server = Server::product(directory.path(), &equipment(&emulator.addresses, "5m"));
    let until_ready = begun.elapsed();
    wait_for_all(&server, BMCS);
    let until_known = begun.elapsed();
    listings(&server, out)?;
    writeln!(out, "\nIn front of {BMCS} BMCs, which are polled all the time:")?;
    load::compare(&server, KNOWN, out)?;
    drop(server);
    writeln!(out, "\n| {BMCS} boards | |\n|---|---|")?;
    writeln!(out, "| ready without a stored inventory | {:.2} s |", until_ready.as_secs_f64())?;
    writeln!(out, "| every BMC asked who it is and what it holds | {:.1} s |", until_known.as_secs_f64())?;
    // What is known is all that there is.
    let equipment = equipment(&emulator.addresses, "0s");
    drop(emulator);
    starts(directory.path(), &equipment, out)
}

/// What a known value costs by itself.
fn known_value_of_few(out: &mut impl Write) -> io::Result<()> {
    let emulator = Emulator::start(FEW_BMCS, "");
    let directory = tempfile::tempdir()?;
    let server = Server::product(directory.path(), &equipment(&emulator.addresses, "5m"));
    wait_for_all(&server, FEW_BMCS);
    writeln!(out, "\nIn front of {FEW_BMCS} BMCs:")?;
    load::compare(&server, KNOWN, out)
}

/// The BMCs as the configuration names them.
fn equipment(addresses: &[SocketAddr], refresh: &str) -> String {
    let mut text = format!("refresh = \"{refresh}\"\n");
    for (index, address) in (0..).zip(addresses) {
        let name = room::name(index + 1);
        let rack = index as usize / BMCS_OF_ONE_RACK;
        let access = "username = \"ADMIN\"\npassword = \"ADMIN\"";
        writeln!(
            text,
            "[[ipmi]]\nrack = \"r{rack:03}\"\nname = \"{name}\"\naddress = \"{address}\"\n{access}"
        )
        .expect("text");
    }
    text
}

/// Waits until so many boards have answered.
fn wait_for_all(server: &Server, count: u16) {
    while boards(server)["present"] != count {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How many boards there are in each state.
fn boards(server: &Server) -> Value {
    let about = server.get("/opendcre/2/about").expect("an answer");
    serde_json::from_str::<Value>(&about).expect("JSON")["boards"].take()
}

fn listings(server: &Server, out: &mut impl Write) -> io::Result<()> {
    // The gateway writes down what it found, and the allocator gets what one listing needs.
    std::thread::sleep(Duration::from_secs(3));
    writeln!(out, "\n| scan of {BMCS} known boards, median of {LISTINGS} | plain | gzip |\n|---|---|---|")?;
    let turns: io::Result<Vec<[Listing; 2]>> =
        (0..LISTINGS).map(|_| Ok([list(server, "identity")?, list(server, "gzip")?])).collect();
    let turns = turns?;
    let mut row = |what: &str, unit: &str, of: fn(&Listing) -> f64| {
        let [plain, gzip] = [0, 1].map(|side| median(turns.iter().map(|turn| of(&turn[side]))));
        writeln!(out, "| {what} | {plain:.2} {unit} | {gzip:.2} {unit} |")
    };
    row("first byte", "ms", |listing| listing.first_byte * 1e3)?;
    row("last byte", "ms", |listing| listing.last_byte * 1e3)?;
    row("bytes", "MB", |listing| listing.bytes as f64 / 1e6)?;
    row("most memory above that before", "MB", |listing| listing.megabytes)?;
    let first = &turns[0];
    writeln!(
        out,
        "| the same of the first listing | {:.2} MB | {:.2} MB |",
        first[0].megabytes, first[1].megabytes
    )?;
    writeln!(out, "| resident memory | {:.1} MB | |", megabytes(server.process(), "VmRSS"))
}

/// Gets everything in one listing.
fn list(server: &Server, encoding: &str) -> io::Result<Listing> {
    // The most memory so far is forgotten (proc(5), clear_refs).
    fs::write(format!("/proc/{}/clear_refs", server.process()), "5")?;
    let before = megabytes(server.process(), "VmRSS");
    let mut stream = TcpStream::connect(server.address)?;
    let begun = Instant::now();
    // Of HTTP 1.0, so that the body is sent as it is and the connection ends with it.
    write!(stream, "GET {ALL} HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\r\n")?;
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = stream.read(&mut buffer)?;
    let first_byte = begun.elapsed().as_secs_f64();
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n").expect("a header") + 4;
    assert!(buffer.starts_with(b"HTTP/1.0 200"), "{:?}", &buffer[..head]);
    loop {
        match stream.read(&mut buffer)? {
            0 => break,
            count => bytes += count,
        }
    }
    let last_byte = begun.elapsed().as_secs_f64();
    let most = megabytes(server.process(), "VmHWM");
    Ok(Listing { first_byte, last_byte, bytes: bytes - head, megabytes: most - before })
}

/// Starts with a stored inventory.
fn starts(directory: &Path, equipment: &str, out: &mut impl Write) -> io::Result<()> {
    let starts = (0..STARTS).map(|_| {
        let begun = Instant::now();
        let server = Server::product(directory, equipment);
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(boards(&server)["total"], BMCS);
        seconds
    });
    let seconds = median(starts);
    let size = fs::metadata(directory.join("inventory.db"))?.len();
    writeln!(out, "| **ready with a stored inventory, median of {STARTS} starts** | **{seconds:.2} s** |")?;
    writeln!(out, "| size of the database | {:.1} MB |", size as f64 / 1e6)
}
