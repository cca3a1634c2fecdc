//! The routes of API 2: everything that may be asked, who answers it, and what is said about it. There are no others.

use std::borrow::Cow;
use std::sync::LazyLock;

use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use hyper::body::Bytes;

use super::route::{Captures, Route};
use super::{
    audit, auth, bmc, board, change, device, docs, event, group, history, job, live, openapi, order, poll,
    rack, reading, service, source,
};
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};

/// Everything that may be asked.
pub(super) struct Table {
    resources: Vec<Resource>,
}

/// A path, and what its methods do.
pub(super) struct Resource {
    /// How many segments the path has.
    depth: usize,
    get: Option<Route>,
    post: Option<Route>,
    delete: Option<Route>,
}

/// How a name of a board may fail.
const BOARD: &[Code] = &[Code::UNKNOWN_BOARD, Code::AMBIGUOUS_NAME];

/// How the names of a board and a device may fail.
const DEVICE: &[Code] =
    &[Code::UNKNOWN_BOARD, Code::AMBIGUOUS_NAME, Code::UNKNOWN_DEVICE, Code::AMBIGUOUS_DEVICE];

/// How a node range may fail.
const NODES: &[Code] =
    &[Code::BAD_RANGE, Code::UNKNOWN_NAME, Code::AMBIGUOUS_NAME, Code::EMPTY_RANGE, Code::RANGE_TOO_LARGE];

/// How the conditions for a listing of boards may fail.
const BOARDS: &[Code] = &[
    Code::BAD_RANGE,
    Code::UNKNOWN_NAME,
    Code::UNKNOWN_RACK,
    Code::AMBIGUOUS_NAME,
    Code::EMPTY_RANGE,
    Code::RANGE_TOO_LARGE,
];

/// How forgetting a board may fail.
const FORGET: &[Code] =
    &[Code::UNKNOWN_BOARD, Code::AMBIGUOUS_NAME, Code::NOT_MISSING, Code::FORBIDDEN, Code::AUDIT_UNAVAILABLE];

/// How the feed of changes may fail.
const CHANGES: &[Code] = &[
    Code::GONE_CURSOR,
    Code::BAD_RANGE,
    Code::UNKNOWN_NAME,
    Code::AMBIGUOUS_NAME,
    Code::EMPTY_RANGE,
    Code::RANGE_TOO_LARGE,
];

/// How asking for the history may fail.
const HISTORY: &[Code] = &[
    Code::CONTRADICTION,
    Code::BAD_RANGE,
    Code::UNKNOWN_NAME,
    Code::UNKNOWN_BOARD,
    Code::UNKNOWN_DEVICE,
    Code::AMBIGUOUS_NAME,
    Code::EMPTY_RANGE,
    Code::RANGE_TOO_LARGE,
    Code::NOT_KEPT,
    Code::TOO_MANY_POINTS,
    Code::HISTORY_UNAVAILABLE,
    Code::BUSY,
];

/// How asking for events may fail.
const EVENTS: &[Code] = &[
    Code::CONTRADICTION,
    Code::BAD_VALUE,
    Code::BAD_RANGE,
    Code::UNKNOWN_NAME,
    Code::AMBIGUOUS_NAME,
    Code::EMPTY_RANGE,
    Code::RANGE_TOO_LARGE,
    Code::NOT_KEPT,
    Code::EVENTS_UNAVAILABLE,
    Code::BUSY,
];

/// How an order may fail.
const ORDER: &[Code] = &[
    Code::BAD_RANGE,
    Code::UNKNOWN_NAME,
    Code::AMBIGUOUS_NAME,
    Code::EMPTY_RANGE,
    Code::RANGE_TOO_LARGE,
    Code::UNKNOWN_BOARD,
    Code::UNKNOWN_DEVICE,
    Code::AMBIGUOUS_DEVICE,
    Code::UNSUPPORTED,
    Code::IDEMPOTENCY_MISMATCH,
    Code::TOO_MANY_TARGETS,
    Code::GONE,
    Code::BUSY,
    Code::STORE_UNAVAILABLE,
];

/// How a question to equipment may fail.
const LIVE: &[Code] = &[
    Code::UNKNOWN_BOARD,
    Code::UNKNOWN_DEVICE,
    Code::AMBIGUOUS_NAME,
    Code::AMBIGUOUS_BOARD,
    Code::AMBIGUOUS_DEVICE,
    Code::DISPLACED,
    Code::REFUSED,
    Code::INVALID,
    Code::UNSUPPORTED,
    Code::CORRUPT,
    Code::GONE,
    Code::MALFORMED,
    Code::NOT_PERMITTED,
    Code::BUSY,
];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::of(inventory().chain(live_values()).chain(telemetry()).chain(orders()).chain(service_routes()))
});

