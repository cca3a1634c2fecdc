//! Events as others receive them: rsyslog over UDP, TCP and TLS, and a receiver of webhooks in Python, which checks
//! signatures with its own library.

use std::fs;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Gateway, Program, Room, eventually, free_address, request};

/// A receiver over HTTPS. It turns away the first request and writes a line for each request: whether its signature is
/// right, its number and its body.
const RECEIVER: &str = r#"
import hmac, http.server, ssl, sys
turned_away = False
class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        global turned_away
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = self.headers["X-OpenDCRE-Timestamp"].encode() + b"." + body
        expected = "v1=" + hmac.new(b"hook secret", signed, "sha256").hexdigest()
        right = hmac.compare_digest(expected, self.headers["X-OpenDCRE-Signature"])
        print(503 if not turned_away else right, self.headers["X-OpenDCRE-Event"], body.decode(), flush=True)
        self.send_response(204 if turned_away else 503)
        if not turned_away:
            self.send_header("Content-Length", "0")
        turned_away = True
        self.end_headers()
    def log_message(self, *words):
        pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

/// Writes an authority, and a certificate of it for this machine with its key, to `ca.pem`, `cert.pem` and `key.pem`.
pub(crate) fn certify(directory: &Path) {
    let (key, mut authority) = (rcgen::KeyPair::generate().unwrap(), rcgen::CertificateParams::default());
    // Without a name of its own, it would look like the certificate that it signs.
    authority.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issued = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    let own = rcgen::KeyPair::generate().unwrap();
    let mut certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    // OpenSSL takes a certificate with the name of its authority for one that signed itself.
    certificate.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
    let certificate = certificate.signed_by(&own, &issuer).unwrap();
    fs::write(directory.join("ca.pem"), issued.pem()).unwrap();
    fs::write(directory.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(directory.join("key.pem"), own.serialize_pem()).unwrap();
}

fn rsyslog(directory: &Path, [udp, tcp, tls]: [u16; 3]) -> Program {
    let here = directory.display();
    let text = format!(
        r#"global(workDirectory="{here}" defaultNetstreamDriverCAFile="{here}/ca.pem"
    defaultNetstreamDriverCertFile="{here}/cert.pem" defaultNetstreamDriverKeyFile="{here}/key.pem")
module(load="imudp")
module(load="imtcp")
input(type="imudp" address="127.0.0.1" port="{udp}" name="udp")
input(type="imtcp" address="127.0.0.1" port="{tcp}" name="tcp")
input(type="imtcp" address="127.0.0.1" port="{tls}" name="tls"
    streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="fields" type="string"
    string="%inputname%|%syslogfacility-text%|%syslogseverity-text%|%app-name%|%msgid%|%structured-data%|%msg%\n")
action(type="omfile" file="{here}/messages" template="fields")
"#
    );
    let configuration = directory.join("rsyslog.conf");
    fs::write(&configuration, text).unwrap();
    let mut command = Command::new("/usr/sbin/rsyslogd");
    command.arg("-n").arg("-f").arg(configuration).arg("-i").arg(directory.join("rsyslog.pid"));
    Program::start(&mut command)
}

/// What rsyslog got by way of `input`, one line a message.
fn received(directory: &Path, input: &str) -> Vec<String> {
    let messages = fs::read_to_string(directory.join("messages")).unwrap_or_default();
    let of_input = messages.lines().filter_map(|line| line.strip_prefix(input)?.strip_prefix('|'));
    of_input.map(str::to_owned).collect()
}

