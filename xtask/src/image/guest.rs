//! What can be asked of a guest from outside: its service over TLS, and a shell over SSH.
//!
//! Trusts what the console has shown and nothing else, as somebody would who stands in front of the screen.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::say;
use crate::step::{answer, program, run};

/// How tokens of the service begin.
const TOKEN_START: &str = "odcre_";
/// What the console shows in front of the fingerprint of the certificate.
const FINGERPRINT_LABEL: &str = "TLS fingerprint:";
/// Letters of a SHA-256 fingerprint: 32 bytes, with colons between.
const FINGERPRINT_LENGTH: usize = 95;

/// What the console shows of how to reach and to trust the service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Credentials {
    pub(crate) token: String,
    pub(crate) fingerprint: String,
}

impl Credentials {
    /// Reads them from the console, if both are there and whole.
    pub(crate) fn on(console: &str) -> Option<Self> {
        Some(Self { token: token_on(console)?, fingerprint: fingerprint_on(console)? })
    }
}

fn token_on(console: &str) -> Option<String> {
    let (_, after) = console.rsplit_once(TOKEN_START)?;
    // Without what ends it, the rest may not be written yet.
    let end =
        after.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'))?;
    after.get(..end).map(|rest| format!("{TOKEN_START}{rest}"))
}

/// The newest fingerprint on the console.
pub(crate) fn fingerprint_on(console: &str) -> Option<String> {
    let shown = console.rsplit(FINGERPRINT_LABEL).map(|after| after.trim_start_matches(' '));
    let mut whole = shown.filter_map(|text| text.get(..FINGERPRINT_LENGTH));
    whole
        .find(|text| text.chars().all(|letter| letter.is_ascii_hexdigit() || letter == ':'))
        .map(str::to_owned)
}

/// A guest whose ports can be reached on this machine.
pub(crate) struct Guest {
    /// A folder of ours.
    pub(crate) folder: PathBuf,
    /// Where its service is.
    pub(crate) service: u16,
    /// Where its SSH is.
    pub(crate) shell: u16,
}