impl Table {
    /// The routes. They are the same for everybody.
    pub(super) fn get() -> &'static Self {
        &TABLE
    }

    fn of(routes: impl Iterator<Item = Route>) -> Self {
        let mut resources: Vec<Resource> = Vec::new();
        for route in routes {
            match resources.iter_mut().find(|resource| resource.path() == Some(route.path)) {
                Some(resource) => resource.add(route),
                None => {
                    let mut resource = Resource { depth: route.depth(), get: None, post: None, delete: None };
                    resource.add(route);
                    resources.push(resource);
                }
            }
        }
        Self { resources }
    }

    /// What is at a path, cut at its slashes.
    pub(super) fn find<'a>(
        &'static self,
        path: &[Cow<'a, str>],
    ) -> Option<(&'static Resource, Captures<'a>)> {
        // Most paths have another depth, and to see that takes no look at what they are made of.
        self.resources.iter().filter(|resource| resource.depth == path.len()).find_map(|resource| {
            let captures = resource.routes().next()?.captures(path)?;
            Some((resource, captures))
        })
    }

    /// Every route, path by path.
    pub(super) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.resources.iter().flat_map(Resource::routes)
    }
}

impl Resource {
    fn add(&mut self, route: Route) {
        let place = match route.method {
            Method::POST => &mut self.post,
            Method::DELETE => &mut self.delete,
            _ => &mut self.get,
        };
        *place = Some(route);
    }

    fn routes(&self) -> impl Iterator<Item = &Route> {
        self.get.iter().chain(&self.post).chain(&self.delete)
    }

    fn path(&self) -> Option<&'static str> {
        self.routes().next().map(|route| route.path)
    }

    /// Who answers `method`. Whoever tells something can also tell only its header.
    pub(super) fn route(&self, method: &Method) -> Result<&Route, Problem> {
        let route = match *method {
            Method::GET | Method::HEAD => self.get.as_ref(),
            Method::POST => self.post.as_ref(),
            Method::DELETE => self.delete.as_ref(),
            _ => None,
        };
        route.ok_or_else(|| Problem::method_not_allowed(self.allow()))
    }

    /// The value of an `Allow` header.
    const fn allow(&self) -> &'static str {
        match (&self.get, &self.post, &self.delete) {
            (Some(_), None, None) => "GET, HEAD, OPTIONS",
            (Some(_), None, Some(_)) => "GET, HEAD, DELETE, OPTIONS",
            (Some(_), Some(_), None) => "GET, HEAD, POST, OPTIONS",
            (Some(_), Some(_), Some(_)) => "GET, HEAD, POST, DELETE, OPTIONS",
            (None, _, None) => "POST, OPTIONS",
            (None, None, Some(_)) => "DELETE, OPTIONS",
            (None, Some(_), Some(_)) => "POST, DELETE, OPTIONS",
        }
    }

    /// The answer to `OPTIONS`.
    pub(super) fn options(&self) -> Reply {
        let mut reply = reply::json(StatusCode::OK, Bytes::new());
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static(self.allow()));
        reply
    }
}

