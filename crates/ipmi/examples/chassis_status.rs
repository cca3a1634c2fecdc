//! Asks one BMC for its chassis status, with a plain blocking socket.
//!
//!     cargo run -p opendcre-ipmi --example chassis_status -- 127.0.0.1:623 operator operator

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example of a program")]

use std::error::Error;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opendcre_ipmi::client::{
    Access, Client, Entropy, Event, Order, PrivilegeRange, Protocol, Timing, UserLookup,
};
use opendcre_ipmi::packet::MAX_DATAGRAM;
use opendcre_ipmi::packet::v1_5::AuthType;
use opendcre_ipmi::{CipherSuite, NetFn, Request, Response, Secret};

/// The random numbers of the system.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        // Without random numbers there is no security, and nothing better to do than to stop.
        getrandom::fill(bytes).unwrap_or_else(|_| std::process::abort());
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, username, password, rest @ ..] = arguments.as_slice() else {
        return Err("usage: chassis_status ADDRESS:PORT USER PASSWORD [none|md2|md5|password|SUITE]".into());
    };
    let protocol = match rest.first().map(String::as_str) {
        Some("none") => Protocol::V1_5(AuthType::None),
        Some("md2") => Protocol::V1_5(AuthType::Md2),
        Some("md5") => Protocol::V1_5(AuthType::Md5),
        Some("password") => Protocol::V1_5(AuthType::Password),
        Some(suite) => Protocol::V2_0(CipherSuite::from_id(suite.parse()?).into_iter().collect()),
        None => Protocol::V2_0([17, 3].into_iter().filter_map(CipherSuite::from_id).collect()),
    };
    let access = Access {
        username: username.as_bytes().to_vec(),
        password: Secret::new(password.as_bytes())?,
        bmc_key: None,
        protocol,
        lookup: UserLookup::default(),
        privilege: PrivilegeRange::default(),
    };
    let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    socket.connect(address)?;
    let mut client = Client::new(Arc::new(access), Timing::default());
    let response = ask(&socket, &mut client, Request::new(NetFn::CHASSIS, 0x01, &[]))?;
    println!("{}: {:02x?}", response.completion, response.data);
    client.close(Instant::now(), &mut SystemEntropy);
    drive(&socket, &mut client, |event| (event == Event::Closed).then_some(()))?;
    println!("{:?}", client.counters());
    Ok(())
}

fn ask(socket: &UdpSocket, client: &mut Client, request: Request) -> Result<Response, Box<dyn Error>> {
    client.request(Order::read(request), Instant::now(), &mut SystemEntropy)?;
    let answer = drive(socket, client, |event| match event {
        Event::Answered(response) => Some(Ok(response)),
        Event::Failed(failure) => Some(Err(failure)),
        Event::Opened | Event::Closed => None,
    })?;
    Ok(answer?)
}

/// Carries datagrams to and fro until `pick` finds what it wants among the events.
fn drive<T>(
    socket: &UdpSocket,
    client: &mut Client,
    mut pick: impl FnMut(Event) -> Option<T>,
) -> Result<T, Box<dyn Error>> {
    let mut buffer = [0; MAX_DATAGRAM];
    loop {
        while let Some(datagram) = client.poll_transmit() {
            socket.send(&datagram)?;
        }
        while let Some(event) = client.poll_event() {
            if let Some(wanted) = pick(event) {
                return Ok(wanted);
            }
        }
        let deadline = client.next_deadline().ok_or("nothing to wait for")?;
        let wait = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(wait))?;
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let datagram = buffer.get(..length).unwrap_or_default();
                client.on_datagram(datagram, Instant::now(), &mut SystemEntropy);
            }
            // Also when the address refuses: the client decides how long to go on trying.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused) => {}
            Err(error) => return Err(error.into()),
        }
        client.on_timer(Instant::now(), &mut SystemEntropy);
    }
}
