//! A gateway that people log in to, in front of two emulated boards.

use std::fmt::Write;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::request::Request;
use crate::service::{self, MARK, password, pki};
use crate::support::{PRODUCT, Program, Room, eventually, free_address, signal};

/// The board that everybody who has a role may see, and the one in another rack.
pub(crate) const BOARD: &str = "00000001";

/// Groups of all providers, and what they may do.
const GRANTS: &str = r#"
[[auth.grant]]
role = "viewer"
groups = ["viewers"]
[[auth.grant]]
role = "operator"
groups = ["operators"]
[[auth.grant]]
role = "admin"
groups = ["admins"]
"#;

pub(crate) struct Gateway {
    program: Program,
    address: SocketAddr,
    scheme: &'static str,
    folder: tempfile::TempDir,
    /// What was shown to it to prove who somebody is, besides what has the mark.
    secrets: Vec<String>,
    _room: (Room, Program),
}

/// How a gateway is started.
pub(crate) struct Settings<'a> {
    pub(crate) address: SocketAddr,
    /// More keys of `[server]`.
    pub(crate) server: &'a str,
    /// More keys of `[tls]`; nothing for no TLS.
    pub(crate) tls: Option<&'a str>,
    /// Tables about logins.
    pub(crate) auth: &'a str,
    /// How much it logs.
    pub(crate) level: &'a str,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self { address: free_address(), server: "", tls: Some(""), auth: "", level: "trace" }
    }
}

impl Gateway {
    /// Starts one with TLS and these tables about logins.
    pub(crate) fn start(auth: &str) -> Self {
        Self::start_with(&Settings { auth, ..Settings::default() })
    }

    pub(crate) fn start_with(settings: &Settings<'_>) -> Self {
        let room = room();
        let folder = tempfile::tempdir().unwrap();
        let text = configuration(settings, folder.path(), &room.0.tty());
        fs::write(folder.path().join("opendcre.toml"), text).unwrap();
        let program = serve(folder.path());
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let address = settings.address;
        eventually("the gateway listens", || TcpStream::connect(address).ok());
        let gateway = Self { program, address, scheme, folder, secrets: Vec::new(), _room: room };
        eventually("the boards are known", || {
            (gateway.log().matches("kind=Appeared").count() == 2).then_some(())
        });
        gateway
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// A file in its own folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn request(&self, path: &str) -> Request {
        Request::to(&self.url(path))
    }

    /// A question that needs the permission to read.
    pub(crate) fn read(&self) -> Request {
        self.request("/opendcre/2/boards")
    }

    /// What somebody may do, by trying it.
    pub(crate) fn verbs(&self, login: impl Fn(Request) -> Request) -> String {
        let power = json!({"nodes": BOARD, "action": "on"});
        let asset = json!({"nodes": BOARD, "text": "row 7"});
        let tries = [
            ("read", self.read()),
            ("control", self.request("/opendcre/2/power").post(&power)),
            ("configure", self.request("/opendcre/2/asset").post(&asset)),
            ("audit", self.request("/opendcre/2/audit")),
        ];
        let mut verbs = Vec::new();
        for (verb, request) in tries {
            let answer = login(request).send();
            match answer.status {
                200..300 => verbs.push(verb),
                403 => assert_eq!(answer.code(), "forbidden"),
                _ => panic!("{verb}: {answer:?}"),
            }
        }
        verbs.join(" ")
    }

    /// Makes sure that `secret` is nowhere in what it writes.
    pub(crate) fn hides(&mut self, secret: impl Into<String>) {
        self.secrets.push(secret.into());
    }