/// What is there, from what is known.
fn inventory() -> impl Iterator<Item = Route> {
    [
        Route::list("/racks", "list_racks", rack::list)
            .about("List racks", "Every rack that holds a board, with how many of its boards are there.")
            .versioned(),
        Route::get("/racks/{rack}", "get_rack", rack::get)
            .about("Show a rack", "A rack, with how many of its boards are there.")
            .fails_with(&[Code::UNKNOWN_RACK])
            .versioned(),
        Route::list("/boards", "list_boards", board::list)
            .about(
                "List boards",
                "The boards that fulfil all conditions of the query, those that are missing included, each with its \
                 devices. A rack, driver or label that there is not is refused, so that a misspelt name does not silently \
                 select nothing.",
            )
            .fails_with(BOARDS)
            .versioned(),
        Route::get("/boards/{board}", "get_board", board::get)
            .about("Show a board", "A board, with its devices.")
            .fails_with(BOARD)
            .versioned(),
        Route::delete("/boards/{board}", "forget_board", board::forget)
            .about(
                "Forget a board",
                "Removes a board that is missing and will not come back from the inventory, and answers what was known of \
                 it. It is a new board when it is seen again; one that the configuration names is also listed again after \
                 a restart. A board that is not missing is refused. No equipment is asked.",
            )
            .fails_with(FORGET),
        Route::list("/boards/{board}/devices", "list_devices_of_board", device::list_of_board)
            .about("List the devices of a board", "The devices of a board.")
            .fails_with(BOARD)
            .versioned(),
        Route::get("/boards/{board}/devices/{device}", "get_device", device::get)
            .about("Show a device", "A device of a board.")
            .fails_with(DEVICE)
            .versioned(),
        Route::list("/devices", "list_devices", device::list)
            .about("List devices", "The devices of all boards that fulfil all conditions of the query.")
            .fails_with(NODES)
            .versioned(),
        Route::list("/groups", "list_groups", group::list)
            .about("List groups", "The groups of the configuration, with the boards that are in them now.")
            .versioned(),
        Route::get("/groups/{group}", "get_group", group::get)
            .about("Show a group", "A group, with the boards that are in it now.")
            .fails_with(&[Code::UNKNOWN_GROUP])
            .versioned(),
        Route::list("/labels", "list_labels", group::labels)
            .about("List labels", "The labels that boards have, with how many boards have each.")
            .versioned(),
        Route::get("/changes", "list_changes", change::list)
            .about(
                "List changes",
                "What happened to boards: which appeared, vanished, moved, changed or were forgotten, oldest first. To follow the feed, \
                 ask again with `after` and `wait`: the answer comes with the next change.",
            )
            .fails_with(CHANGES),
    ]
    .into_iter()
}

/// What was observed.
fn telemetry() -> impl Iterator<Item = Route> {
    [
        Route::get("/history", "get_history", history::get)
            .about(
                "Show the history",
                "What sensors measured over a time, in steps with mean, least and greatest value, as JSON or, with \
                 `format=csv` or `Accept: text/csv`, as a table. No equipment is asked.",
            )
            .fails_with(HISTORY),
        Route::get("/events", "list_events", event::list)
            .about(
                "List events",
                "What happened, oldest first: to boards, to the health and power of devices, in the event logs of servers, \
                 to the service itself, and what was done, which only auditors see. With `Accept: text/event-stream`, a \
                 stream of Server-Sent Events that goes on until the client leaves or may not read any more; it begins \
                 behind `Last-Event-ID`, behind `after`, or with the next event, and can be taken up again where it broke \
                 off.",
            )
            .fails_with(EVENTS)
            .resumable(),
        Route::get("/polls", "list_polls", poll::list)
            .about("Show the polling", "How the regular reading of boards goes: what is due, what is late, and what fails.")
            .fails_with(NODES),
    ]
    .into_iter()
}

/// What equipment says when it is asked.
fn live_values() -> impl Iterator<Item = Route> {
    [
        Route::get("/readings", "read_nodes", reading::of_nodes)
            .about(
                "Read devices",
                "What the devices of many boards measure, in one answer. What cannot be read is in `failures`, with the \
                 reason, and keeps nothing else from being answered.",
            )
            .fails_with(&[
                Code::BAD_RANGE,
                Code::UNKNOWN_NAME,
                Code::AMBIGUOUS_NAME,
                Code::EMPTY_RANGE,
                Code::RANGE_TOO_LARGE,
                Code::UNKNOWN_DEVICE,
            ]),
        Route::get("/racks/{rack}/readings", "read_rack", reading::of_rack)
            .about("Read a rack", "What the devices of all boards of a rack measure.")
            .fails_with(&[Code::UNKNOWN_RACK, Code::UNKNOWN_DEVICE]),
        Route::get("/boards/{board}/readings", "read_board", reading::of_board)
            .about("Read a board", "What the devices of a board measure.")
            .fails_with(DEVICE),
        Route::get("/boards/{board}/devices/{device}/readings", "read_device", reading::of_device)
            .about("Read a device", "What a device measures.")
            .fails_with(DEVICE),
        Route::get("/boards/{board}/version", "get_version", live::version)
            .about("Ask for the firmware", "The version of the firmware of a board, as it says it now.")
            .fails_with(LIVE),
        Route::get("/boards/{board}/asset", "get_asset", live::asset)
            .about(
                "Ask for asset information",
                "What a board says about itself and its parts now, and the free text that it keeps.",
            )
            .fails_with(LIVE),
        Route::get("/boards/{board}/boot", "get_boot", live::boot)
            .about("Ask for the boot target", "From where a server boots next, as it says now.")
            .fails_with(LIVE),
        Route::get("/boards/{board}/host", "get_host", live::host)
            .about("Ask for the host", "The names and addresses of the host behind a board.")
            .fails_with(LIVE),
    ]
    .into_iter()
}

