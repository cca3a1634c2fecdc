//! What a scrape of all devices costs: how long it takes over a connection, and how many instructions each series.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use opendcre_api::{Api, Entrance, Limits, Listen, Server};
use opendcre_auth::Authenticator;
use opendcre_gateway::Gateway;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::measure::{median, megabytes};
use crate::room::{self, SystemClock};
use crate::valgrind::instructions;

/// The first argument of a process whose instructions are counted; what it does follows.
pub(crate) const WORD: &str = "scrape";

/// Boards with 20 sensors each: four series of each sensor, and one of each board.
const BOARDS: [u32; 2] = [2_500, 10_000];
/// Boards when instructions are counted, because valgrind is slow.
const COUNTED_BOARDS: u32 = 250;
const ROUNDS: usize = 11;
const PATH: &str = "/metrics/devices";

/// What it cost to get the page.
struct Scrape {
    first_byte: f64,
    /// From the first byte on.
    transfer: f64,
    bytes: usize,
    /// By how much the memory grew above what it was before, at most.
    megabytes: f64,
}

/// An API in front of boards of which everything is known.
fn api(boards: u32, runtime: &Runtime) -> Api {
    let gateway = room::gateway(boards);
    runtime.block_on(read_everything(&gateway));
    let entrance = Entrance::new(Arc::new(Authenticator::open(Arc::new(SystemClock))));
    Api::new(gateway, entrance, &SystemClock, Limits::default())
}

async fn read_everything(gateway: &Gateway) {
    let view = room::view(gateway);
    for board in view.boards() {
        for query in board.devices.iter().flat_map(|device| device.questions(board.id)) {
            gateway.read(view.principal(), query, Duration::ZERO).await.expect("a value");
        }
    }
}

pub(crate) fn report(out: &mut impl Write) -> io::Result<()> {
    for boards in BOARDS {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let api = api(boards, &runtime);
        let series = runtime.block_on(series(&api));
        let server = runtime.block_on(Server::bind([Listen::Tcp((Ipv4Addr::LOCALHOST, 0).into())]));
        let server = server.expect("a free port");
        let address = server.address().expect("an address");
        let (tasks, stop) = (tokio_util::task::TaskTracker::new(), CancellationToken::new());
        tasks.spawn_on(server.run(api, None, stop.clone()), runtime.handle());
        let turns: io::Result<Vec<[Scrape; 2]>> =
            (0..ROUNDS).map(|_| Ok([scrape(address, "identity")?, scrape(address, "gzip")?])).collect();
        let turns = turns?;
        stop.cancel();
        writeln!(out, "\n| `{PATH}`, {series} series, median of {ROUNDS} | plain | gzip |\n|---|---|---|")?;
        let mut row = |what: &str, unit: &str, of: fn(&Scrape) -> f64| {
            let [plain, gzip] = [0, 1].map(|side| median(turns.iter().map(|turn| of(&turn[side]))));
            writeln!(out, "| {what} | {plain:.1} {unit} | {gzip:.1} {unit} |")
        };
        row("first byte", "ms", |scrape| scrape.first_byte * 1e3)?;
        row("**first to last byte**", "ms", |scrape| scrape.transfer * 1e3)?;
        row("bytes", "MB", |scrape| scrape.bytes as f64 / 1e6)?;
        row("most memory above that before", "MB", |scrape| scrape.megabytes)?;
    }
    let count = |repeats: u32| instructions(&[WORD, &repeats.to_string()]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let series = runtime.block_on(series(&api(COUNTED_BOARDS, &runtime)));
    let each = (count(3) - count(1)) / 2.0 / f64::from(series);
    writeln!(out, "| instructions for each series | {each:.0} | |")
}

/// How many series there are.
async fn series(api: &Api) -> u32 {
    let mut page = Vec::new();
    each_piece(api, |piece| page.extend_from_slice(piece)).await;
    let samples =
        page.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    u32::try_from(samples.count()).expect("a number")
}

async fn each_piece(api: &Api, mut take: impl FnMut(&[u8])) {
    let request = Request::get(PATH).body(Empty::<Bytes>::new()).expect("a request");
    let reply = api.respond(request, ([127, 0, 0, 1], 1).into()).await;
    assert_eq!(reply.status(), StatusCode::OK);
    let mut body = reply.into_body();
    while let Some(frame) = body.frame().await {
        take(&frame.expect("a piece").into_data().expect("data"));
    }
}

fn scrape(address: SocketAddr, encoding: &str) -> io::Result<Scrape> {
    // The most memory so far is forgotten (proc(5), clear_refs).
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = megabytes(std::process::id(), "VmRSS");
    let mut buffer = vec![0; 1 << 20];
    let mut stream = TcpStream::connect(address)?;
    let begun = Instant::now();
    // Of HTTP 1.0, so that the body is sent as it is and the connection ends with it.
    write!(stream, "GET {PATH} HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\r\n")?;
    let mut bytes = stream.read(&mut buffer)?;
    let first_byte = begun.elapsed().as_secs_f64();
    assert!(buffer.starts_with(b"HTTP/1.0 200"));
    loop {
        match stream.read(&mut buffer)? {
            0 => break,
            count => bytes += count,
        }
    }
    let transfer = begun.elapsed().as_secs_f64() - first_byte;
    Ok(Scrape { first_byte, transfer, bytes, megabytes: megabytes(std::process::id(), "VmHWM") - before })
}

/// What a process does whose instructions are counted.
pub(crate) fn run(arguments: &[String]) -> io::Result<()> {
    let [repeats] = arguments else { panic!("not an order: {arguments:?}") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let api = api(COUNTED_BOARDS, &runtime);
    for _ in 0..repeats.parse::<u32>().expect("a number") {
        runtime.block_on(each_piece(&api, |piece| assert!(!piece.is_empty())));
    }
    Ok(())
}
