//! The messages of LDAP 3 that a login needs (RFC 4511): bind, search, `StartTLS` and what is answered to them.
//!
//! Bytes in, bytes out; no socket and no clock. Referrals and continuation references are recognised and never followed.

use std::fmt;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::ber::{
    BOOLEAN, BerError, ENUMERATED, INTEGER, OCTET_STRING, Reader, SEQUENCE, SET, put, put_boolean,
    put_nested, put_number,
};

/// The version of the protocol (RFC 4511 §4.2).
const VERSION: i32 = 3;
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const INTERMEDIATE_RESPONSE: u8 = 0x79;
/// `simple [0]` of `AuthenticationChoice` (RFC 4511 §4.2), `requestName [0]` of `ExtendedRequest` (§4.12).
const CONTEXT_0: u8 = 0x80;
/// `controls [0]` of `LDAPMessage` (RFC 4511 §4.1.1).
const CONTROLS: u8 = 0xa0;

/// `StartTLS` (RFC 4511 §4.14.1).
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// Simple paged results (RFC 2696 §2).
const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// `derefAliases`: never (RFC 4511 §4.5.1.3).
const NEVER_DEREFERENCE: i32 = 0;

/// The code of an answer (RFC 4511 §4.1.9 and appendix A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub(super) i32);

impl Code {
    pub(super) const SUCCESS: Self = Self(0);
    pub(super) const SIZE_LIMIT_EXCEEDED: Self = Self(4);
    pub(super) const CONSTRAINT_VIOLATION: Self = Self(19);
    pub(super) const NO_SUCH_OBJECT: Self = Self(32);
    pub(super) const INAPPROPRIATE_AUTHENTICATION: Self = Self(48);
    pub(super) const INVALID_CREDENTIALS: Self = Self(49);
    pub(super) const INSUFFICIENT_ACCESS: Self = Self(50);
    pub(super) const BUSY: Self = Self(51);
    pub(super) const UNAVAILABLE: Self = Self(52);
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.0 {
            1 => "operations error",
            3 => "time limit exceeded",
            8 => "stronger authentication required",
            10 => "referral, which is not followed",
            11 => "administrative limit exceeded",
            13 => "confidentiality required",
            32 => "no such object",
            49 => "invalid credentials",
            50 => "insufficient access rights",
            51 => "busy",
            52 => "unavailable",
            53 => "unwilling to perform",
            code => return write!(f, "code {code}"),
        };
        write!(f, "code {}, {meaning}", self.0)
    }
}

/// How an operation ended (`LDAPResult`, RFC 4511 §4.1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: Code,
    /// What the server says about it, for people. It is hostile text and may be long.
    pub(super) diagnostic: String,
}

/// An entry that a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    /// Descriptions as the server writes them, options included, with their values.
    pub(super) attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    /// The values of an attribute without options; none if the entry does not show it.
    pub(super) fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(description, _)| description.eq_ignore_ascii_case(name));
        found.map_or(&[], |(_, values)| values)
    }

    /// The values of an attribute that are texts.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// Whether the server shows only a part of the values (`;range=`, [MS-ADTS] §3.1.1.3.1.3.3).
    pub(super) fn is_partial(&self, name: &str) -> bool {
        self.attributes.iter().any(|(description, _)| {
            let (base, options) = description.split_once(';').unwrap_or((description, ""));
            base.eq_ignore_ascii_case(name) && options.to_ascii_lowercase().contains("range=")
        })
    }
}

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Response {
    Bind(Outcome),
    Entry(Entry),
    /// A continuation reference (RFC 4511 §4.5.3), whose addresses nobody here wants to know.
    Reference,
    /// The end of a search, with the cookie of the next page; empty after the last one.
    Done(Outcome, Vec<u8>),
    Extended(Outcome),
    /// An intermediate answer (RFC 4511 §4.13), which no control that is used here causes.
    Intermediate,
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum MessageError {
    #[error(transparent)]
    Encoding(#[from] BerError),
    #[error("a message has the unknown operation {0:#04x}")]
    Operation(u8),
}

/// How deep a search looks (RFC 4511 §4.5.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Base = 0,
    Subtree = 2,
}

/// A search.
#[derive(Debug, Clone)]
pub(super) struct Search<'a> {
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    /// The encoded filter.
    pub(super) filter: Vec<u8>,
    pub(super) attributes: Vec<&'a str>,
    /// How many entries the server may send at most.
    pub(super) size_limit: i32,
    /// How many entries a page has at most; nothing: all at once.
    pub(super) page: Option<i32>,
}

