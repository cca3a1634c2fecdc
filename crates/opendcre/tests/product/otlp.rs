//! OTLP as others receive it: VictoriaMetrics, asked in the language of Prometheus afterwards, and a receiver in Python with
//! the messages that the makers of OpenTelemetry compile for it.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::demo::shell;
use crate::publish::certify;
use crate::support::{Gateway, Program, Room, free_address};

/// A receiver over HTTPS that wants a certificate and a token. It turns away the first request for each path, and rejects
/// the event of the start; it writes each request that it takes as a line of JSON.
const RECEIVER: &str = r#"
import gzip, http.server, json, ssl, sys
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
MESSAGES = {
    "/hub/v1/logs": (logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse),
    "/hub/v1/metrics": (metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse),
}
turned_away = set()
class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path not in turned_away:
            turned_away.add(self.path)
            return self.reply(503, b"")
        Request, Response = MESSAGES[self.path]
        request = MessageToDict(Request.FromString(gzip.decompress(body)))
        told = {"path": self.path, "authorization": self.headers["Authorization"], "request": request,
                "client": self.connection.getpeercert()["subjectAltName"][0][1]}
        print(json.dumps(told), flush=True)
        response = Response()
        if "service_started" in json.dumps(request):
            response.partial_success.rejected_log_records = 1
            response.partial_success.error_message = "we know"
        self.reply(200, response.SerializeToString())
    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2] + "/cert.pem", sys.argv[2] + "/key.pem")
context.load_verify_locations(sys.argv[2] + "/ca.pem")
context.verify_mode = ssl.CERT_REQUIRED
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

/// What `cargo xtask test` has put below `target/tools`.
fn tool(path: &str) -> PathBuf {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(path);
    assert!(tool.exists(), "{} is missing; `cargo xtask test` installs what tests need", tool.display());
    tool
}

/// Tries until it works, for as long as a few rounds of reading and sending may take on a busy machine.
fn patiently<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1200 {
        if let Some(result) = attempt() {
            return result;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("did not happen: {what}");
}

/// A VictoriaMetrics that names what is sent to it as Prometheus would: with the unit as the last word, unless it is there.
struct Victoria {
    address: SocketAddr,
    _program: Program,
    _directory: tempfile::TempDir,
}

impl Victoria {
    fn start() -> Self {
        let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
        let mut command = Command::new(tool("victoria-metrics/usr/bin/victoria-metrics"));
        command.arg(format!("-storageDataPath={}", directory.path().display()));
        command.arg(format!("-httpListenAddr={address}")).arg("-opentelemetry.usePrometheusNaming");
        Self { address, _program: Program::start(&mut command), _directory: directory }
    }

    /// The data of an answer of its API.
    fn ask(&self, question: &str) -> Option<Value> {
        let url = format!("http://{}/api/v1/{question}", self.address);
        let output = Command::new("curl").args(["--silent", "--globoff", &url]).output().unwrap();
        // Before it listens there is none.
        let mut answer: Value = serde_json::from_slice(&output.stdout).ok()?;
        Some(answer["data"].take())
    }

    /// The labels and values of a gauge, without those of the resource.
    fn series(&self, name: &str) -> BTreeSet<String> {
        let data = self.ask(&format!("query?latency_offset=1ms&query={name}")).unwrap_or_default();
        let series = data["result"].as_array().cloned().unwrap_or_default();
        series.iter().map(told).collect()
    }
}

/// A series as the page of metrics has it.
fn told(series: &Value) -> String {
    let labels = ["rack", "board", "name", "device", "kind", "sensor", "unit"];
    let labels = labels.iter().filter_map(|label| Some((label, series["metric"][label].as_str()?)));
    let labels: Vec<String> = labels.map(|(label, value)| format!("{label}={value:?}")).collect();
    let name = series["metric"]["__name__"].as_str().unwrap();
    format!("{name}{{{}}} {}", labels.join(","), series["value"][1].as_str().unwrap())
}

#[test]
fn a_real_store_takes_readings_by_the_names_that_prometheus_would_collect() {
    let store = Victoria::start();
    let read = |response| json!({"repeatable": true, "responses": [response]});
    let room = Room::with_devices(&json!([
        {"device_id": "01ff", "device_type": "thermistor", "read": read(656)},
        {"device_id": "02ff", "device_type": "humidity", "read": read(1_486_313_281)},
        {"device_id": "03ff", "device_type": "fan_speed", "read": read(4100)},
        {"device_id": "0dff", "device_type": "power", "has_state": true, "power": "0,12000,2400,3356",
         "on": "0,12000,2400,3356", "off": "64,0,0,0"}
    ]));
    let _emulator = room.emulate(&[]);
    let tables = format!(
        "[[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {:?}\n\
         [[otlp]]\nname = \"store\"\nendpoint = \"http://{}/opentelemetry\"\nsignals = [\"metrics\"]\n\
         interval = \"5s\"\nresource = {{ \"service.instance.id\" = \"room-1\" }}\n",
        room.tty(),
        store.address
    );
    let gateway = Gateway::start_with("", &tables);
    assert_eq!(gateway.get("/scan").0, 200);
    let page = || shell(&format!("curl http://{}/metrics/devices", gateway.address));
    let of_gauge = |page: &str, name: &str| -> BTreeSet<String> {
        page.lines().filter(|line| line.starts_with(&format!("{name}{{"))).map(str::to_owned).collect()
    };
    for name in
        ["opendcre_up", "opendcre_temperature_celsius", "opendcre_humidity_ratio", "opendcre_power_on"]
    {
        patiently(name, || {
            let series = store.series(name);
            (!series.is_empty() && series == of_gauge(&page(), name)).then_some(())
        });
    }
    // A unit must not become another word of the name.
    let names = store.ask("label/__name__/values").unwrap();
    let names: BTreeSet<&str> = names.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let page = page();
    let known: BTreeSet<&str> = page.lines().filter_map(|line| Some(line.split_once('{')?.0)).collect();
    assert_eq!(names, known);
    let up = store.ask("query?latency_offset=1ms&query=opendcre_up").unwrap();
    let labels = &up["result"][0]["metric"];
    assert_eq!(
        (&labels["service_name"], &labels["service_instance_id"]),
        (&"opendcre".into(), &"room-1".into())
    );
}

/// The metric with this name in a request, if it is there.
fn metric<'a>(request: &'a Value, name: &str) -> Option<&'a Value> {
    let metrics = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array()?;
    metrics.iter().find(|metric| metric["name"] == name)
}

