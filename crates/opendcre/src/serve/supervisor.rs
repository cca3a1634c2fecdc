//! What the service tells whoever supervises it, in the protocol of sd_notify(3): that it serves, how it is doing, that it
//! is alive, that it reads its configuration again, that it stops.
//!
//! Written out here because a socket may be abstract, and because a supervisor that does not listen must hold up nobody.

use std::convert::Infallible;
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use opendcre_gateway::Gateway;
use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::status;

/// How often the supervisor is told how the service is doing, unless it wants a sign of life more often.
const PACE: Duration = Duration::from_secs(10);

/// Whoever started the process and wants to know how it is doing; perhaps nobody.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// The longest time without a sign of life, after which the supervisor takes the service for dead.
    patience: Option<Duration>,
}

impl Supervisor {
    /// As the environment names it (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`). One that cannot be reached is logged
    /// and does without.
    pub(super) fn of_environment() -> Self {
        let Some(address) = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Self::default();
        };
        match connect(&address) {
            Ok(socket) => Self { socket: Some(socket), patience: patience() },
            Err(error) => {
                tracing::warn!(?address, %error, "cannot tell the supervisor of this service how it is doing");
                Self::default()
            }
        }
    }

    /// The configuration is being read again. Whoever says this says [`Self::serving`] afterwards.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec / 1_000);
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// Requests are answered.
    pub(super) fn serving(&self) {
        self.say("READY=1");
    }

    /// Tells how `gateway` is doing, at once and then again and again, and that it stops when `stop` is cancelled.
    ///
    /// Every sign of life is the work of a task of its own that goes through the gateway: it takes a worker of the runtime
    /// and every lock that a request takes. While one hangs, there is no other, and the supervisor does what it is for.
    pub(super) async fn attend(&self, gateway: &Gateway, stop: &CancellationToken) -> Infallible {
        if self.socket.is_none() {
            return std::future::pending().await;
        }
        let stopping = async {
            stop.cancelled().await;
            self.say("STOPPING=1");
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            never = self.tell_all(gateway) => never,
            never = stopping => never,
        }
    }

    async fn tell_all(&self, gateway: &Gateway) -> Infallible {
        let pace = self.patience.map_or(PACE, |patience| PACE.min(patience / 2));
        let mut beats = interval(pace.max(Duration::from_millis(1)));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            beats.tick().await;
            // One that panics is no sign of life.
            let Some(Ok(status)) = examine(gateway).await else { continue };
            let mut message = String::new();
            if told.is_none() {
                message += "READY=1\n";
            }
            if told.as_ref() != Some(&status) {
                message += &format!("STATUS={status}\n");
            }
            if self.patience.is_some() {
                message += "WATCHDOG=1\n";
            }
            if !message.is_empty() {
                self.say(&message);
            }
            told = Some(status);
        }
    }

    /// Sends a message. One that is lost says nothing that the next one does not.
    fn say(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(message.as_bytes()) {
            tracing::debug!(%error, message, "the supervisor of this service was not told");
        }
    }
}

/// How `gateway` is doing, as a task among all others finds it.
async fn examine(gateway: &Gateway) -> Option<Result<String, tokio::task::JoinError>> {
    let gateway = gateway.clone();
    let mut examination = JoinSet::new();
    examination.spawn(async move { status::line(&gateway.readiness(), gateway.board_count()) });
    examination.join_next().await
}

/// A socket that sends to `address`, a path or, after `@`, an abstract name (unix(7)).
fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let address = match address.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// The longest time without a sign of life (`sd_watchdog_enabled(3)`); none if it is for another process.
fn patience() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    if number("WATCHDOG_PID").is_some_and(|process| process != u64::from(std::process::id())) {
        return None;
    }
    number("WATCHDOG_USEC").filter(|time| *time > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_supervisor_is_reached_by_a_path_and_by_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("opendcre-test-{}", std::process::id());
        let by_path = UnixDatagram::bind(&path).unwrap();
        let by_name =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
        for (socket, address) in [(by_path, path.into_os_string()), (by_name, format!("@{name}").into())] {
            let supervisor = Supervisor { socket: Some(connect(&address).unwrap()), patience: None };
            supervisor.serving();
            assert_eq!(heard(&socket), "READY=1");
            supervisor.reloading();
            let message = heard(&socket);
            let time = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
            assert!(time.parse::<u64>().unwrap() > 0);
        }
    }

    #[test]
    fn a_supervisor_that_does_not_listen_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor { socket: Some(connect(path.as_os_str()).unwrap()), patience: None };
        for _ in 0..10_000 {
            supervisor.serving();
        }
        drop(socket);
        supervisor.serving();
        assert!(connect(path.as_os_str()).is_err());
    }
}
