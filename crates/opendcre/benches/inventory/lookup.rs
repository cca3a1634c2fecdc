//! How long it takes to find a board by its name among few and among many, and how many instructions.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use opendcre_api::{Api, Entrance, Limits};
use opendcre_auth::Authenticator;
use tokio::runtime::Runtime;

use crate::measure::median;
use crate::room::{self, SystemClock};

/// The first argument of a process whose instructions are counted; what it does follows.
pub(crate) const WORD: &str = "lookup";

const SIZES: [u32; 3] = [100, 1_000, 10_000];
/// How many different boards are looked for. They are spread evenly over all.
const NAMES: u32 = 100;
/// Turns of each size, and how often each name is looked for in one of them.
const ROUNDS: usize = 21;
const REPEATS: u32 = 20;

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Through the door.
    Door,
    /// Through API 2, but for the socket.
    Api,
    /// As that, and a value of the board that is known.
    Reading,
}

/// Boards that are looked for.
struct Sought {
    api: Api,
    names: Vec<String>,
    runtime: Runtime,
}

impl Way {
    const ALL: [Self; 3] = [Self::Door, Self::Api, Self::Reading];

    const fn word(self) -> &'static str {
        match self {
            Self::Door => "View::lookup",
            Self::Api => "/opendcre/2/boards/NAME",
            Self::Reading => "/opendcre/2/boards/NAME/devices/0001/readings?max_age=1h",
        }
    }
}

impl Sought {
    fn among(boards: u32) -> Self {
        let entrance = Entrance::new(Arc::new(Authenticator::open(Arc::new(SystemClock))));
        let api = Api::new(room::gateway(boards), entrance, &SystemClock, Limits::default());
        let names = (0..NAMES).map(|index| room::name(1 + index * (boards / NAMES))).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { api, names, runtime }
    }

    /// Looks for every name so many times.
    fn look(&self, way: Way, repeats: u32) {
        for name in (0..repeats).flat_map(|_| &self.names) {
            match way {
                Way::Door => {
                    assert_eq!(room::view(self.api.gateway()).lookup(name).expect("a board").name, *name);
                }
                Way::Api | Way::Reading => {
                    self.runtime.block_on(self.get(&way.word().replace("NAME", name)));
                }
            }
        }
    }

    async fn get(&self, path: &str) {
        let request = Request::get(path).body(Empty::<Bytes>::new());
        let reply = self.api.respond(request.expect("a request"), ([127, 0, 0, 1], 1).into()).await;
        assert_eq!(reply.status(), StatusCode::OK);
    }

    /// Microseconds for one name.
    fn microseconds(&self, way: Way) -> f64 {
        let begun = Instant::now();
        self.look(way, REPEATS);
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(REPEATS * NAMES)
    }
}

/// The rows, and what each size costs beside the smallest.
pub(crate) fn report(out: &mut impl Write) -> io::Result<()> {
    let sought = SIZES.map(Sought::among);
    for way in Way::ALL {
        sought.iter().for_each(|sought| sought.look(way, 1));
        let turns: Vec<[f64; SIZES.len()]> =
            (0..ROUNDS).map(|_| sought.each_ref().map(|sought| sought.microseconds(way))).collect();
        let columns = SIZES.map(|boards| boards.to_string());
        writeln!(out, "\n| `{}`, boards | {} |\n|---|---|---|---|", way.word(), columns.join(" | "))?;
        let column = |size: usize| median(turns.iter().map(|turn| turn[size]));
        row(out, "median time", &[0, 1, 2].map(|size| format!("{:.2} µs", column(size))))?;
        let ratio = |size: usize| median(turns.iter().map(|turn| turn[size] / turn[0]));
        row(out, "ratio, median of the turns", &[0, 1, 2].map(|size| format!("{:.2}", ratio(size))))?;
        let counts = SIZES.map(|boards| instructions(way, boards));
        row(out, "instructions", &counts.map(|count| format!("{count:.0}")))?;
        row(
            out,
            "**ratio of the instructions**",
            &counts.map(|count| format!("**{:.2}**", count / counts[0])),
        )?;
    }
    Ok(())
}

fn row(out: &mut impl Write, what: &str, values: &[String; SIZES.len()]) -> io::Result<()> {
    writeln!(out, "| {what} | {} |", values.join(" | "))
}

/// How many instructions it takes to look for one name. What comes before is subtracted by a run of another length.
fn instructions(way: Way, boards: u32) -> f64 {
    let counted = |repeats: u32| {
        crate::valgrind::instructions(&[WORD, way.word(), &boards.to_string(), &repeats.to_string()])
    };
    (counted(3 * REPEATS) - counted(REPEATS)) / f64::from(2 * REPEATS * NAMES)
}

/// What a process does whose instructions are counted.
pub(crate) fn run(arguments: &[String]) -> io::Result<()> {
    let [way, boards, repeats] = arguments else { panic!("not an order: {arguments:?}") };
    let way = Way::ALL.into_iter().find(|known| known.word() == way).expect("a way");
    let sought = Sought::among(boards.parse().expect("a number"));
    sought.look(way, repeats.parse().expect("a number"));
    Ok(())
}