/// An answer of the service.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Guest {
    /// Whether the service says that it is ready; `None` as long as it says nothing.
    pub(crate) fn readiness(&self) -> Option<Answer> {
        glance(&["--insecure", &format!("https://127.0.0.1:{}/readyz", self.service)])
    }

    /// Takes the certificate of the service, and compares it with what the console has shown.
    ///
    /// # Errors
    /// It is another one.
    pub(crate) fn trust(&self, fingerprint: &str) -> Result<()> {
        let address = format!("https://127.0.0.1:{}/healthz", self.service);
        let format = ["--silent", "--insecure", "--output", "/dev/null", "--write-out", "%{certs}", &address];
        let shown = answer(program("curl", &format))?;
        let file = self.certificate();
        fs::write(&file, shown)?;
        let mut print = program("openssl", &["x509", "-noout", "-fingerprint", "-sha256", "-in"]);
        print.arg(&file);
        let said = answer(print)?;
        if said.trim().ends_with(&format!("={fingerprint}")) {
            return Ok(());
        }
        bail!("the console shows the fingerprint {fingerprint}, but the certificate has {}", said.trim())
    }

    /// Asks the service with a token, or without one.
    ///
    /// # Errors
    /// It does not answer, or its certificate is not the one that is trusted.
    pub(crate) fn get(&self, path: &str, token: Option<&str>) -> Result<Answer> {
        ask(self.curl(path, token)).with_context(|| format!("no answer to {path}"))
    }

    /// Asks the same so many times, and returns while it does. The status of each answer is a line of what it prints.
    ///
    /// # Errors
    /// It cannot be begun.
    pub(crate) fn ask_often(&self, path: &str, token: &str, times: u32) -> Result<Child> {
        // What follows the number sign is for curl only.
        let mut command = self.curl(&format!("{path}#[1-{times}]"), Some(token));
        command.args(["--output", "/dev/null", "--write-out", "%{http_code}\\n", "--fail-early"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().context("cannot start `curl`")
    }

    fn curl(&self, path: &str, token: Option<&str>) -> Command {
        let mut command = curl();
        command.arg("--cacert").arg(self.certificate());
        command.args(["--resolve", &format!("openmistos:{}:127.0.0.1", self.service)]);
        if let Some(token) = token {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        command.arg(format!("https://openmistos:{}{path}", self.service));
        command
    }

    /// Asks the service, and wants an answer with this `status` in which `part` stands.
    ///
    /// # Errors
    /// It says something else, or nothing.
    pub(crate) fn expect(&self, path: &str, token: Option<&str>, status: u16, part: &str) -> Result<()> {
        let answer = self.get(path, token)?;
        say(&format!("GET {path}: {} {}", answer.status, answer.body.trim()))?;
        if answer.status != status || !answer.body.contains(part) {
            bail!("expected {status} with {part:?}");
        }
        Ok(())
    }

    fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// Makes the key of whoever looks after the machine, and says where its public half is.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn make_key(folder: &Path) -> Result<PathBuf> {
        let key = folder.join("key");
        let mut make = program("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f"]);
        make.arg(&key);
        answer(make)?;
        Ok(key.with_extension("pub"))
    }

    /// Lets a shell of the guest carry out `line` as root, and says what it printed.
    ///
    /// # Errors
    /// Nobody is let in, or the line fails.
    pub(crate) fn shell(&self, line: &str) -> Result<String> {
        answer(self.ssh(line))
    }

    /// Writes `file` of this machine to `path` of the guest.
    ///
    /// # Errors
    /// Nobody is let in, or it cannot be written.
    pub(crate) fn send(&self, file: &Path, path: &str) -> Result<()> {
        let mut command = self.ssh(&format!("cat > {path}"));
        command.stdin(File::open(file)?);
        run(command)
    }

    /// `line` must not have single quotes.
    fn ssh(&self, line: &str) -> Command {
        let mut command = program("ssh", &["-F", "none", "-q", "-i"]);
        command
            .arg(self.folder.join("key"))
            .args(["-p", &self.shell.to_string()])
            .args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-o", "ServerAliveInterval=20"])
            .args(["-o", "StrictHostKeyChecking=accept-new", "-o"])
            .arg(format!("UserKnownHostsFile={}", self.folder.join("known_hosts").display()))
            .args(["openmistos@127.0.0.1", "sudo", "sh", "-c", &format!("'{line}'")]);
        command
    }
}

/// Asks a service of a guest that has neither login nor TLS.
///
/// # Errors
/// It does not answer.
pub(crate) fn plain(service: u16, path: &str) -> Result<Answer> {
    let mut command = curl();
    command.arg(format!("http://127.0.0.1:{service}{path}"));
    ask(command)
}

/// Whether such a service answers.
pub(crate) fn is_up(service: u16) -> bool {
    glance(&[&format!("http://127.0.0.1:{service}/healthz")]).is_some()
}

/// The answer, if there is one at this moment. That there is none is no news.
fn glance(address: &[&str]) -> Option<Answer> {
    let mut command = curl();
    command.args(["--max-time", "10"]).args(address);
    let output = command.output().ok().filter(|output| output.status.success())?;
    parse(&String::from_utf8(output.stdout).ok()?).ok()
}

fn curl() -> Command {
    program("curl", &["--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}"])
}

fn ask(command: Command) -> Result<Answer> {
    parse(&answer(command)?)
}

fn parse(said: &str) -> Result<Answer> {
    let (body, status) = said.rsplit_once('\n').context("curl did not tell the status")?;
    Ok(Answer { status: status.trim().parse()?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_tells_the_token_and_the_fingerprint() {
        let print = ["AB"; 32].join(":");
        let console =
            format!("  TLS fingerprint:  not made yet\r\n  TLS fingerprint:  {print}\r\n  odcre_a1-_b\r\n");
        let found = Credentials::on(&console).unwrap();
        assert_eq!(found, Credentials { token: "odcre_a1-_b".to_owned(), fingerprint: print });
    }

    #[test]
    fn what_is_not_whole_yet_is_not_there() {
        let print = ["AB"; 32].join(":");
        assert_eq!(Credentials::on(&format!("TLS fingerprint:  {print}\n odcre_a1")), None);
        assert_eq!(Credentials::on("TLS fingerprint:  AB:CD\n odcre_a1\n"), None);
    }
}
