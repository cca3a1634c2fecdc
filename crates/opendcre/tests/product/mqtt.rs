//! What those hear who listen at a broker: a real mosquitto, heard with its own client.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::publish::certify;
use crate::support::{Gateway, Program, Room, eventually, free_address, signal};

/// How long a listener waits for everything together.
const PATIENCE: &str = "60";

const GATEWAY: &str = "opendcre/dcre-1/availability";
const BOARD: &str = "opendcre/dcre-1/board/00000001";
const SWITCH: &str = "opendcre/dcre-1/board/00000001/device/0dff";
const TEMPERATURE: &str = "homeassistant/sensor/dcre-1/00000001_01ff_temperature/config";

/// A broker, and how it is reached.
struct Broker {
    program: Program,
    port: u16,
    directory: tempfile::TempDir,
    /// What clients need to be let in.
    access: Vec<String>,
}

impl Broker {
    /// One for everybody.
    fn start() -> Self {
        Self::start_at(free_address().port())
    }

    fn start_at(port: u16) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), port, "allow_anonymous true\n", &[])
    }

    /// One that keeps nothing over its own restart. `root` stays root, who may read what is in `directory`.
    fn start_in(directory: tempfile::TempDir, port: u16, rules: &str, access: &[String]) -> Self {
        let configuration = directory.path().join("mosquitto.conf");
        let text = format!("listener {port} 127.0.0.1\npersistence false\nuser root\n{rules}");
        fs::write(&configuration, text).unwrap();
        let program = Program::start(Command::new("/usr/sbin/mosquitto").arg("-c").arg(configuration));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        eventually("the broker listens", || TcpStream::connect(address).ok());
        Self { program, port, directory, access: access.to_vec() }
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-V", "5", "-h", "localhost", "-p", &self.port.to_string()]).args(&self.access);
        command
    }

    /// Somebody who hears everything, also what the broker keeps.
    fn listen(&self) -> Listener {
        let mut command = self.client("mosquitto_sub");
        command.args(["-t", "#", "-F", "%r %t %p", "-W", PATIENCE]);
        Listener(Program::start(&mut command))
    }

    fn publish(&self, topic: &str, payload: &str) {
        let status = self.client("mosquitto_pub").args(["-r", "-t", topic, "-m", payload]).status().unwrap();
        assert!(status.success(), "{topic}");
    }

    fn stop(mut self) {
        self.program.terminate();
    }
}

struct Listener(Program);

impl Listener {
    /// The first message at `topic` that `is_wanted`, and whether the broker had kept it.
    fn hear_any(&mut self, topic: &str, is_wanted: impl Fn(&str) -> bool) -> (bool, String) {
        loop {
            let line = self.0.line();
            assert!(!line.is_empty(), "nobody says anything of {topic}");
            let mut words = line.splitn(3, ' ');
            let (kept, heard) = (words.next() == Some("1"), words.next());
            let payload = words.next().unwrap_or_default();
            if heard == Some(topic) && is_wanted(payload) {
                return (kept, payload.to_owned());
            }
        }
    }

    fn hear(&mut self, topic: &str, wanted: &str) -> bool {
        self.hear_any(topic, |payload| payload == wanted).0
    }

    /// The first object at `topic` in which `key` is `value`, and whether the broker had kept it.
    fn hear_object(&mut self, topic: &str, key: &str, value: &Value) -> (bool, Value) {
        let parse = |payload: &str| serde_json::from_str::<Value>(payload).unwrap_or_default();
        let (kept, payload) =
            self.hear_any(topic, |payload| parse(payload).pointer(key).is_some_and(|found| found == value));
        (kept, parse(&payload))
    }
}

/// A gateway in front of the bus of `room` that tells the broker at `url` everything, with `keys` for its table.
fn gateway(room: &Room, url: &str, keys: &str) -> Gateway {
    let tables = format!(
        "[[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {:?}\n\
         [poll]\nreadings = \"1s\"\npower = \"1s\"\n\
         [[mqtt]]\nname = \"hall\"\nurl = \"{url}\"\nclient_id = \"dcre-1\"\ninterval = \"1s\"\n{keys}",
        room.tty()
    );
    let gateway = Gateway::start_with("", &tables);
    assert_eq!(gateway.get("/scan").0, 200);
    gateway
}

#[test]
fn a_broker_hears_of_states_and_events_and_that_the_gateway_was_killed() {
    let broker = Broker::start();
    let mut listener = broker.listen();
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    let gateway = gateway(&room, &format!("mqtt://127.0.0.1:{}", broker.port), "");
    listener.hear(GATEWAY, "online");
    listener.hear(&format!("{BOARD}/availability"), "online");
    let (_, config) = listener.hear_object(TEMPERATURE, "/device_class", &json!("temperature"));
    assert_eq!(config["unique_id"], "dcre-1_00000001_01ff_temperature");
    let (_, state) =
        listener.hear_object(config["state_topic"].as_str().unwrap(), "/temperature", &json!(28.78));
    assert_eq!((&state["quality"], &state["kind"]), (&json!("good"), &json!("thermistor")));
    listener.hear_object(SWITCH, "/power_state", &json!("on"));
    assert_eq!(gateway.post("/power/off/1/0dff").1["power_status"], "off");
    let (kept, action) = listener.hear_object("opendcre/dcre-1/events", "/event/kind", &json!("action"));
    assert_eq!((kept, &action["event"]["device"]), (false, &json!("0dff")));
    listener.hear_object(SWITCH, "/power_state", &json!("off"));
    signal(gateway.program.id(), "KILL");
    listener.hear(GATEWAY, "offline");
    // Whoever comes later is told the same by the broker.
    let mut late = broker.listen();
    let (kept, _) = late.hear_object(TEMPERATURE, "/unique_id", &config["unique_id"]);
    assert!(kept && broker.listen().hear(GATEWAY, "offline"));
    assert!(broker.listen().hear_object(SWITCH, "/power_state", &json!("off")).0);
}

