//! How much memory a BMC takes. A test crate of its own, so that nothing else allocates meanwhile.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails may panic")]
#![allow(clippy::print_stdout, reason = "it tells what it has measured")]
#![allow(clippy::disallowed_methods, reason = "virtual time has to begin somewhere")]

use std::net::SocketAddrV4;
use std::time::Instant;

use opendcre_emulator::bmc::{Bmc, FleetConfig, Spread};
use opendcre_ipmi::CipherSuite;
use opendcre_ipmi::packet::Datagram;
use opendcre_ipmi::packet::rakp::{
    Exchange, Message1, Message2, Message3, NAME_ONLY, OpenRequest, OpenResponse, RakpStatus,
};
use opendcre_ipmi::packet::v2_0::{self, PayloadType};

const COUNT: u32 = 10_000;
/// What a BMC may take at most, without and with a session in cipher suite 17.
const IDLE_BYTES: u64 = 4 * 1024;
const SESSION_BYTES: u64 = 8 * 1024;

/// Memory of this process that is in use.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn payload(bmc: &mut Bmc, peer: SocketAddrV4, bytes: &[u8], now: Instant) -> Vec<u8> {
    let answer = bmc.on_datagram(peer, bytes, now).swap_remove(0).bytes;
    match Datagram::decode(&answer).unwrap() {
        Datagram::V2_0(envelope) => envelope.plain().unwrap().to_vec(),
        other => panic!("{other:?}"),
    }
}

fn open_session(bmc: &mut Bmc, now: Instant) {
    let peer = "192.0.2.1:40000".parse().unwrap();
    let suite = CipherSuite::from_id(17).unwrap();
    let request = OpenRequest { tag: 0, privilege: 0, console_session: 1, algorithms: suite.algorithms() };
    let request = v2_0::plain(PayloadType::OpenSessionRequest, &request.encode());
    let response = OpenResponse::decode(&payload(bmc, peer, &request, now)).unwrap();
    let mut exchange = Exchange {
        suite,
        console_session: 1,
        bmc_session: response.accepted.unwrap().bmc_session,
        console_random: [0; 16],
        bmc_random: [0; 16],
        bmc_guid: [0; 16],
        role: NAME_ONLY | 2,
        username: b"user".to_vec(),
    };
    let message = Message1 {
        tag: 0,
        bmc_session: exchange.bmc_session,
        console_random: exchange.console_random,
        role: exchange.role,
        username: exchange.username.clone(),
    };
    let message = v2_0::plain(PayloadType::Rakp1, &message.encode());
    exchange.bmc_random =
        Message2::decode(&payload(bmc, peer, &message, now)).unwrap().proof.unwrap().bmc_random;
    let code = exchange.code3(&opendcre_ipmi::Secret::new(b"user").unwrap());
    let message = Message3 { tag: 0, status: RakpStatus::OK, bmc_session: exchange.bmc_session, code };
    payload(bmc, peer, &v2_0::plain(PayloadType::Rakp3, &message.encode()), now);
    assert_eq!(bmc.sessions(), 1);
}

#[test]
fn ten_thousand_bmcs_are_small() {
    let listen = "127.0.0.1:623".parse().unwrap();
    let config = FleetConfig { listen, spread: Spread::Addresses, count: COUNT, ..FleetConfig::default() };
    let now = Instant::now();
    let before = resident();
    let mut bmcs = Bmc::fleet(&config, now, 0).unwrap();
    let idle = (resident() - before) / u64::from(COUNT);
    for bmc in &mut bmcs {
        open_session(bmc, now);
    }
    let busy = (resident() - before) / u64::from(COUNT);
    println!("{idle} bytes for a BMC, {busy} with a session");
    assert!(idle < IDLE_BYTES, "{idle} bytes");
    assert!(busy < SESSION_BYTES, "{busy} bytes");
}
