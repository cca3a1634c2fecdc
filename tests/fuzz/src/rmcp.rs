//! Any bytes as one datagram of RMCP, and datagrams of every kind that were made here, sound and damaged.
//!
//! The promises: what decodes encodes back to the same; what was sealed opens with its keys, and with no others and not
//! after any change.

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use opendcre_ipmi::cipher::{self, ConfidentialityAlgorithm, IntegrityAlgorithm};
use opendcre_ipmi::packet::rakp::Exchange;
use opendcre_ipmi::packet::v1_5::{AuthType, Packet};
use opendcre_ipmi::packet::v2_0::{self, Envelope, PayloadType, SessionKeys};
use opendcre_ipmi::packet::{Datagram, MAX_DATAGRAM};
use opendcre_ipmi::{CipherSuite, Message, Secret};

use crate::secret;

/// One session of every suite.
static SESSIONS: LazyLock<Vec<(CipherSuite, SessionKeys)>> =
    LazyLock::new(|| CipherSuite::ALL.iter().map(|suite| (*suite, keys(*suite))).collect());
/// A session that is encrypted but not signed: no BMC offers it, but any bytes get as far as being decrypted.
static UNSIGNED: LazyLock<SessionKeys> = LazyLock::new(|| {
    keys(CipherSuite {
        integrity: IntegrityAlgorithm::None,
        confidentiality: ConfidentialityAlgorithm::AesCbc128,
        ..CipherSuite::ALL.last().copied().unwrap_or_else(|| panic!("there is no cipher suite"))
    })
});
/// IPMI 2.0 table 13-16, "OEM explicit".
const OEM_PAYLOAD: PayloadType = PayloadType::Other(2);
static PASSWORD: LazyLock<Secret> = LazyLock::new(|| secret(b"operator"));

/// Takes the bytes as a datagram, and as the description of one.
pub fn rmcp(data: &[u8]) {
    any_datagram(data);
    message(data);
    if let Ok(suites) = cipher::decode_records(data) {
        let known: Vec<CipherSuite> = suites.iter().filter_map(|id| CipherSuite::from_id(*id)).collect();
        let ids: Vec<u8> = known.iter().map(|suite| suite.id).collect();
        assert_eq!(cipher::decode_records(&cipher::encode_records(&known)), Ok(ids));
    }
    if let Ok(made) = Made::arbitrary_take_rest(Unstructured::new(data)) {
        made.check();
    }
}

fn any_datagram(data: &[u8]) {
    let Ok(datagram) = Datagram::decode(data) else { return };
    assert!(data.len() <= MAX_DATAGRAM);
    match &datagram {
        Datagram::Ping(ping) => assert_eq!(Datagram::decode(&ping.encode()), Ok(datagram)),
        Datagram::Pong(pong) => assert_eq!(Datagram::decode(&pong.encode()), Ok(datagram)),
        Datagram::V1_5(packet) => {
            assert_eq!(Datagram::decode(&packet.encode()), Ok(datagram.clone()));
            assert!(packet.is_authentic(&PASSWORD) || packet.auth_type != AuthType::None);
            message(&packet.payload);
        }
        Datagram::V2_0(envelope) => any_envelope(envelope),
    }
}

fn any_envelope(envelope: &Envelope<'_>) {
    // The payloads of manufacturers have a longer header, which is only read here.
    if let (Ok(payload), true) = (envelope.plain(), envelope.payload_type != OEM_PAYLOAD) {
        let again = v2_0::plain(envelope.payload_type, payload);
        let again = Datagram::decode(&again);
        let Ok(Datagram::V2_0(again)) = again else { panic!("{again:?}") };
        assert_eq!(again.plain(), Ok(payload));
    }
    let opened = SESSIONS.iter().map(|(_, keys)| keys).chain([&*UNSIGNED]).map(|keys| envelope.open(keys));
    for payload in opened.flatten() {
        message(&payload);
    }
}

fn message(data: &[u8]) {
    if let Ok(message) = Message::decode(data) {
        assert_eq!(message.encode(), data, "{message:?}");
    }
}

#[derive(Debug, Arbitrary)]
struct Made {
    session: u32,
    sequence: u32,
    iv: [u8; 16],
    payload_type: u8,
    /// Which byte of the datagram is changed, and how.
    change: (u8, u8),
    payload: Vec<u8>,
}

impl Made {
    fn check(&self) {
        let payload_type = PayloadType::from_number(self.payload_type);
        assert_eq!(PayloadType::from_number(payload_type.number()), payload_type);
        for auth_type in [AuthType::None, AuthType::Md2, AuthType::Md5, AuthType::Password] {
            self.check_1_5(auth_type);
        }
        // More does not fit into a datagram.
        if self.payload.len() < MAX_DATAGRAM / 2 {
            SESSIONS.iter().for_each(|(suite, keys)| self.check_2_0(suite, keys));
        }
    }

    fn check_1_5(&self, auth_type: AuthType) {
        let payload = self.payload.iter().copied().take(usize::from(u8::MAX)).collect();
        let packet = Packet::signed(auth_type, &PASSWORD, self.sequence, self.session, payload);
        let bytes = packet.encode();
        assert_eq!(Datagram::decode(&bytes), Ok(Datagram::V1_5(packet.clone())));
        assert!(packet.is_authentic(&PASSWORD));
        let changed = self.changed(&bytes);
        if let (Ok(Datagram::V1_5(other)), AuthType::Md2 | AuthType::Md5) =
            (Datagram::decode(&changed), auth_type)
        {
            let is_weaker = matches!(other.auth_type, AuthType::None | AuthType::Password);
            assert!(other == packet || is_weaker || !other.is_authentic(&PASSWORD), "{other:?}");
        }
    }

    fn check_2_0(&self, suite: &CipherSuite, keys: &SessionKeys) {
        let bytes = v2_0::seal(keys, self.session, self.sequence, &self.payload, self.iv);
        let envelope = Datagram::decode(&bytes);
        let Ok(Datagram::V2_0(envelope)) = envelope else { panic!("{envelope:?}") };
        assert_eq!((envelope.session, envelope.sequence), (self.session, self.sequence));
        assert_eq!(envelope.open(keys).as_ref(), Ok(&self.payload));
        let is_signed = suite.integrity != IntegrityAlgorithm::None;
        let others = SESSIONS.iter().filter(|(other, _)| other != suite);
        for (other, keys) in others {
            assert!(!is_signed || envelope.open(keys).is_err(), "{suite} opens with the keys of {other}");
        }
        let changed = self.changed(&bytes);
        // The header of RMCP is covered by nothing.
        let is_covered = changed.get(4..) != bytes.get(4..);
        if let (Ok(Datagram::V2_0(changed)), true) = (Datagram::decode(&changed), is_signed && is_covered) {
            assert!(changed.open(keys).is_err(), "{suite} does not notice the change of {:?}", self.change);
        }
    }

    fn changed(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let (byte, bits) = self.change;
        if let Some(byte) = bytes.get_mut(usize::from(byte)) {
            *byte ^= bits;
        }
        bytes
    }
}

fn keys(suite: CipherSuite) -> SessionKeys {
    let exchange = Exchange {
        suite,
        console_session: 0xa0a2_a3a4,
        bmc_session: 0x0200_4a01,
        console_random: [0x11; 16],
        bmc_random: [0x22; 16],
        bmc_guid: [0x33; 16],
        role: 0x13,
        username: b"operator".to_vec(),
    };
    exchange.keys(&PASSWORD, None)
}