/// Encodes a simple bind (RFC 4511 §4.2). The bytes hold the password and are erased when they are dropped.
pub(super) fn bind(id: i32, name: &str, password: &SecretString) -> Zeroizing<Vec<u8>> {
    let password = password.expose_secret();
    // Room for everything at once: a buffer that grows would leave copies of the password behind.
    let mut out = Zeroizing::new(Vec::with_capacity(64 + name.len() + password.len()));
    put_message(&mut out, id, |out| {
        put_nested(out, BIND_REQUEST, |out| {
            put_number(out, INTEGER, VERSION);
            put(out, OCTET_STRING, name.as_bytes());
            put(out, CONTEXT_0, password.as_bytes());
        });
    });
    out
}

/// Encodes a request for TLS (RFC 4511 §4.14.1).
pub(super) fn start_tls(id: i32) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, id, |out| {
        put_nested(out, EXTENDED_REQUEST, |out| put(out, CONTEXT_0, START_TLS.as_bytes()));
    });
    out
}

/// Encodes a search (RFC 4511 §4.5.1) for the page that `cookie` stands for; the first one if it is empty.
pub(super) fn search(id: i32, search: &Search<'_>, cookie: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, id, |out| {
        put_nested(out, SEARCH_REQUEST, |out| {
            put(out, OCTET_STRING, search.base.as_bytes());
            put_number(out, ENUMERATED, search.scope as i32);
            put_number(out, ENUMERATED, NEVER_DEREFERENCE);
            put_number(out, INTEGER, search.size_limit);
            put_number(out, INTEGER, 0);
            put_boolean(out, BOOLEAN, false);
            out.extend_from_slice(&search.filter);
            put_nested(out, SEQUENCE, |out| {
                for attribute in &search.attributes {
                    put(out, OCTET_STRING, attribute.as_bytes());
                }
            });
        });
        if let Some(size) = search.page {
            put_nested(out, CONTROLS, |out| put_page(out, size, cookie));
        }
    });
    out
}

fn put_message(out: &mut Vec<u8>, id: i32, write: impl FnOnce(&mut Vec<u8>)) {
    put_nested(out, SEQUENCE, |out| {
        put_number(out, INTEGER, id);
        write(out);
    });
}

/// Appends the control for a page (RFC 2696 §2). It is not critical: a server without pages answers all at once.
pub(super) fn put_page(out: &mut Vec<u8>, size: i32, cookie: &[u8]) {
    put_nested(out, SEQUENCE, |out| {
        put(out, OCTET_STRING, PAGED_RESULTS.as_bytes());
        put_nested(out, OCTET_STRING, |out| {
            put_nested(out, SEQUENCE, |out| {
                put_number(out, INTEGER, size);
                put(out, OCTET_STRING, cookie);
            });
        });
    });
}

/// Decodes a message into its number and what it says.
pub(super) fn decode(bytes: &[u8]) -> Result<(i32, Response), MessageError> {
    let mut message = Reader::new(bytes).inside(SEQUENCE)?;
    let id = message.number(INTEGER)?;
    let (operation, content) = message.element()?;
    let mut content = Reader::new(content);
    let response = match operation {
        BIND_RESPONSE => Response::Bind(outcome(&mut content)?),
        EXTENDED_RESPONSE => Response::Extended(outcome(&mut content)?),
        SEARCH_ENTRY => Response::Entry(entry(&mut content)?),
        SEARCH_REFERENCE => Response::Reference,
        SEARCH_DONE => Response::Done(outcome(&mut content)?, cookie(message)?),
        INTERMEDIATE_RESPONSE => Response::Intermediate,
        other => return Err(MessageError::Operation(other)),
    };
    Ok((id, response))
}

fn outcome(reader: &mut Reader<'_>) -> Result<Outcome, BerError> {
    let code = Code(reader.number(ENUMERATED)?);
    reader.expect(OCTET_STRING)?;
    let diagnostic = String::from_utf8_lossy(reader.expect(OCTET_STRING)?).into_owned();
    Ok(Outcome { code, diagnostic })
}

