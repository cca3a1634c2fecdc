//! Any bytes as each of the six messages that begin a session of IPMI 2.0, and the proofs of any exchange.
//!
//! The promises: what decodes encodes back to the same, and a proof is right for its exchange and wrong for all others.

use std::fmt::Debug;

use arbitrary::{Arbitrary, Unstructured};
use opendcre_ipmi::cipher::AuthAlgorithm;
use opendcre_ipmi::packet::rakp::{
    Exchange, MAX_USERNAME, Message1, Message2, Message3, Message4, OpenRequest, OpenResponse,
};
use opendcre_ipmi::{CipherSuite, DecodeError, MAX_SECRET};

use crate::secret;

/// Takes the bytes as every message, and as an exchange.
pub fn rakp(data: &[u8]) {
    stays_the_same(data, OpenRequest::decode, OpenRequest::encode);
    stays_the_same(data, OpenResponse::decode, OpenResponse::encode);
    stays_the_same(data, Message1::decode, Message1::encode);
    stays_the_same(data, Message2::decode, Message2::encode);
    stays_the_same(data, Message3::decode, Message3::encode);
    stays_the_same(data, Message4::decode, Message4::encode);
    if let Ok(negotiation) = Negotiation::arbitrary_take_rest(Unstructured::new(data)) {
        negotiation.check();
    }
}

fn stays_the_same<T: PartialEq + Debug>(
    data: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Ok(message) = decode(data) {
        assert_eq!(decode(&encode(&message)), Ok(message));
    }
}

#[derive(Debug, Arbitrary)]
struct Negotiation {
    suite: u8,
    sessions: [u32; 2],
    randoms: [[u8; 16]; 2],
    guid: [u8; 16],
    role: u8,
    username: Vec<u8>,
    password: Vec<u8>,
    bmc_key: Option<Vec<u8>>,
    code: Vec<u8>,
}

impl Negotiation {
    fn check(&self) {
        let cut = |bytes: &[u8], most| bytes.iter().copied().take(most).collect::<Vec<u8>>();
        let Some(suite) = CipherSuite::ALL.get(usize::from(self.suite) % CipherSuite::ALL.len()) else {
            return;
        };
        let [console_session, bmc_session] = self.sessions;
        let [console_random, bmc_random] = self.randoms;
        let exchange = Exchange {
            suite: *suite,
            console_session,
            bmc_session,
            console_random,
            bmc_random,
            bmc_guid: self.guid,
            role: self.role,
            username: cut(&self.username, MAX_USERNAME),
        };
        let password = secret(&cut(&self.password, MAX_SECRET));
        let bmc_key = self.bmc_key.as_ref().map(|key| secret(&cut(key, MAX_SECRET)));
        let keys = exchange.keys(&password, bmc_key.as_ref());
        let codes = [exchange.code2(&password), exchange.code3(&password), exchange.code4(&keys)];
        let are_right = |exchange: &Exchange, [two, three, four]: [&[u8]; 3]| {
            let four = exchange.is_code4(&keys, four);
            [exchange.is_code2(&password, two), exchange.is_code3(&password, three), four]
        };
        assert_eq!(are_right(&exchange, codes.each_ref().map(Vec::as_slice)), [true; 3]);
        let given = codes.each_ref().map(|code| *code == self.code);
        assert_eq!(are_right(&exchange, [&self.code; 3]), given);
        if suite.authentication != AuthAlgorithm::None {
            let other = Exchange {
                console_random: console_random.map(|byte| !byte),
                bmc_random: bmc_random.map(|byte| !byte),
                ..exchange
            };
            assert_eq!(are_right(&other, codes.each_ref().map(Vec::as_slice)), [false; 3]);
        }
    }
}
