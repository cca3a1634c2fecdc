//! A client, a BMC, the network between them and the time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opendcre_ipmi::client::{
    Access, Client, Entropy, Event, Failure, Order, PrivilegeRange, Protocol, Timing, UserLookup,
};
use opendcre_ipmi::{CipherSuite, NetFn, Request, Response, Secret};

use crate::bmc::Bmc;

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives,
    Lost,
    Twice,
}

/// Numbers that differ, which is all that matters here.
pub(crate) struct Counting(pub(crate) u8);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(29);
            *byte = self.0;
        }
    }
}

pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) bmc: Bmc,
    pub(crate) now: Instant,
    pub(crate) entropy: Counting,
    /// Decides about each datagram; `true` stands for those to the BMC.
    pub(crate) network: Box<dyn FnMut(bool) -> Fate>,
    /// What came from the BMC, for those who want to send it again.
    pub(crate) heard: Vec<Vec<u8>>,
}

pub(crate) fn access(password: &str, suites: &[u8]) -> Access {
    Access {
        username: b"operator".to_vec(),
        password: Secret::new(password.as_bytes()).unwrap(),
        bmc_key: None,
        protocol: Protocol::V2_0(suites.iter().map(|id| CipherSuite::from_id(*id).unwrap()).collect()),
        lookup: UserLookup::Name,
        privilege: PrivilegeRange::default(),
    }
}

/// A request that the BMC of these tests answers with its own number.
pub(crate) fn chassis(command: u8) -> Request {
    Request::new(NetFn::CHASSIS, command, &[])
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "any moment will do as the beginning")]
    pub(crate) fn with(access: Access) -> Self {
        Self {
            client: Client::new(Arc::new(access), Timing::default()),
            bmc: Bmc::new("secret"),
            now: Instant::now(),
            entropy: Counting(1),
            network: Box::new(|_| Fate::Arrives),
            heard: Vec::new(),
        }
    }

    pub(crate) fn new() -> Self {
        Self::with(access("secret", &[17, 3]))
    }

    pub(crate) fn read(&mut self, command: u8) -> Result<Response, Failure> {
        self.order(Order::read(chassis(command)))
    }

    pub(crate) fn control(&mut self, command: u8) -> Result<Response, Failure> {
        self.order(Order::control(chassis(command)))
    }

    pub(crate) fn order(&mut self, order: Order) -> Result<Response, Failure> {
        self.client.request(order, self.now, &mut self.entropy).unwrap();
        self.run(|event| match event {
            Event::Answered(response) => Some(Ok(response)),
            Event::Failed(failure) => Some(Err(failure)),
            Event::Opened | Event::Closed => None,
        })
    }

    pub(crate) fn close(&mut self) {
        self.client.close(self.now, &mut self.entropy);
        self.run(|event| (event == Event::Closed).then_some(()));
    }

    /// Lets datagrams and time pass until an event is the one that is wanted.
    pub(crate) fn run<T>(&mut self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        for _ in 0..1000 {
            self.exchange();
            while let Some(event) = self.client.poll_event() {
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
            self.now = self.client.next_deadline().unwrap().max(self.now);
            self.client.on_timer(self.now, &mut self.entropy);
        }
        panic!("it does not come to an end");
    }

    /// Carries datagrams until there are none.
    pub(crate) fn exchange(&mut self) {
        while let Some(datagram) = self.client.poll_transmit() {
            for _ in 0..copies((self.network)(true)) {
                let Some(answer) = self.bmc.on_datagram(&datagram) else { continue };
                self.heard.push(answer.clone());
                self.now += Duration::from_millis(1);
                for _ in 0..copies((self.network)(false)) {
                    self.client.on_datagram(&answer, self.now, &mut self.entropy);
                }
            }
        }
    }
}

const fn copies(fate: Fate) -> usize {
    match fate {
        Fate::Lost => 0,
        Fate::Arrives => 1,
        Fate::Twice => 2,
    }
}
