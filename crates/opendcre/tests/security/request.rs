//! Requests, made with `curl`.

use std::fmt;
use std::process::Command;

use serde_json::{Value, json};

use crate::service::{password, pki};

/// A request that has not been sent.
#[derive(Clone)]
pub(crate) struct Request {
    args: Vec<String>,
}

/// What came back.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn to(url: &str) -> Self {
        let authority = pki("ca.pem").to_str().unwrap().to_owned();
        Self { args: Vec::new() }.with(&["--cacert", &authority, url])
    }

    /// The same with more arguments for `curl`.
    pub(crate) fn with(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    pub(crate) fn user(self, name: &str, password: &str) -> Self {
        self.with(&["-u", &format!("{name}:{password}")])
    }

    /// With the password that somebody really has.
    pub(crate) fn known_user(self, name: &str) -> Self {
        self.user(name, &password(name))
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header(&format!("Authorization: Bearer {token}"))
    }

    pub(crate) fn header(self, header: &str) -> Self {
        self.with(&["-H", header])
    }

    pub(crate) fn certificate(self, name: &str) -> Self {
        let [certificate, key] =
            ["pem", "key"].map(|kind| pki(&format!("{name}.{kind}")).to_str().unwrap().to_owned());
        self.with(&["--cert", &certificate, "--key", &key])
    }

    /// From another address of this machine, whose failures count by themselves.
    pub(crate) fn from(self, address: &str) -> Self {
        self.with(&["--interface", address])
    }

    /// To what begins with `to` instead of `from`.
    pub(crate) fn instead(mut self, from: &str, to: &str) -> Self {
        for arg in &mut self.args {
            if let Some(path) = arg.strip_prefix(from) {
                *arg = format!("{to}{path}");
            }
        }
        self
    }

    pub(crate) fn post(self, body: &Value) -> Self {
        self.header("Content-Type: application/json").with(&["-d", &body.to_string()])
    }

    /// What came back; nothing if there was no connection, or it broke.
    pub(crate) fn try_send(&self) -> Option<Answer> {
        let output =
            Command::new("curl").args(["-sS", "-i", "--max-time", "90"]).args(&self.args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").filter(|_| output.status.success())?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    pub(crate) fn send(&self) -> Answer {
        self.try_send().unwrap_or_else(|| panic!("no answer to {:?}", self.args))
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The stable word for what is wrong.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_else(|| panic!("no code in {self:?}")).to_owned()
    }

    /// All that is said about a refusal, but for what is different each time.
    pub(crate) fn gist(&self) -> (u16, Value) {
        let mut body = self.json();
        body["request_id"] = json!(null);
        (self.status, body)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{}", self.head, self.body)
    }
}