/// Changes of equipment, and the jobs that they become.
fn orders() -> impl Iterator<Item = Route> {
    [
        Route::post("/power", "order_power", order::power).about(
            "Switch power",
            "Switches the power of one device of every board. A switch is sent once, whatever happens.",
        ),
        Route::post("/boot", "order_boot", order::boot)
            .about("Set the boot target", "Sets from where servers boot, the next time or every time."),
        Route::post("/led", "order_led", order::led)
            .about("Switch lamps", "Switches lamps of boards, or sets the lamps of chambers."),
        Route::post("/identify", "order_identify", order::identify).about(
            "Identify servers",
            "Makes servers show which ones they are, usually with a blinking lamp.",
        ),
        Route::post("/fan", "order_fan", order::fan).about("Set fans", "Sets the speed of fans."),
        Route::post("/asset", "order_asset", order::asset)
            .about("Store asset texts", "Stores a free asset text in one device of every board."),
        Route::post("/scan", "order_scan", order::scan).about(
            "Look for boards",
            "Asks boards what they are and hold. Without `nodes`, buses are searched for new boards first.",
        ),
    ]
    .map(|route| route.fails_with(ORDER).named_by_client())
    .into_iter()
    .chain([
        Route::list("/jobs", "list_jobs", job::list).about(
            "List jobs",
            "The jobs that are known, without their results, newest first unless `sort` says otherwise.",
        ),
        Route::get("/jobs/{job}", "get_job", job::get)
            .about("Show a job", "A job, with what came of it at every target by now.")
            .fails_with(&[Code::UNKNOWN_JOB]),
        Route::post("/jobs/{job}/abort", "abort_job", job::abort)
            .about("Abort a job", "Skips every target of a job that has not begun; what runs is finished.")
            .fails_with(&[Code::UNKNOWN_JOB]),
    ])
}

/// The service itself.
fn service_routes() -> impl Iterator<Item = Route> {
    [
        Route::get("/", "get_entry", service::entry).about("Enter", "Where everything is."),
        Route::get("/about", "get_about", service::about)
            .about("About this service", "What is running here, since when, and how much it knows."),
        Route::list("/sources", "list_sources", source::list).about(
            "List sources",
            "Where boards come from: drivers, and parts of the configuration that cannot be used, each with the reason.",
        )
        .fails_with(NODES),
        Route::get("/bmcs", "list_bmcs", bmc::list).about(
            "List BMCs",
            "How the connections to BMCs are doing, from what is known: none of them is asked.",
        )
        .fails_with(NODES),
        Route::get("/auth/providers", "list_login_providers", auth::providers).about(
            "Show where to log in",
            "The providers of OpenID Connect at which `opendcre login` and other clients can get a token. Everybody may ask.",
        ),
        Route::get("/auth/me", "get_me", auth::me).about(
            "Show who I am",
            "Who asks, as the service knows them, which roles they have, and what they may do where.",
        ),
        Route::get("/auth/why", "get_why", auth::why)
            .about(
                "Explain a decision",
                "Whether somebody may do something somewhere, and which role permits it, or why none does. Everybody may \
                 ask about themselves.",
            )
            .fails_with(&[
                Code::BAD_RANGE,
                Code::UNKNOWN_NAME,
                Code::AMBIGUOUS_NAME,
                Code::EMPTY_RANGE,
                Code::RANGE_TOO_LARGE,
                Code::UNKNOWN_DEVICE,
                Code::INVALID,
            ]),
        Route::get("/audit", "list_audit", audit::list)
            .about(
                "Look into the audit log",
                "Who did what to which equipment, and what came of it: changes, and what was refused. For auditors.",
            )
            .fails_with(&[Code::FORBIDDEN, Code::AUDIT_UNAVAILABLE]),
        Route::get("/openapi.json", "get_openapi", openapi::get)
            .about("This description", "The description of this API as an OpenAPI 3.1 document."),
        Route::get("/docs", "get_docs", docs::get)
            .about("Read this description", "The description of this API as a page for people."),
    ]
    .into_iter()
}
