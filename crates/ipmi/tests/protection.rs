//! The set-up of a session of IPMI 2.0 and the packets in it, played by both sides with the same codecs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use opendcre_ipmi::packet::Datagram;
use opendcre_ipmi::packet::rakp::{Exchange, NAME_ONLY};
use opendcre_ipmi::packet::v2_0::{self, Envelope, OpenError, PayloadType, SessionKeys};
use opendcre_ipmi::{CipherSuite, Secret};
use proptest::prelude::*;

fn exchange(suite: CipherSuite) -> Exchange {
    Exchange {
        suite,
        console_session: 0xa0a2_a3a4,
        bmc_session: 0x0200_0001,
        console_random: [0x11; 16],
        bmc_random: [0x22; 16],
        bmc_guid: [0x33; 16],
        role: 3 | NAME_ONLY,
        username: b"operator".to_vec(),
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes()).unwrap()
}

fn keys(suite: CipherSuite) -> SessionKeys {
    exchange(suite).keys(&secret("operator"), None)
}

fn envelope(bytes: &[u8]) -> Envelope<'_> {
    match Datagram::decode(bytes) {
        Ok(Datagram::V2_0(envelope)) => envelope,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_who_knows_the_password_makes_the_codes() {
    for suite in CipherSuite::ALL.iter().filter(|suite| suite.id != 0) {
        let exchange = exchange(*suite);
        let (right, wrong) = (secret("operator"), secret("guess"));
        assert!(exchange.is_code2(&right, &exchange.code2(&right)));
        assert!(!exchange.is_code2(&right, &exchange.code2(&wrong)));
        assert!(!exchange.is_code2(&right, &[]), "an empty code must prove nothing");
        assert!(exchange.is_code3(&right, &exchange.code3(&right)));
        assert!(!exchange.is_code3(&right, &exchange.code3(&wrong)));
        let keys = exchange.keys(&right, None);
        let with_bmc_key = exchange.keys(&right, Some(&secret("a key of the BMC")));
        assert!(exchange.is_code4(&keys, &exchange.code4(&keys)));
        assert!(!exchange.is_code4(&keys, &exchange.code4(&with_bmc_key)));
        let other = Exchange { role: 4, ..exchange.clone() };
        assert!(!exchange.is_code2(&right, &other.code2(&right)), "the role is part of the proof");
    }
}

#[test]
fn the_protection_is_what_the_suite_says() {
    let payload = b"a message";
    for suite in CipherSuite::ALL {
        let bytes = v2_0::seal(&keys(*suite), 7, 9, payload, [5; 16]);
        let sealed = envelope(&bytes);
        assert_eq!((sealed.session, sealed.sequence), (7, 9));
        assert_eq!(sealed.payload_type, PayloadType::Ipmi);
        assert_eq!(sealed.open(&keys(*suite)).unwrap(), payload, "{suite}");
        let readable = bytes.windows(payload.len()).any(|window| window == payload);
        assert_eq!(readable, !sealed.encrypted, "{suite}");
        if sealed.authenticated {
            assert!((bytes.len() - 4 - code_length(*suite)).is_multiple_of(4), "{suite}");
        }
    }
}

fn code_length(suite: CipherSuite) -> usize {
    if suite.id < 6 { 12 } else { 16 }
}

#[test]
fn a_packet_with_less_protection_is_refused() {
    let suite = CipherSuite::from_id(17).unwrap();
    for weaker in [0, 1, 2, 15, 16].map(|id| CipherSuite::from_id(id).unwrap()) {
        let bytes = v2_0::seal(&keys(weaker), 7, 9, b"a message", [5; 16]);
        assert_eq!(envelope(&bytes).open(&keys(suite)), Err(OpenError::Unprotected));
    }
    let bytes = v2_0::plain(PayloadType::Ipmi, b"a message");
    assert_eq!(envelope(&bytes).open(&keys(suite)), Err(OpenError::Unprotected));
    let bytes = v2_0::seal(&keys(suite), 7, 9, b"a message", [5; 16]);
    assert_eq!(envelope(&bytes).plain(), Err(OpenError::Unprotected));
}

#[test]
fn every_flipped_bit_is_noticed() {
    for id in [2, 3, 7, 8, 16, 17] {
        let suite = CipherSuite::from_id(id).unwrap();
        let bytes = v2_0::seal(&keys(suite), 7, 9, b"a message", [5; 16]);
        // The RMCP header is not covered.
        for bit in 32..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            match Datagram::decode(&bad) {
                Ok(Datagram::V2_0(envelope)) => drop(envelope.open(&keys(suite)).unwrap_err()),
                Ok(Datagram::V1_5(_)) | Err(_) => {}
                Ok(other) => panic!("{other:?}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn any_payload_comes_through(payload in prop::collection::vec(any::<u8>(), 0..300), index in 0..CipherSuite::ALL.len()) {
        let keys = keys(CipherSuite::ALL[index]);
        let bytes = v2_0::seal(&keys, 1, 2, &payload, [9; 16]);
        prop_assert_eq!(envelope(&bytes).open(&keys).unwrap(), payload);
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut framed = vec![6, 0, 0xff, 7, 6];
        framed.extend(&bytes);
        if let Ok(Datagram::V2_0(envelope)) = Datagram::decode(&framed) {
            drop(envelope.open(&keys(CipherSuite::from_id(17).unwrap())));
        }
        drop(Datagram::decode(&bytes));
    }
}
