//! What monitoring systems collect: the service itself at `/metrics`, and all that sensors said at `/metrics/devices`.
//!
//! Everything comes from what is known already: a scrape never asks the equipment, and however many there are, they cost
//! it nothing. A page is made piece by piece while it is sent, and never is in memory as a whole.

mod bmc;
mod device;
mod format;
mod page;
mod service;
mod text;

use http::StatusCode;
use http::request::Parts;
use opendcre_model::DeviceKind;
use serde::Deserialize;

use crate::api::{Api, Caller};
use crate::encoding;
use crate::error::ApiError;
use crate::method::{Methods, Verb};
use crate::problem::Problem;
use crate::reply::{self, Reply};
use crate::v2::{Query, unknown_rack};
use bmc::Bmcs;
use device::{Devices, Selection};
use format::Format;
use page::Page;
use service::Service;

/// Where the metrics of the service are.
pub(crate) const SERVICE: &str = "/metrics";
/// Where the metrics of all devices are.
pub(crate) const DEVICES: &str = "/metrics/devices";

/// Which devices are wanted: of any of these racks, of any of these kinds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DeviceQuery {
    rack: Vec<String>,
    kind: Vec<DeviceKind>,
}

impl DeviceQuery {
    /// The parameters.
    const NAMES: [&str; 2] = ["rack", "kind"];
}

/// Whether metrics are at this path. Failures there are told as by API 2.
pub(crate) fn is_at(path: &str) -> bool {
    path == SERVICE || path == DEVICES
}

/// `/metrics`: the service itself, for those who may look at everything.
pub(crate) fn of_service(api: &Api, head: &Parts, caller: Caller<'_>) -> Result<Reply, ApiError> {
    answer(head, caller, |format| {
        Query::of(head.uri.query()).only(&[])?;
        let view = api.gateway().overview(caller.principal())?;
        Ok(Page::new(format).with(Service::of(api, &view)).with(Bmcs::of(&view)))
    })
}

/// `/metrics/devices`: what devices said that whoever asks may look at.
pub(crate) fn of_devices(api: &Api, head: &Parts, caller: Caller<'_>) -> Result<Reply, ApiError> {
    answer(head, caller, |format| {
        let query = Query::of(head.uri.query());
        query.only(&DeviceQuery::NAMES.map(str::to_owned))?;
        let DeviceQuery { rack: racks, kind: kinds } = query.read()?;
        let view = api.gateway().view(caller.principal())?;
        // A rack that is misspelt must not look like one where all is well.
        if let Some(unknown) = racks.iter().find(|rack| !view.has_rack(rack)) {
            return Err(unknown_rack(unknown));
        }
        Ok(Page::new(format).with(Devices::of(view, Selection { racks, kinds })))
    })
}

fn answer(
    head: &Parts,
    caller: Caller<'_>,
    page: impl FnOnce(Format) -> Result<Page, Problem>,
) -> Result<Reply, ApiError> {
    if Methods::Read.verb(&head.method)? == Verb::List {
        return Ok(reply::allow(Methods::Read));
    }
    let format = Format::wanted(&head.headers);
    let mut reply = match page(format) {
        Ok(page) => reply::of_type(format.media_type(), StatusCode::OK, page.into_body()),
        Err(problem) => problem.to_reply(caller.request_id),
    };
    format::vary(&mut reply);
    encoding::compress(&mut reply, &head.headers);
    Ok(reply)
}
