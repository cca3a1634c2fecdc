//! A login to keep, and a token endpoint that says what a test wants.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::saved::Login;

/// A login that has expired, with this token.
pub(super) fn login(token: &str) -> Login {
    login_at("https://sso.example/token", token)
}

/// The same with the address of its token endpoint.
pub(super) fn login_at(endpoint: &str, token: &str) -> Login {
    let login = json!({
        "issuer": "https://sso.example", "client_id": "cli", "token_endpoint": endpoint,
        "access_token": token, "expires": "2020-01-01T00:00:00Z", "refresh_token": format!("refresh-{token}"),
    });
    serde_json::from_value(login).unwrap()
}

/// A token endpoint. It lives as long as the process.
pub(super) struct TokenEndpoint {
    pub(super) url: String,
    /// The forms that it was sent.
    pub(super) forms: Arc<Mutex<Vec<String>>>,
}

impl TokenEndpoint {
    /// Gives every form this answer.
    pub(super) fn start(status: u16, answer: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let forms: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&forms), answer.to_string());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut text = String::new();
                // The form is the last that comes, and its refresh token the last in it.
                while !text.contains("refresh_token=") {
                    let mut buffer = [0; 4096];
                    let length = stream.read(&mut buffer).unwrap();
                    text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
                }
                kept.lock().unwrap().push(text.rsplit("\r\n\r\n").next().unwrap().to_owned());
                let head = format!("HTTP/1.1 {status} -\r\nContent-Length: {}\r\n", answer.len());
                write!(stream, "{head}Connection: close\r\n\r\n{answer}").unwrap();
            }
        });
        Self { url, forms }
    }
}