fn entry(reader: &mut Reader<'_>) -> Result<Entry, BerError> {
    let dn = reader.text()?.to_owned();
    let mut attributes = Vec::new();
    let mut list = reader.inside(SEQUENCE)?;
    while !list.is_empty() {
        let mut attribute = list.inside(SEQUENCE)?;
        let description = attribute.text()?.to_owned();
        let mut set = attribute.inside(SET)?;
        let mut values = Vec::new();
        while !set.is_empty() {
            values.push(set.expect(OCTET_STRING)?.to_vec());
        }
        attributes.push((description, values));
    }
    Ok(Entry { dn, attributes })
}

/// The cookie of the next page among the controls that end a message, if any.
fn cookie(mut message: Reader<'_>) -> Result<Vec<u8>, BerError> {
    if message.is_empty() {
        return Ok(Vec::new());
    }
    let mut controls = message.inside(CONTROLS)?;
    while !controls.is_empty() {
        let mut control = controls.inside(SEQUENCE)?;
        if control.text()? != PAGED_RESULTS {
            continue;
        }
        let (tag, mut value) = control.element()?;
        if tag == BOOLEAN {
            value = control.expect(OCTET_STRING)?;
        }
        let mut page = Reader::new(value).inside(SEQUENCE)?;
        page.expect(INTEGER)?;
        return Ok(page.expect(OCTET_STRING)?.to_vec());
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(id: i32, operation: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        put_message(&mut out, id, |out| put_nested(out, operation, write));
        out
    }

    #[test]
    fn reads_an_entry_with_options_and_ranges() {
        let bytes = message(7, SEARCH_ENTRY, |out| {
            put(out, OCTET_STRING, b"uid=ada,dc=example");
            put_nested(out, SEQUENCE, |out| {
                for (name, value) in [("uid", "ada"), ("memberOf;range=0-1499", "cn=x")] {
                    put_nested(out, SEQUENCE, |out| {
                        put(out, OCTET_STRING, name.as_bytes());
                        put_nested(out, SET, |out| put(out, OCTET_STRING, value.as_bytes()));
                    });
                }
            });
        });
        let Ok((7, Response::Entry(entry))) = decode(&bytes) else { panic!("no entry") };
        assert_eq!(entry.dn, "uid=ada,dc=example");
        assert_eq!(entry.texts("UID").collect::<Vec<_>>(), ["ada"]);
        assert!(
            entry.values("memberOf").is_empty() && entry.is_partial("memberof") && !entry.is_partial("uid")
        );
    }

    #[test]
    fn finds_the_cookie_of_the_next_page() {
        let mut bytes = Vec::new();
        put_message(&mut bytes, 2, |out| {
            put_nested(out, SEARCH_DONE, |out| {
                put_number(out, ENUMERATED, 0);
                put(out, OCTET_STRING, b"");
                put(out, OCTET_STRING, b"");
            });
            put_nested(out, CONTROLS, |out| {
                put_nested(out, SEQUENCE, |out| put(out, OCTET_STRING, b"1.2.3"));
                put_page(out, 0, b"more");
            });
        });
        let (_, response) = decode(&bytes).unwrap();
        let outcome = Outcome { code: Code::SUCCESS, diagnostic: String::new() };
        assert_eq!(response, Response::Done(outcome, b"more".to_vec()));
    }

    #[test]
    fn a_bind_needs_no_second_buffer() {
        let password = SecretString::from("p".repeat(1000));
        let bytes = bind(1, &"n".repeat(1000), &password);
        assert_eq!(bytes.capacity(), 64 + 2000);
    }

    proptest! {
        #[test]
        fn hostile_messages_never_panic(operation: u8, body: Vec<u8>, id: i32) {
            let _ = decode(&body);
            let _ = decode(&message(id, operation, |out| out.extend_from_slice(&body)));
        }

        #[test]
        fn hostile_bits_never_panic(at in 0_usize..60, bit in 0_u8..8) {
            let mut bytes = message(1, SEARCH_ENTRY, |out| {
                put(out, OCTET_STRING, b"uid=ada");
                put_nested(out, SEQUENCE, |out| {
                    put_nested(out, SEQUENCE, |out| {
                        put(out, OCTET_STRING, b"uid");
                        put_nested(out, SET, |out| put(out, OCTET_STRING, b"ada"));
                    });
                });
            });
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
            let _ = decode(&bytes);
        }
    }
}
