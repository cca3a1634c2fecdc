//! A range of IP addresses, as people write it. It knows nothing of who is there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// The addresses that begin with the same bits: one address, or a network in the notation of RFC 4632 §3.1 and RFC 4291
/// §2.3.
///
/// An IPv4 address that is mapped into IPv6 (RFC 4291 §2.5.5.2) is that IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// It is neither an address nor a network.
    #[error("{text:?} is not an address such as 10.0.0.5 or a network such as 10.1.0.0/24")]
    Malformed {
        /// The text.
        text: String,
    },
    /// The address goes on where the network does not tell it any more.
    #[error("{text:?} has bits behind the prefix; write {network}")]
    HostBits {
        /// The text.
        text: String,
        /// The network that was probably meant.
        network: Network,
    },
}

/// The bits of an IPv6 address in front of a mapped IPv4 address.
const MAPPED_PREFIX: u8 = 96;

impl Network {
    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let malformed = || NetworkError::Malformed { text: text.to_owned() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let prefix = prefix.map_or(Some(width(address)), number).ok_or_else(malformed)?;
        let (address, prefix) = unmapped(address, prefix);
        if prefix > width(address) {
            return Err(malformed());
        }
        let network = Self { address: masked(address, prefix), prefix };
        if network.address == address {
            Ok(network)
        } else {
            Err(NetworkError::HostBits { text: text.to_owned(), network })
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.address) {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

/// The decimal number, without a sign.
fn number(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The bits of an address.
const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The same network of IPv4 addresses, if it is one of mapped addresses.
fn unmapped(address: IpAddr, prefix: u8) -> (IpAddr, u8) {
    let canonical = address.to_canonical();
    match prefix.checked_sub(MAPPED_PREFIX) {
        Some(prefix) if address.is_ipv6() && canonical.is_ipv4() => (canonical, prefix),
        _ => (address, prefix),
    }
}

/// An address with nothing but zeros behind its first bits.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let zeros = u32::from(width(address).saturating_sub(prefix));
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(zeros).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(zeros).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_what_begins_like_it() {
        for (range, inside, outside) in [
            ("10.0.0.5", "10.0.0.5", "10.0.0.6"),
            ("10.1.0.0/24", "10.1.0.255", "10.1.1.0"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::1", "::1", "::2"),
            ("fd00::/8", "fdff::1", "fe80::1"),
            ("::/0", "fe80::1", "10.0.0.1"),
            ("10.1.0.0/24", "::ffff:10.1.0.7", "::10.1.0.7"),
            ("::ffff:10.1.0.0/120", "10.1.0.7", "10.1.1.0"),
            ("::ffff:10.1.0.7", "10.1.0.7", "10.1.0.8"),
        ] {
            assert!(network(range).contains(address(inside)), "{inside} in {range}");
            assert!(!network(range).contains(address(outside)), "{outside} in {range}");
        }
    }

    #[test]
    fn nonsense_is_no_network() {
        for text in [
            "",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "host",
            "/8",
            "::/256",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
        let error = "10.1.0.5/24".parse::<Network>().unwrap_err().to_string();
        assert_eq!(error, "\"10.1.0.5/24\" has bits behind the prefix; write 10.1.0.0/24");
    }

    proptest! {
        #[test]
        fn a_network_is_read_back_and_holds_its_own_address(bits: u128, prefix in 0..=128_u8) {
            let v6 = Network { address: masked(IpAddr::V6(Ipv6Addr::from_bits(bits)), prefix), prefix };
            prop_assume!(v6.address.to_canonical().is_ipv6());
            prop_assert_eq!(v6.to_string().parse(), Ok(v6));
            prop_assert!(v6.contains(v6.address));
        }

        #[test]
        fn any_text_is_a_network_or_none(text in "[0-9a-f:./]{0,24}") {
            if let Ok(network) = text.parse::<Network>() {
                prop_assert!(network.contains(network.address));
            }
        }
    }
}
