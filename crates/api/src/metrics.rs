//! What monitoring systems collect: the service itself at `/metrics`, and all that sensors said at `/metrics/devices`.
//!
//! Everything comes from what is known already: a scrape never asks the equipment, and however many there are, they cost
//! it nothing. A page is made piece by piece while it is sent, and never is in memory as a whole.

mod bmc;
mod device;
mod format;
mod page;
mod receiver;
mod service;
mod text;

use http::StatusCode;
use http::request::Parts;
use opendcre_gateway::Gauges;
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
use device::Devices;
use format::Format;
use page::Page;
use receiver::Receivers;
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
        let page = Page::new(format).with(Service::of(api, &view));
        Ok(page.with(Receivers::of(api.gateway())).with(Bmcs::of(&view)))
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
        Ok(Page::new(format).with(Devices(Gauges::of(view, &racks, kinds))))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::page::Table;
    use super::text::Family;
    use super::*;

    /// What names metrics besides this program.
    const PAGES: [(&str, &str); 4] = [
        ("docs/metrics.md", include_str!("../../../docs/metrics.md")),
        ("the rules", include_str!("../../../contrib/prometheus/opendcre.rules.yml")),
        ("the dashboard of the room", include_str!("../../../contrib/grafana/room.json")),
        ("the dashboard of the gateway", include_str!("../../../contrib/grafana/gateway.json")),
    ];

    fn families() -> impl Iterator<Item = &'static Family> {
        fn of<T: Table>() -> impl Iterator<Item = &'static Family> {
            T::columns().iter().map(|(family, _)| family)
        }
        of::<Service>().chain(of::<Receivers>()).chain(of::<Bmcs>()).chain(of::<Devices>())
    }

    fn names() -> BTreeSet<String> {
        families().map(Family::sample_name).collect()
    }

    /// What in a text looks like a metric of ours.
    fn named(text: &str) -> BTreeSet<String> {
        let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        words.filter(|word| word.starts_with("opendcre_")).map(str::to_owned).collect()
    }

    #[test]
    fn every_metric_has_a_name_of_its_own_that_ends_with_its_unit() {
        assert_eq!(names().len(), families().count());
        for family in families() {
            assert!(family.name.ends_with(family.unit), "{} has the unit {}", family.name, family.unit);
            assert!(family.help.ends_with('.') && !family.help.contains(['\\', '\n']), "{}", family.help);
        }
    }

    #[test]
    fn rules_and_dashboards_name_metrics_that_there_are_and_the_document_all_of_them() {
        let names = names();
        for (page, text) in PAGES {
            let unknown: Vec<_> = named(text).difference(&names).cloned().collect();
            assert_eq!(unknown, [""; 0], "{page}");
        }
        let missing: Vec<_> = names.difference(&named(PAGES[0].1)).cloned().collect();
        assert_eq!(missing, [""; 0], "add these to {}", PAGES[0].0);
    }
}
