//! The places for connections, and who has to give one up when there are too few.
//!
//! It knows where connections come from and what they wait for, but not what is said on them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use crate::limits::Limits;
use crate::peer::{Remote, network};

/// How often to look again for a connection that waits for its client when every one is being answered.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The places for connections. Clones are the same places.
#[derive(Clone)]
pub(crate) struct Places {
    limits: Limits,
    table: Arc<Mutex<Table>>,
    freed: Arc<Notify>,
    /// Every connection leaves when it is cancelled.
    closing: CancellationToken,
}

#[derive(Default)]
struct Table {
    next: u64,
    /// Open connections by their number, which grows.
    connections: BTreeMap<u64, Connection>,
}

struct Connection {
    /// Nothing for a Unix socket.
    network: Option<IpAddr>,
    activity: Arc<Activity>,
    leave: CancellationToken,
}

/// The place of one connection, which is free when this is dropped.
pub(super) struct Place {
    places: Places,
    number: u64,
    pub(super) activity: Arc<Activity>,
    /// Cancelled when the connection has to leave: because the server stops, or for another one.
    pub(super) leave: CancellationToken,
}

/// Why there is no place: everybody who could leave is being answered.
#[derive(Debug, PartialEq, Eq)]
enum Full {
    /// For more connections from there.
    Network,
    /// For more connections from anywhere.
    Everywhere,
}

// === impl Places ===

impl Places {
    pub(super) fn new(limits: Limits, closing: CancellationToken) -> Self {
        Self { limits, table: Arc::default(), freed: Arc::default(), closing }
    }

    /// A place for a connection from `remote`, whatever has to leave for it, as soon as there is one. Nothing if there are
    /// too many from there.
    pub(super) async fn admit(&self, remote: Remote, greeting: bool) -> Option<Place> {
        loop {
            match self.enter(remote, greeting, Instant::now()) {
                Ok(place) => return Some(place),
                Err(Full::Network) => {
                    tracing::debug!(?remote, "too many connections from one address; closing another one");
                    return None;
                }
                // Either somebody leaves, or somebody is answered and can leave then.
                Err(Full::Everywhere) => {
                    let _ = timeout(LOOK_AGAIN, self.freed.notified()).await;
                }
            }
        }
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.table().connections.len()
    }

    fn enter(&self, remote: Remote, greeting: bool, now: Instant) -> Result<Place, Full> {
        let network = match remote {
            Remote::Tcp(address) => Some(network(address.ip())),
            Remote::Unix(_) => None,
        };
        let mut table = self.table();
        if network.is_some() {
            let is_from_there = |connection: &Connection| connection.network == network;
            if table.count(is_from_there) >= self.limits.connections_per_address {
                table.displace(is_from_there).ok_or(Full::Network)?;
            }
        }
        if table.connections.len() >= self.limits.connections {
            table.displace(|_| true).ok_or(Full::Everywhere)?;
        }
        if greeting && table.count(Connection::is_greeting) >= self.limits.handshakes {
            table.displace(Connection::is_greeting);
        }
        let (activity, leave) = (Arc::new(Activity::new(now, greeting)), self.closing.child_token());
        let connection = Connection { network, activity: Arc::clone(&activity), leave: leave.clone() };
        Ok(Place { places: self.clone(), number: table.add(connection), activity, leave })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().connections.remove(&self.number);
        self.places.freed.notify_waiters();
    }
}

// === impl Table ===

impl Table {
    fn add(&mut self, connection: Connection) -> u64 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.connections.insert(number, connection);
        number
    }

    fn count(&self, counts: impl Fn(&Connection) -> bool) -> usize {
        self.connections.values().filter(|connection| counts(connection)).count()
    }

    /// Sends the connection away that waits for its client longest among those that may go.
    fn displace(&mut self, may_go: impl Fn(&Connection) -> bool) -> Option<()> {
        let waiting = self.connections.iter().filter(|(_, connection)| may_go(connection));
        let waiting = waiting.filter_map(|(number, connection)| {
            connection.activity.awaited_since().map(|since| (since, *number))
        });
        let (_, number) = waiting.min()?;
        self.connections.remove(&number)?.leave.cancel();
        Some(())
    }
}

