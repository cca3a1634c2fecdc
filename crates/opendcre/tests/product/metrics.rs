//! Metrics as those meet them who watch over a room: the tool of Prometheus finds nothing wrong with the pages, rules and
//! configuration, and a real Prometheus collects what the demo tells, and has an answer to what the dashboards ask.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io::Write};

use serde_json::Value;

use crate::demo::{Demo, shell};
use crate::support::{Program, eventually, free_address};

/// What is in `contrib`.
fn contrib(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(file)
}

/// Asserts that `promtool` finds nothing wrong, with `input` as its standard input, and says nothing but what is usual.
fn promtool(arguments: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool: {error}; `cargo xtask test` installs what tests need"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{arguments:?}: {out}{err}");
}

/// A Prometheus that collects both pages of the service at `root` every second.
struct Prometheus {
    address: SocketAddr,
    _program: Program,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    fn start(root: &str) -> Self {
        let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
        let target = root.trim_start_matches("http://");
        let job = |name: &str, path: &str| {
            format!(
                "- {{job_name: {name}, metrics_path: {path}, static_configs: [{{targets: ['{target}']}}]}}\n"
            )
        };
        let config = format!(
            "global: {{scrape_interval: 1s}}\nrule_files: [{:?}]\nscrape_configs:\n{}{}",
            contrib("prometheus/opendcre.rules.yml"),
            job("opendcre", "/metrics"),
            job("opendcre-devices", "/metrics/devices")
        );
        let file = directory.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("prometheus");
        command.arg("--config.file").arg(&file).arg("--storage.tsdb.path").arg(directory.path().join("data"));
        let program = Program::start(command.arg("--web.listen-address").arg(address.to_string()));
        Self { address, _program: program, _directory: directory }
    }

    /// What is said to a query, as soon as it is ready to say something.
    fn ask(&self, query: &str) -> Value {
        eventually(query, || {
            let url = format!("http://{}/api/v1/query", self.address);
            let line = format!("curl --silent --get --data-urlencode 'query={query}' {url}");
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            // Not every answer is one: it listens before it is ready.
            serde_json::from_slice(&output.stdout).ok()
        })
    }

    /// The series of a query, as soon as there are any.
    fn query(&self, query: &str) -> Vec<Value> {
        eventually(query, || {
            let series = self.ask(query)["data"]["result"].as_array_mut().map(std::mem::take)?;
            (!series.is_empty()).then_some(series)
        })
    }
}

/// What the panels of a dashboard ask of whatever can be chosen.
fn panel_queries(dashboard: &str) -> Vec<String> {
    let dashboard = fs::read(contrib("grafana").join(dashboard)).unwrap();
    let dashboard: Value = serde_json::from_slice(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries = targets.map(|target| target["expr"].as_str().unwrap());
    // Something must be there to be chosen from, so an empty label is none.
    let choices = [("$rack", ".+"), ("$board", ".+"), ("$instance", ".+"), ("$__rate_interval", "1m")];
    queries
        .map(|query| choices.iter().fold(query.to_owned(), |query, (all, any)| query.replace(all, any)))
        .collect()
}

/// A demo that has read everything once.
fn demo_that_knows_its_room() -> Demo {
    let demo = Demo::start();
    eventually("the demo has read everything", || {
        let devices = shell(&format!("curl {}/metrics/devices", demo.root));
        let is_known = |family: &str| devices.contains(&format!("\nopendcre_{family}{{"));
        let families =
            ["temperature_celsius", "power_watts", "speed_rpm", "power_on", "health", "reading_up"];
        families.iter().all(|family| is_known(family)).then_some(())
    });
    demo
}

fn value(series: &Value) -> f64 {
    series["value"][1].as_str().unwrap().parse().unwrap()
}

#[test]
fn what_we_offer_for_prometheus_is_in_order() {
    promtool(
        &["check", "config", "--syntax-only", contrib("prometheus/prometheus.yml").to_str().unwrap()],
        "",
    );
    promtool(&["check", "rules", contrib("prometheus/opendcre.rules.yml").to_str().unwrap()], "");
    promtool(&["test", "rules", contrib("prometheus/opendcre.test.yml").to_str().unwrap()], "");
}

#[test]
fn a_real_prometheus_collects_what_the_demo_tells() {
    let demo = demo_that_knows_its_room();
    let page = |path: &str| shell(&format!("curl {}{path}", demo.root));
    for path in ["/metrics", "/metrics/devices"] {
        promtool(&["check", "metrics"], &page(path));
    }
    let prometheus = Prometheus::start(&demo.root);
    for job in ["opendcre", "opendcre-devices"] {
        // Before the first scrape there is none, and never is there one that fails.
        let up = prometheus.query(&format!("up{{job=\"{job}\"}}"));
        assert_eq!((up.len(), value(&up[0])), (1, 1.0), "{up:?}");
    }
    let told = |page: &str, family: &str| {
        page.lines().filter(|line| line.starts_with(&format!("{family}{{"))).count()
    };
    for family in
        ["opendcre_up", "opendcre_temperature_celsius", "opendcre_power_on", "opendcre_reading_age_seconds"]
    {
        assert_eq!(prometheus.query(family).len(), told(&page("/metrics/devices"), family), "{family}");
    }
    let room = prometheus.query("sum(opendcre_up) / count(opendcre_up)");
    assert_eq!(value(&room[0]), 1.0, "every board of the demo answers");
    let bmcs = prometheus.query("opendcre_bmc_requests_total");
    assert_eq!(bmcs.len(), told(&page("/metrics"), "opendcre_bmc_requests_total"));
    assert!(bmcs.iter().all(|bmc| value(bmc) > 0.0), "{bmcs:?}");
    assert_eq!(prometheus.query("opendcre_build_info")[0]["metric"]["version"], env!("CARGO_PKG_VERSION"));
    // What OpenMetrics says of a family arrives, too.
    let metadata = shell(&format!(
        "curl 'http://{}/api/v1/metadata?metric=opendcre_temperature_celsius'",
        prometheus.address
    ));
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let temperature = &metadata["data"]["opendcre_temperature_celsius"][0];
    assert_eq!(
        (&temperature["type"], &temperature["unit"]),
        (&"gauge".into(), &"celsius".into()),
        "{metadata}"
    );
}

#[test]
fn every_panel_of_the_dashboards_shows_what_the_demo_tells() {
    let demo = demo_that_knows_its_room();
    let pages = ["/metrics", "/metrics/devices"].map(|path| shell(&format!("curl {}{path}", demo.root)));
    let is_told = |family: &str| pages.iter().any(|page| page.contains(&format!("\n{family}")));
    let prometheus = Prometheus::start(&demo.root);
    let mut shown = 0;
    for query in ["room.json", "gateway.json"].into_iter().flat_map(panel_queries) {
        assert_eq!(prometheus.ask(&query)["status"], "success", "{query}");
        let words = query.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        let mut families = words.filter(|word| word.starts_with("opendcre_"));
        // In a room that is well, nothing is found by what looks for a fault.
        if !query.contains("==") && families.all(is_told) {
            prometheus.query(&query);
            shown += 1;
        }
    }
    assert!(shown > 50, "only {shown} panels show something");
}