#[test]
fn rsyslog_gets_events_over_udp_tcp_and_tls() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    certify(directory);
    let [tcp, tls] = [(); 2].map(|()| free_address().port());
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = datagrams.local_addr().unwrap().port();
    drop(datagrams);
    let _server = rsyslog(directory, [udp, tcp, tls]);
    let listens = || [tcp, tls].iter().all(|port| is_open(*port)).then_some(());
    eventually("rsyslog listens", listens);
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    let ca = directory.join("ca.pem");
    let tables = format!(
        "[[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {:?}\n\
         [[syslog]]\nname = \"udp\"\nserver = \"127.0.0.1:{udp}\"\ntransport = \"udp\"\n\
         [[syslog]]\nname = \"tcp\"\nserver = \"localhost:{tcp}\"\ntransport = \"tcp\"\nfacility = \"daemon\"\n\
         [[syslog]]\nname = \"tls\"\nserver = \"localhost:{tls}\"\nca = {ca:?}\nkinds = [\"service_stopped\"]\n",
        room.tty()
    );
    let mut gateway = Gateway::start_with("", &tables);
    eventually("the start is told", || (!received(directory, "tcp").is_empty()).then_some(()));
    assert_eq!(gateway.program.terminate(), Some(0));
    let ends = || ["udp", "tcp", "tls"].map(|input| received(directory, input).pop().unwrap_or_default());
    let [by_udp, by_tcp, by_tls] = eventually("the end is told to everybody", || {
        let ends = ends();
        ends.iter().all(|line| line.contains("|service_stopped|")).then_some(ends)
    });
    for (line, start) in
        [(by_udp, "local0|info|opendcre"), (by_tcp, "daemon|info|opendcre"), (by_tls, "local0|info")]
    {
        assert!(line.starts_with(start), "{line}");
        assert!(line.contains("|[opendcre@32473 sequence=\"") && line.ends_with("|opendcre stops"), "{line}");
    }
    let first = &received(directory, "tcp")[0];
    assert!(
        first.contains("|service_started|[opendcre@32473 sequence=\"1\" detail=\"{\\\"mode\\\":\\\"hardware\\\",\\\"version\\\":"),
        "{first}"
    );
    assert_eq!(received(directory, "tls").len(), 1, "only one kind is wanted there");
}

fn is_open(port: u16) -> bool {
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok()
}

#[test]
fn a_receiver_of_webhooks_gets_every_event_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    certify(directory);
    fs::write(directory.join("secret"), "hook secret\n").unwrap();
    let port = free_address().port();
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    let (secret, ca) = (directory.join("secret"), directory.join("ca.pem"));
    let tables = format!(
        "[[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {:?}\n\
         [[webhook]]\nname = \"noc\"\nurl = \"https://localhost:{port}/hook\"\nsecret_file = {secret:?}\nca = {ca:?}\n\
         kinds = [\"service_started\", \"action\"]\n",
        room.tty()
    );
    let gateway = Gateway::start_with("", &tables);
    assert_eq!(gateway.post("/power/off/1/0dff").1["power_status"], "off");
    assert_eq!(gateway.post("/power/on/1/0dff").1["power_status"], "on");
    // Nobody has listened so far.
    let script = directory.join("receiver.py");
    fs::write(&script, RECEIVER).unwrap();
    let mut command = Command::new("/usr/bin/python3");
    command.arg(&script).arg(port.to_string()).arg(directory.join("cert.pem")).arg(directory.join("key.pem"));
    let mut receiver = Program::start(&mut command);
    let mut requests = Vec::new();
    while requests.len() < 4 {
        let line = receiver.line();
        let [verdict, number, body] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["event"]["sequence"].to_string(), number);
        requests.push((verdict.to_owned(), body));
    }
    let told: Vec<_> = requests
        .iter()
        .map(|(verdict, body)| (verdict.as_str(), body["event"]["kind"].as_str().unwrap()))
        .collect();
    let (started, action) = ("service_started", "action");
    assert_eq!(told, [("503", started), ("True", started), ("True", action), ("True", action)]);
    let counted = [
        "opendcre_publish_up{receiver=\"webhook.noc\"} 1",
        "opendcre_publish_delivered_total{receiver=\"webhook.noc\"} 3",
    ];
    eventually("what was delivered is counted", || {
        let (_, page) = request(gateway.address, "GET", "/metrics");
        counted.iter().all(|line| page.lines().any(|told| told == *line)).then_some(())
    });
}