impl Connection {
    fn is_greeting(&self) -> bool {
        self.activity.greeting.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: usize, connections_per_address: usize, handshakes: usize) -> Places {
        let limits = Limits { connections, connections_per_address, handshakes, ..Limits::default() };
        Places::new(limits, CancellationToken::new())
    }

    fn from(address: &str) -> Remote {
        Remote::Tcp(format!("{address}:4000").parse().unwrap())
    }

    /// Lets the server work on a request of the connection.
    fn work(place: &Place) {
        place.activity.requests.fetch_add(1, Relaxed);
    }

    fn after(seconds: u64) -> Instant {
        // Computed, not read: the tests have their own time.
        *BASE + Duration::from_secs(seconds)
    }

    static BASE: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

    #[test]
    fn the_one_that_waits_for_its_client_longest_gives_way() {
        let places = places(3, 9, 9);
        let enter = |seconds| places.enter(from("192.0.2.1"), false, after(seconds)).unwrap();
        let (first, second, third) = (enter(0), enter(1), enter(2));
        work(&first);
        third.activity.set_stuck(true, after(3));
        let _fourth = enter(4);
        assert!(second.leave.is_cancelled() && !first.leave.is_cancelled() && !third.leave.is_cancelled());
        let fifth = enter(5);
        assert!(third.leave.is_cancelled());
        first.activity.awaits_client(after(6));
        first.activity.requests.fetch_sub(1, Relaxed);
        let _sixth = enter(7);
        assert!(!first.leave.is_cancelled(), "the fourth waits longer");
        let _seventh = enter(8);
        assert!(fifth.leave.is_cancelled());
    }

    #[test]
    fn nobody_gives_way_who_is_being_answered() {
        let places = places(2, 9, 9);
        let enter = || places.enter(from("192.0.2.1"), false, after(0));
        let (first, second) = (enter().unwrap(), enter().unwrap());
        work(&first);
        work(&second);
        assert_eq!(enter().err(), Some(Full::Everywhere));
        second.activity.uploads.fetch_add(1, Relaxed);
        enter().unwrap();
        assert!(second.leave.is_cancelled(), "its request is not complete");
    }

    #[test]
    fn one_address_cannot_take_all_places() {
        let places = places(10, 2, 9);
        let enter = |address| places.enter(from(address), false, after(0));
        let (first, second) = (enter("192.0.2.1").unwrap(), enter("[::ffff:192.0.2.1]").unwrap());
        let _other = enter("192.0.2.2").unwrap();
        work(&second);
        let third = enter("192.0.2.1").unwrap();
        assert!(first.leave.is_cancelled() && !second.leave.is_cancelled());
        work(&third);
        assert_eq!(enter("192.0.2.1").err(), Some(Full::Network));
        drop(third);
        enter("192.0.2.1").unwrap();
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let places = places(10, 1, 9);
        let enter = |address| places.enter(from(address), false, after(0)).unwrap();
        let first = enter("[2001:db8::1]");
        let other = enter("[2001:db8:0:1::1]");
        let _second = enter("[2001:db8::ffff:0:0:1]");
        assert!(first.leave.is_cancelled() && !other.leave.is_cancelled());
    }

    #[test]
    fn unix_sockets_are_not_counted_by_address() {
        let places = places(3, 1, 9);
        let enter = || places.enter(Remote::Unix(Some(0)), false, after(0)).unwrap();
        let all = [enter(), enter(), enter()];
        assert!(all.iter().all(|place| !place.leave.is_cancelled()));
    }

    #[test]
    fn the_oldest_handshake_gives_way_to_a_new_one() {
        let places = places(9, 9, 1);
        let enter = |seconds| places.enter(from("192.0.2.1"), true, after(seconds)).unwrap();
        let first = enter(0);
        let second = enter(1);
        assert!(first.leave.is_cancelled());
        second.activity.greeting.store(false, Relaxed);
        let _third = enter(2);
        assert!(!second.leave.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_must_wait_gets_the_place_of_whoever_was_answered() {
        let places = places(1, 9, 9);
        let first = places.admit(from("192.0.2.1"), false).await.unwrap();
        work(&first);
        let answered = async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            first.activity.requests.fetch_sub(1, Relaxed);
        };
        let (_second, ()) = tokio::join!(places.admit(from("192.0.2.2"), false), answered);
        assert!(first.leave.is_cancelled());
    }
}
