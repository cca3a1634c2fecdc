//! The algorithms of sessions, from kept libraries.

use aes::Aes128;
use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::cipher::{AuthAlgorithm, IntegrityAlgorithm};

/// The block of AES, and the length of its key here.
pub(crate) const AES_BLOCK: usize = 16;
/// The block of MD5, SHA-1 and SHA-256. Every key here is shorter, so it is the key filled up with zeros (RFC 2104 §2).
const HMAC_BLOCK: usize = 64;

/// A message authentication code of up to 32 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Code {
    bytes: [u8; 32],
    length: usize,
}

impl Code {
    fn new(code: &[u8]) -> Self {
        let mut bytes = [0; 32];
        let mut length = 0;
        for (to, from) in bytes.iter_mut().zip(code) {
            *to = *from;
            length += 1;
        }
        Self { bytes, length }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The first bytes, at most `length`.
    pub(crate) fn truncated(self, length: usize) -> Self {
        Self { length: self.length.min(length), ..self }
    }

    /// Compares in a time that does not tell where the difference is.
    pub(crate) fn matches(&self, other: &[u8]) -> bool {
        self.bytes().ct_eq(other).into()
    }
}

/// An HMAC with its key already worked in.
#[derive(Clone)]
pub(crate) enum Keyed {
    None,
    Md5(Hmac<Md5>),
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

impl Keyed {
    pub(crate) fn new(algorithm: AuthAlgorithm, key: &[u8]) -> Self {
        let mut block = [0; HMAC_BLOCK];
        for (to, from) in block.iter_mut().zip(key) {
            *to = *from;
        }
        match algorithm {
            AuthAlgorithm::None => Self::None,
            AuthAlgorithm::HmacMd5 => Self::Md5(Hmac::new(&block.into())),
            AuthAlgorithm::HmacSha1 => Self::Sha1(Hmac::new(&block.into())),
            AuthAlgorithm::HmacSha256 => Self::Sha256(Hmac::new(&block.into())),
        }
    }

    pub(crate) fn code(&self, parts: &[&[u8]]) -> Code {
        match self {
            Self::None => Code::new(&[]),
            Self::Md5(mac) => finish(mac.clone(), parts),
            Self::Sha1(mac) => finish(mac.clone(), parts),
            Self::Sha256(mac) => finish(mac.clone(), parts),
        }
    }
}

fn finish<M: Mac>(mut mac: M, parts: &[&[u8]]) -> Code {
    parts.iter().for_each(|part| mac.update(part));
    Code::new(&mac.finalize().into_bytes())
}

impl IntegrityAlgorithm {
    /// The HMAC behind it, and how many bytes of it a packet carries (IPMI 2.0 §13.28.4).
    pub(crate) const fn hmac(self) -> (AuthAlgorithm, usize) {
        match self {
            Self::None => (AuthAlgorithm::None, 0),
            Self::HmacSha1_96 => (AuthAlgorithm::HmacSha1, 12),
            Self::HmacMd5_128 => (AuthAlgorithm::HmacMd5, 16),
            Self::HmacSha256_128 => (AuthAlgorithm::HmacSha256, 16),
        }
    }
}

/// AES-CBC-128 with its key already expanded.
#[derive(Clone)]
pub(crate) struct Aes(Aes128);

impl Aes {
    pub(crate) fn new(key: [u8; AES_BLOCK]) -> Self {
        Self(Aes128::new(&key.into()))
    }

    /// Encrypts whole blocks in place; a shorter rest is left as it is.
    pub(crate) fn encrypt(&self, iv: [u8; AES_BLOCK], bytes: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(bytes);
        cbc::Encryptor::inner_iv_init(&self.0, &iv.into()).encrypt_blocks(blocks);
    }

    /// Decrypts whole blocks in place; a shorter rest is left as it is.
    pub(crate) fn decrypt(&self, iv: [u8; AES_BLOCK], bytes: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(bytes);
        cbc::Decryptor::inner_iv_init(&self.0, &iv.into()).decrypt_blocks(blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn check(algorithm: AuthAlgorithm, key: &[u8], data: &[u8], expected: &str) {
        let code = Keyed::new(algorithm, key).code(&[data]);
        assert_eq!(code.bytes(), hex(expected), "{algorithm:?}");
        assert!(code.matches(&hex(expected)));
        assert!(!code.matches(&hex(expected)[1..]));
        assert!(!code.truncated(12).matches(&hex(expected)));
        assert!(code.truncated(12).matches(&hex(expected)[..12]));
    }

    /// RFC 2202 §2, cases 1 to 4 (the later keys are longer than any of IPMI).
    #[test]
    fn hmac_md5() {
        let md5 = AuthAlgorithm::HmacMd5;
        check(md5, &[0x0b; 16], b"Hi There", "9294727a3638bb1c13f48ef8158bfc9d");
        check(md5, b"Jefe", b"what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738");
        check(md5, &[0xaa; 16], &[0xdd; 50], "56be34521d144c88dbb8c733f0e8b3f6");
        let key: Vec<u8> = (1..=25).collect();
        check(md5, &key, &[0xcd; 50], "697eaf0aca3a3aea3a75164746ffaa79");
    }

    /// RFC 2202 §3, cases 1 to 5.
    #[test]
    fn hmac_sha1() {
        let sha1 = AuthAlgorithm::HmacSha1;
        check(sha1, &[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00");
        check(sha1, b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        check(sha1, &[0xaa; 20], &[0xdd; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3");
        let key: Vec<u8> = (1..=25).collect();
        check(sha1, &key, &[0xcd; 50], "4c9007f4026250c6bc8414f9bf50c86c2d7235da");
        check(sha1, &[0x0c; 20], b"Test With Truncation", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04");
    }

    /// RFC 4231 §4.2 to §4.5.
    #[test]
    fn hmac_sha256() {
        let sha256 = AuthAlgorithm::HmacSha256;
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        check(sha256, &[0x0b; 20], b"Hi There", expected);
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        check(sha256, b"Jefe", b"what do ya want for nothing?", expected);
        let expected = "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe";
        check(sha256, &[0xaa; 20], &[0xdd; 50], expected);
        let key: Vec<u8> = (1..=25).collect();
        let expected = "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b";
        check(sha256, &key, &[0xcd; 50], expected);
    }

    /// RFC 3602 §4, cases 1 and 2.
    #[test]
    fn aes_cbc() {
        for (key, iv, plain, cipher) in [
            (
                "06a9214036b8a15b512e03d534120006",
                "3dafba429d9eb430b422da802c9fac41",
                "53696e676c6520626c6f636b206d7367",
                "e353779c1079aeb82708942dbe77181a",
            ),
            (
                "c286696d887c9aa0611bbb3e2025a45a",
                "562e17996d093d28ddb3ba695a2e6f58",
                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1",
            ),
        ] {
            let aes = Aes::new(hex(key).try_into().unwrap());
            let iv = hex(iv).try_into().unwrap();
            let mut bytes = hex(plain);
            aes.encrypt(iv, &mut bytes);
            assert_eq!(bytes, hex(cipher));
            aes.decrypt(iv, &mut bytes);
            assert_eq!(bytes, hex(plain));
        }
    }
}