/// The text of an attribute.
fn attribute<'a>(of: &'a Value, key: &str) -> &'a str {
    let attributes = of["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == key);
    found.and_then(|attribute| attribute["value"]["stringValue"].as_str()).unwrap_or_default()
}

#[test]
fn the_messages_of_others_understand_readings_and_events() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    certify(directory);
    fs::write(directory.join("token"), "t0ken\n").unwrap();
    let port = free_address().port();
    let script = directory.join("receiver.py");
    fs::write(&script, RECEIVER).unwrap();
    let mut command = Command::new(tool("python/bin/python3"));
    let mut receiver = Program::start(command.arg(&script).arg(port.to_string()).arg(directory));
    let room = Room::new();
    let _emulator = room.emulate(&[]);
    let here = directory.display();
    let tables = format!(
        "[[devicebus]]\nname = \"hat\"\nrack = \"rack_1\"\ndevice = {:?}\n\
         [[otlp]]\nname = \"hub\"\nendpoint = \"https://localhost:{port}/hub\"\ninterval = \"5s\"\n\
         token_file = \"{here}/token\"\nca = \"{here}/ca.pem\"\n\
         certificate = \"{here}/cert.pem\"\nkey = \"{here}/key.pem\"\n\
         kinds = [\"service_started\", \"action\"]\n",
        room.tty()
    );
    let gateway = Gateway::start_with("", &tables);
    assert_eq!(gateway.get("/scan").0, 200);
    assert_eq!(gateway.post("/power/off/1/0dff").1["power_status"], "off");

    let (mut events, mut temperature) = (Vec::new(), None);
    while events.len() < 2 || temperature.is_none() {
        let mut told: Value = serde_json::from_str(&receiver.line()).unwrap();
        assert_eq!((&told["authorization"], &told["client"]), (&"Bearer t0ken".into(), &"localhost".into()));
        let request = told["request"].take();
        match told["path"].as_str() {
            Some("/hub/v1/logs") => events.push(request["resourceLogs"][0].clone()),
            _ => temperature = temperature.or(metric(&request, "opendcre_temperature_celsius").cloned()),
        }
    }

    let records: Vec<_> = events.iter().map(|event| event["scopeLogs"][0]["logRecords"][0].clone()).collect();
    let names: Vec<_> = records.iter().map(|record| record["eventName"].as_str().unwrap()).collect();
    assert_eq!(names, ["opendcre.service_started", "opendcre.action"]);
    let action = &records[1];
    assert_eq!(action["severityNumber"], "SEVERITY_NUMBER_INFO", "{action}");
    assert_eq!(attribute(action, "board"), "00000001", "{action}");
    assert!(action["body"]["stringValue"].as_str().is_some_and(|body| !body.is_empty()), "{action}");
    assert_eq!(attribute(&events[1]["resource"], "service.name"), "opendcre");

    let temperature = temperature.unwrap();
    assert_eq!(temperature["unit"], "Cel");
    let point = &temperature["gauge"]["dataPoints"][0];
    assert!(point["asDouble"].is_number() && point["timeUnixNano"].is_string(), "{point}");
    assert_eq!((attribute(point, "rack"), attribute(point, "kind")), ("rack_1", "thermistor"), "{point}");

    // What the receiver has rejected is a dead letter, and nothing else is.
    let letters = patiently("there is a dead letter", || {
        fs::read_to_string(gateway.directory.path().join("publish/otlp-hub.dead.jsonl")).ok()
    });
    let [letter] = &letters.lines().collect::<Vec<_>>()[..] else { panic!("{letters}") };
    assert!(letter.contains("we know") && letter.contains("service_started"), "{letter}");
}
