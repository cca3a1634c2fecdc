//! What the server costs: requests per second beside a bare hyper server, time to the first answer, memory, size.
//!
//! Both servers are processes of their own and take turns under the same load (`wrk`, 16 connections), so the ratio
//! holds on a noisy machine. Run by `cargo xtask bench`, which installs `wrk`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement stops at the first surprise and reads the clock"
)]

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

const PRODUCT: &str = env!("CARGO_BIN_EXE_opendcre");
/// Turns of each server under load, and the length of one.
const ROUNDS: usize = 7;
const SECONDS: u32 = 3;
const STARTS: usize = 21;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, address] = arguments.as_slice()
        && word == "hello"
    {
        return hello(address.parse().expect("an address"));
    }
    let mut out = io::stdout().lock();
    throughput(&mut out)?;
    start(&mut out)?;
    memory(&mut out)?;
    let size = std::fs::metadata(PRODUCT)?.len();
    writeln!(out, "| stripped release binary | {:.2} MB |", size as f64 / 1e6)
}

/// The bare server: every request gets the body that `/test` gives, nothing is logged, nothing is routed.
fn hello(address: SocketAddr) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answer = |_| async {
                let response = hyper::Response::builder().header("content-type", "application/json");
                Ok::<_, Infallible>(
                    response.body(Full::new(Bytes::from_static(b"{\"status\":\"ok\"}"))).unwrap(),
                )
            };
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer)),
            );
        }
    })
}

/// A server that is stopped when this goes away.
struct Server {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// The product as it is installed: logging to files, access log on, no bus.
fn product() -> Server {
    let directory = tempfile::tempdir().expect("a directory");
    let address = free_address();
    let config = directory.path().join("opendcre.toml");
    let text = format!(
        "[server]\nlisten = \"{address}\"\n\n[log]\ndirectory = {:?}\n",
        directory.path().join("log")
    );
    std::fs::create_dir(directory.path().join("log")).expect("a log directory");
    std::fs::write(&config, text).expect("a configuration");
    let mut command = Command::new(PRODUCT);
    command.arg("serve").arg("--config").arg(&config);
    Server { child: quiet(&mut command), address, _directory: directory }
}

fn bare() -> Server {
    let address = free_address();
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("hello").arg(address.to_string());
    Server { child: quiet(&mut command), address, _directory: tempfile::tempdir().expect("a directory") }
}

fn quiet(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

/// Asks until there is an answer.
fn first_answer(address: SocketAddr) {
    loop {
        let answered = TcpStream::connect(address).and_then(|mut stream| {
            stream.write_all(b"GET /opendcre/1.1/test HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer.starts_with("HTTP/1.1 200"))
        });
        match answered {
            Ok(true) => return,
            _ => std::thread::sleep(Duration::from_micros(200)),
        }
    }
}

/// Requests per second under load.
fn load(server: &Server) -> f64 {
    let url = format!("http://{}/opendcre/1.1/test", server.address);
    let output =
        Command::new("wrk").args(["-t1", "-c16", &format!("-d{SECONDS}s"), &url]).output().expect("wrk");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains("Non-2xx"), "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).expect("a result of wrk");
    line.trim().parse().expect("a number")
}

fn throughput(out: &mut impl Write) -> io::Result<()> {
    let (product, bare) = (product(), bare());
    for server in [&product, &bare] {
        first_answer(server.address);
        load(server);
    }
    let pairs: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (load(&product), load(&bare))).collect();
    let of_product = median(pairs.iter().map(|pair| pair.0));
    let of_bare = median(pairs.iter().map(|pair| pair.1));
    let ratio = median(pairs.iter().map(|(product, bare)| product / bare));
    writeln!(out, "| `/test`, 16 connections, access log on | {of_product:.0} requests/s |")?;
    writeln!(out, "| bare hyper server, same load, same run | {of_bare:.0} requests/s |")?;
    writeln!(out, "| ratio, median of {ROUNDS} pairs | {:.0} % |", ratio * 100.0)
}

fn start(out: &mut impl Write) -> io::Result<()> {
    let times = (0..STARTS).map(|_| {
        let begun = Instant::now();
        let server = product();
        first_answer(server.address);
        begun.elapsed().as_secs_f64() * 1e3
    });
    writeln!(out, "| first answer after exec, median of {STARTS} | {:.1} ms |", median(times))
}

fn memory(out: &mut impl Write) -> io::Result<()> {
    let server = product();
    first_answer(server.address);
    writeln!(out, "| resident memory, idle | {:.1} MB |", resident_megabytes(server.child.id())?)?;
    load(&server);
    writeln!(
        out,
        "| resident memory, after {SECONDS} s of that load | {:.1} MB |",
        resident_megabytes(server.child.id())?
    )
}

fn resident_megabytes(process: u32) -> io::Result<f64> {
    let status = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    Ok(kibibytes * 1024.0 / 1e6)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    *values.get(values.len() / 2).expect("at least one value")
}
