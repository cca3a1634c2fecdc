//! Presence ping: whether somebody is there, before anybody logs in.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use comfy_table::Table;
use opendcre_ipmi::packet::asf::{Ping, Pong};
use opendcre_ipmi::packet::{Datagram, MAX_DATAGRAM};
use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout, timeout_at};

use super::console::{Report, fields, yes_no};
use super::error::IpmiError;

/// How long one ping is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Any but the one that asks for no answer.
const TAG: u8 = 1;

/// Who answered.
#[derive(Debug, Serialize)]
pub(super) struct Presence {
    address: SocketAddr,
    ipmi: bool,
}

impl Report for Presence {
    fn tables(&self) -> Vec<Table> {
        vec![fields([("address", Some(self.address.to_string())), ("speaks IPMI", Some(yes_no(self.ipmi)))])]
    }
}

/// Asks once a second until somebody answers.
///
/// # Errors
/// When nobody does within `limit`, or nobody listens there.
pub(super) async fn ping(address: SocketAddr, limit: Duration) -> Result<Presence, IpmiError> {
    let deadline = Instant::now() + limit;
    let mut is_noisy = false;
    let asked = async {
        let socket = UdpSocket::bind(unspecified(address)).await?;
        socket.connect(address).await?;
        loop {
            socket.send(&Ping { tag: TAG }.encode()).await?;
            if let Ok(pong) = timeout(PATIENCE, pong(&socket, &mut is_noisy)).await {
                return pong;
            }
        }
    };
    match timeout_at(deadline, asked).await {
        Ok(Ok(Pong { ipmi, .. })) => Ok(Presence { address, ipmi }),
        Ok(Err(_)) | Err(_) if is_noisy => Err(IpmiError::NotIpmi(address)),
        Ok(Err(_)) | Err(_) => Err(IpmiError::NoPong(address)),
    }
}

/// Waits for an answer. Whatever else comes is left out, but `is_noisy` tells of what no BMC sends.
async fn pong(socket: &UdpSocket, is_noisy: &mut bool) -> io::Result<Pong> {
    let mut buffer = [0; MAX_DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let datagram = buffer.get(..length).unwrap_or_default();
        match Datagram::decode(datagram) {
            Ok(Datagram::Pong(pong)) if pong.tag == TAG => return Ok(pong),
            Ok(_) => {}
            Err(_) => *is_noisy = true,
        }
    }
}

/// Any port, in the family of `address`.
const fn unspecified(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        SocketAddr::V6(_) => SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::console::shown;

    #[tokio::test]
    async fn only_a_pong_with_our_tag_counts() {
        let bmc = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = bmc.local_addr().unwrap();
        let answer = async {
            let mut buffer = [0; 64];
            let (length, from) = bmc.recv_from(&mut buffer).await.unwrap();
            assert_eq!(Datagram::decode(&buffer[..length]), Ok(Datagram::Ping(Ping { tag: TAG })));
            let pongs = [Pong { tag: 9, ipmi: false }, Pong { tag: TAG, ipmi: true }];
            for bytes in [vec![1, 2, 3], pongs[0].encode(), pongs[1].encode()] {
                bmc.send_to(&bytes, from).await.unwrap();
            }
        };
        let (presence, ()) = tokio::join!(ping(address, Duration::from_secs(10)), answer);
        let presence = Presence { address: ([10, 1, 0, 20], 623).into(), ..presence.unwrap() };
        insta::assert_snapshot!(shown(&presence), @r"
        address      10.1.0.20:623
        speaks IPMI  yes
        ");
    }

    #[tokio::test]
    async fn what_answers_with_something_else_is_no_bmc() {
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = other.local_addr().unwrap();
        let (mut buffer, limit) = ([0; 64], Duration::from_millis(100));
        let answer = async {
            let (_, from) = other.recv_from(&mut buffer).await.unwrap();
            other.send_to(b"HTTP/1.1 400 Bad Request", from).await.unwrap();
        };
        let (presence, ()) = tokio::join!(ping(address, limit), answer);
        assert!(matches!(presence.unwrap_err(), IpmiError::NotIpmi(at) if at == address));
    }
}
