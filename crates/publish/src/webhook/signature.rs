//! Signatures by which a receiver knows who sent something, and when.

use std::fmt::Write;

use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

/// How the first kind of signature begins. Others may follow behind a comma some day.
const VERSION: &str = "v1=";

/// The signature of a body that is sent at `timestamp`: `v1=` and 64 hexadecimal digits.
pub(super) fn sign(secret: &SecretString, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    let mut signature = VERSION.to_owned();
    for byte in context.sign().as_ref() {
        // Writing to a text cannot fail.
        let _ = write!(signature, "{byte:02x}");
    }
    signature
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_hash_is_the_one_that_python_finds() {
        let script =
            "import hmac,sys; d=sys.stdin.buffer.read(); print(hmac.new(b'secret', d, 'sha256').hexdigest())";
        let mut python = Command::new("python3")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let body = "{\"a\":\"ä\"}";
        python.stdin.take().unwrap().write_all(format!("1800000000.{body}").as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        let expected = String::from_utf8(output.stdout).unwrap();
        let signature = sign(&"secret".into(), "1800000000", body.as_bytes());
        assert_eq!(signature, format!("v1={}", expected.trim()));
    }

    #[test]
    fn every_part_counts() {
        let signature = sign(&"key".into(), "1", b"body");
        assert_eq!(signature.len(), VERSION.len() + 64);
        for (secret, timestamp, body) in [("kez", "1", "body"), ("key", "2", "body"), ("key", "1", "bodz")] {
            assert_ne!(sign(&secret.into(), timestamp, body.as_bytes()), signature);
        }
    }
}
