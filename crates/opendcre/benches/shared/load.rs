//! The product beside a bare `hyper` server that answers every request with the same bytes: what it costs that a
//! request is understood, answered and logged.

use std::convert::Infallible;
use std::io::{self, Write};
use std::process::Command;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::measure::{median, processor_seconds};
use crate::server::{Server, free_address};

/// The first argument of a process that is the bare server; its address and the body follow.
pub(crate) const BARE: &str = "bare";

/// Turns of each server, and the length of one.
const ROUNDS: usize = 7;
const SECONDS: u32 = 3;

/// What a server did under load.
struct Turn {
    requests_per_second: f64,
    /// Processor time of the server for each request.
    microseconds: f64,
}

/// Lets the product answer `path` and the bare server answer anything with the same bytes, in turns.
pub(crate) fn compare(product: &Server, path: &str, out: &mut impl Write) -> io::Result<()> {
    let body = product.get(path)?;
    let bare = bare(&body);
    for server in [product, &bare] {
        turn(server, path);
    }
    let pairs: Vec<(Turn, Turn)> = (0..ROUNDS).map(|_| (turn(product, path), turn(&bare, path))).collect();
    let rate =
        |side: fn(&(Turn, Turn)) -> &Turn| median(pairs.iter().map(|pair| side(pair).requests_per_second));
    let time = |side: fn(&(Turn, Turn)) -> &Turn| median(pairs.iter().map(|pair| side(pair).microseconds));
    let ratio =
        median(pairs.iter().map(|(product, bare)| product.requests_per_second / bare.requests_per_second));
    writeln!(out, "\n| {} bytes, 16 connections, access log on | |\n|---|---|", body.len())?;
    writeln!(out, "| `{path}` | {:.0} requests/s |", rate(|pair| &pair.0))?;
    writeln!(out, "| bare `hyper` | {:.0} requests/s |", rate(|pair| &pair.1))?;
    writeln!(out, "| **ratio, median of {ROUNDS} pairs** | **{:.0} %** |", ratio * 100.0)?;
    writeln!(out, "| processor time for each request | {:.1} µs |", time(|pair| &pair.0))?;
    writeln!(out, "| the same of bare `hyper` | {:.1} µs |", time(|pair| &pair.1))
}

/// Asks for `path` for some seconds, on 16 connections.
fn turn(server: &Server, path: &str) -> Turn {
    let before = processor_seconds(&[server.process()]);
    let url = format!("http://{}{path}", server.address);
    let output =
        Command::new("wrk").args(["-t1", "-c16", &format!("-d{SECONDS}s"), &url]).output().expect("wrk");
    let processor = processor_seconds(&[server.process()]) - before;
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains("Non-2xx"), "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).expect("a result of wrk");
    let requests_per_second: f64 = line.trim().parse().expect("a number");
    let requests = requests_per_second * f64::from(SECONDS);
    Turn { requests_per_second, microseconds: processor * 1e6 / requests }
}

fn bare(body: &str) -> Server {
    let address = free_address();
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    Server::start(address, command.args([BARE, &address.to_string(), body]))
}

/// The bare server: nothing is logged, nothing is routed.
pub(crate) fn run_bare(arguments: &[String]) -> io::Result<()> {
    let [address, body] = arguments else { panic!("an address and a body are needed: {arguments:?}") };
    let body = Bytes::copy_from_slice(body.as_bytes());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let body = body.clone();
            let answer = move |_| {
                let body = Full::new(body.clone());
                async {
                    let response = hyper::Response::builder().header("content-type", "application/json");
                    Ok::<_, Infallible>(response.body(body).expect("a response"))
                }
            };
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer)),
            );
        }
    })
}