#[test]
fn a_broker_that_comes_back_empty_is_told_everything_again() {
    let port = free_address().port();
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    // It is away at first.
    let mut gateway = gateway(&room, &format!("mqtt://localhost:{port}"), "discovery = \"ha\"\n");
    for _ in 0..2 {
        let broker = Broker::start_at(port);
        let mut listener = broker.listen();
        listener.hear(GATEWAY, "online");
        listener.hear_object(
            "ha/binary_sensor/dcre-1/00000001_0dff_power_state/config",
            "/payload_on",
            &json!("on"),
        );
        listener.hear_object(SWITCH, "/power_state", &json!("on"));
        broker.stop();
        assert_eq!(gateway.get("/version/1").1["firmware_version"], "fw 3.2", "nobody else is held up");
    }
    // What it keeps of what is not there any more is taken back.
    let broker = Broker::start_at(port);
    let (orphan, foreign) = (
        "ha/sensor/dcre-1/4fffffff_0001_temperature/config",
        "ha/sensor/other/4fffffff_0001_temperature/config",
    );
    let mut listener = broker.listen();
    listener.hear_object(SWITCH, "/power_state", &json!("on"));
    broker.publish(foreign, "theirs");
    broker.publish(orphan, "ours");
    listener.hear(orphan, "ours");
    listener.hear(orphan, "");
    assert!(broker.listen().hear(foreign, "theirs"), "what is not ours stays");
    // Whoever goes in order says so.
    assert_eq!(gateway.program.terminate(), Some(0));
    listener.hear_object("opendcre/dcre-1/events", "/event/kind", &json!("service_stopped"));
    listener.hear(GATEWAY, "offline");
}

#[test]
fn a_broker_that_hangs_holds_up_nobody() {
    let broker = Broker::start();
    let mut listener = broker.listen();
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    let gateway = gateway(&room, &format!("mqtt://localhost:{}", broker.port), "qos = 0\nretain = false\n");
    listener.hear_object(SWITCH, "/power_state", &json!("on"));
    signal(broker.program.id(), "STOP");
    assert_eq!(gateway.post("/power/off/1/0dff").1["power_status"], "off");
    assert_eq!(gateway.get("/version/1").1["firmware_version"], "fw 3.2");
    signal(broker.program.id(), "CONT");
    assert!(!listener.hear_object(SWITCH, "/power_state", &json!("off")).0);
}

/// A broker that lets those in who have a certificate of its authority and know the password.
fn guarded() -> Broker {
    let directory = tempfile::tempdir().unwrap();
    certify(directory.path());
    let path = |name: &str| directory.path().join(name).display().to_string();
    let passwords = path("passwords");
    let status = Command::new("mosquitto_passwd").args(["-b", "-c", &passwords, "dcre", "s3cret"]).status();
    assert!(status.unwrap().success());
    let [ca, certificate, key] = ["ca.pem", "cert.pem", "key.pem"].map(path);
    let rules = format!(
        "allow_anonymous false\npassword_file {passwords}\nrequire_certificate true\n\
         cafile {ca}\ncertfile {certificate}\nkeyfile {key}\n"
    );
    let access = ["--cafile", &ca, "--cert", &certificate, "--key", &key, "-u", "dcre", "-P", "s3cret"];
    let access = access.map(str::to_owned);
    Broker::start_in(directory, free_address().port(), &rules, &access)
}

/// The keys of the table of a broker whose files are in `directory`.
fn login(directory: &Path) -> String {
    let file = |name: &str| directory.join(name);
    format!(
        "username = \"dcre\"\npassword_file = {:?}\nca = {:?}\ncertificate = {:?}\nkey = {:?}\n",
        file("password"),
        file("ca.pem"),
        file("cert.pem"),
        file("key.pem")
    )
}

#[test]
fn a_broker_asks_for_a_certificate_and_a_password() {
    let broker = guarded();
    let directory = broker.directory.path();
    let (room, url) = (Room::new(), format!("mqtts://localhost:{}", broker.port));
    let _emulator = room.emulate(&[]);
    fs::write(directory.join("password"), "wrong\n").unwrap();
    let stranger = gateway(&room, &url, &login(directory));
    eventually("the refusal is in the log", || {
        let log = fs::read_to_string(stranger.directory.path().join("log/opendcre.log")).unwrap_or_default();
        log.contains("the broker refuses the connection").then_some(())
    });
    assert_eq!(stranger.get("/version/1").1["firmware_version"], "fw 3.2");
    drop(stranger);
    let mut listener = broker.listen();
    fs::write(directory.join("password"), "s3cret\n").unwrap();
    let _gateway = gateway(&room, &url, &login(directory));
    listener.hear(GATEWAY, "online");
    listener.hear_object(SWITCH, "/power_state", &json!("on"));
}
