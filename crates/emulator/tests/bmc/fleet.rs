//! Fleets on real sockets.

use std::net::UdpSocket;
use std::time::Duration;

use opendcre_emulator::bmc::{Fleet, FleetConfig, FleetError, Spread};
use opendcre_ipmi::packet::Datagram;
use opendcre_ipmi::packet::asf::{Ping, Pong};

fn anywhere(count: u32) -> FleetConfig {
    FleetConfig { listen: "127.0.0.1:0".parse().unwrap(), count, ..FleetConfig::default() }
}

fn client() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Long enough to be a failure.
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
}

fn pong(socket: &UdpSocket) -> Pong {
    let mut buffer = [0; 100];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    match Datagram::decode(&buffer[..length]).unwrap() {
        Datagram::Pong(pong) => pong,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_bmc_of_a_fleet_answers_at_its_own_address() {
    let handle = Fleet::bind(&anywhere(300)).unwrap().spawn().unwrap();
    let socket = client();
    for (tag, address) in (0..250).zip(handle.bmcs().addresses()) {
        socket.send_to(&Ping { tag }.encode(), address).unwrap();
        let mut buffer = [0; 100];
        let (_, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from, (*address).into());
    }
    assert_eq!(handle.bmcs().with(0, |bmc, _| bmc.counters().received), Some(1));
    assert_eq!(handle.bmcs().with(299, |bmc, _| bmc.counters().received), Some(0));
    assert_eq!(handle.bmcs().with(300, |_, _| ()), None);
    let address = handle.bmcs().addresses()[0];
    handle.stop().unwrap();
    UdpSocket::bind(address).unwrap();
}

#[test]
fn delayed_replies_come_too() {
    let mut config = anywhere(1);
    config.faults.slow = 1.0;
    config.faults.slow_by = Duration::from_millis(20);
    let handle = Fleet::bind(&config).unwrap().spawn().unwrap();
    let socket = client();
    for tag in 0..5 {
        socket.send_to(&Ping { tag }.encode(), handle.bmcs().addresses()[0]).unwrap();
    }
    for tag in 0..5 {
        assert_eq!(pong(&socket), Pong { tag, ipmi: true });
    }
}

#[test]
fn addresses_can_follow_each_other() {
    let mut config = anywhere(3);
    let port = UdpSocket::bind("127.0.77.1:0").unwrap().local_addr().unwrap().port();
    config.listen = format!("127.0.77.1:{port}").parse().unwrap();
    config.spread = Spread::Addresses;
    let handle = Fleet::bind(&config).unwrap().spawn().unwrap();
    assert_eq!(handle.bmcs().addresses()[2].to_string(), format!("127.0.77.3:{port}"));
    let socket = client();
    socket.send_to(&Ping { tag: 3 }.encode(), handle.bmcs().addresses()[2]).unwrap();
    assert_eq!(pong(&socket).tag, 3);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let socket = UdpSocket::bind(taken).unwrap();
    let mut config = anywhere(1);
    config.listen = taken.to_string().parse().unwrap();
    let error = Fleet::bind(&config).unwrap_err();
    assert!(matches!(error, FleetError::Listen { .. }));
    assert_eq!(error.to_string(), format!("cannot listen on {taken}"));
    drop(socket);
}