    /// Runs a command of the client against it; what it prints, if it succeeds.
    pub(crate) fn client(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PRODUCT);
        command.args(["--server", &self.url(""), "--ca-file"]).arg(pki("ca.pem")).args(args);
        command.env("XDG_CONFIG_HOME", self.file("home"));
        command
    }

    pub(crate) fn process(&self) -> u32 {
        self.program.id()
    }

    pub(crate) fn reload(&self) {
        signal(self.program.id(), "HUP");
    }

    /// Everything that it has written to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("log/opendcre.log")).unwrap()
    }

    /// Ends it. What it has written must be whole and hold no secret.
    pub(crate) fn finish(mut self) -> Vec<Value> {
        assert_eq!(self.program.terminate(), Some(0), "{}", self.log());
        self.search_for_secrets();
        self.audit()
    }

    fn search_for_secrets(&self) {
        let mut needles = base64_of(MARK);
        needles.push(MARK.to_owned());
        needles.extend(self.secrets.iter().cloned());
        let written =
            service::files(&self.file("log")).into_iter().chain(service::files(&self.file("state")));
        let mut searched = 0;
        for (path, content) in written.chain(service::files(&self.file("output"))) {
            for needle in &needles {
                let found = content.windows(needle.len()).any(|window| window == needle.as_bytes());
                assert!(!found, "{} holds {needle}", path.display());
            }
            searched += content.len();
        }
        assert!(searched > 0, "it has written nothing at all");
    }

    /// The entries of its audit, whose chain is verified.
    fn audit(&self) -> Vec<Value> {
        let run = |command: &str| {
            let config = self.file("opendcre.toml");
            let output =
                Command::new(PRODUCT).args(["audit", command, "--config"]).arg(config).output().unwrap();
            let (said, errors) =
                (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "audit {command}: {errors}");
            said
        };
        run("verify");
        run("export").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Starts the product. What it prints is kept as well.
fn serve(folder: &Path) -> Program {
    fs::create_dir(folder.join("output")).unwrap();
    let mut shell = Command::new("sh");
    shell.current_dir(folder).args(["-c", "exec \"$@\" >output/out 2>output/err", "sh", PRODUCT, "serve"]);
    shell.args(["--config", "opendcre.toml"]);
    shell.env("LDAP_PASSWORD", password("svc")).env("OIDC_SECRET", password("opendcre"));
    Program::start(&mut shell)
}

fn configuration(settings: &Settings<'_>, folder: &Path, tty: &Path) -> String {
    let mut text = format!("[server]\nlisten = \"{}\"\n{}\n", settings.address, settings.server);
    if let Some(tls) = settings.tls {
        let (certificate, key) = (pki("server.pem"), pki("server.key"));
        write!(text, "[tls]\nenabled = true\ncertificate = {certificate:?}\nkey = {key:?}\n{tls}\n").unwrap();
    }
    for name in ["state", "log"] {
        let folder = folder.join(name);
        fs::create_dir(&folder).unwrap();
        write!(text, "[{name}]\ndirectory = {folder:?}\n").unwrap();
    }
    text + &format!(
        "level = {:?}\n[inventory]\nfile = {:?}\n\
         [[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {tty:?}\n\
         {GRANTS}{}",
        settings.level,
        folder.join("state/inventory.db"),
        settings.auth
    )
}

/// Two boards with a switch each.
fn room() -> (Room, Program) {
    let switch = json!({"device_id": "01ff", "device_type": "power", "has_state": true, "asset_info": "row 7",
                        "power": "0,12000,2400,3356", "on": "0,12000,2400,3356", "off": "64,0,0,0"});
    let board = |id: &str| json!({"board_id": id, "firmware_version": "1", "devices": [switch]});
    let room = Room::with_text(&json!({"boards": [board("1"), board("2")]}).to_string());
    let emulator = room.emulate(&[]);
    (room, emulator)
}

/// A text as it looks within Base64, wherever it begins there.
fn base64_of(text: &str) -> Vec<String> {
    // What comes before shifts the text by no, 6 or 12 bits; characters that hold bits of others are left out.
    let cut = |shift: usize, skip: usize| {
        let encoded = STANDARD.encode([&vec![0; shift][..], text.as_bytes()].concat());
        let whole = (shift + text.len()) * 8 / 6;
        encoded[skip..whole].to_owned()
    };
    vec![cut(0, 0), cut(1, 2), cut(2, 3)]
}
