//! Power, its limit, temperatures and asset tag by DCMI.

use comfy_table::Table;
use jiff::Timestamp;
use opendcre_ipmi::dcmi::{
    self, Capabilities, ExceptionAction, GetPowerLimit, GetPowerReading, PowerLimitState, PowerReading,
    ReadAssetTag, ReadCapabilities, ReadControllerId, ReadTemperatures, Statistics,
};
use opendcre_model::{Action, PowerLimit, PowerLimitException};
use serde::Serialize;

use super::console::{Done, Report, fields, joined, list, words, yes_no};
use super::error::IpmiError;
use super::link::Link;
use crate::cli::{LimitException, LimitSetArgs};

/// What a BMC can do of DCMI.
#[derive(Debug, Serialize)]
pub(super) struct Info {
    version: String,
    power_management: bool,
    controller_id: Option<String>,
    sel_entries: Option<u16>,
    rolling_periods_s: Vec<u64>,
    problems: Vec<String>,
}

/// What a machine draws.
#[derive(Debug, Serialize)]
pub(super) struct Draw {
    measuring: bool,
    current_w: u16,
    minimum_w: u16,
    maximum_w: u16,
    average_w: u16,
    period_ms: u32,
    time: Option<Timestamp>,
}

/// What a machine may draw.
#[derive(Debug, Serialize)]
pub(super) struct Limit {
    active: bool,
    watts: Option<u16>,
    correction_ms: Option<u32>,
    sampling_s: Option<u16>,
    exception: Option<String>,
}

/// The temperatures of a machine.
#[derive(Debug, Serialize)]
pub(super) struct Temperatures {
    temperatures: Vec<Temperature>,
}

#[derive(Debug, Serialize)]
struct Temperature {
    entity: &'static str,
    instance: u8,
    celsius: i8,
}

/// The text by which a machine's owner knows it.
#[derive(Debug, Serialize)]
pub(super) struct AssetTag {
    asset_tag: String,
}

/// Asks what the BMC can do.
pub(super) async fn info(link: &Link) -> Result<Info, IpmiError> {
    let capabilities = link.run(ReadCapabilities::new()).await?;
    let mut problems = Vec::new();
    let controller_id = link.try_run("controller id", ReadControllerId::new(), &mut problems).await?;
    Ok(Info::new(&capabilities, controller_id, problems))
}

/// Asks what the machine draws.
pub(super) async fn power(link: &Link) -> Result<Draw, IpmiError> {
    Ok(Draw::from(link.ask(GetPowerReading { statistics: Statistics::System }).await?))
}

/// Asks what the machine may draw.
pub(super) async fn limit(link: &Link) -> Result<Limit, IpmiError> {
    Ok(Limit::from(link.ask(GetPowerLimit).await?))
}

/// Sets what the machine may draw; without `args` it may draw anything.
pub(super) async fn set_limit(link: &Link, args: Option<LimitSetArgs>) -> Result<Done, IpmiError> {
    let limit = args.map(PowerLimit::from);
    link.change(Action::SetPowerLimit { device: Link::SYSTEM, limit }).await?;
    Ok(Done::new())
}

/// Asks for the temperatures.
pub(super) async fn temperatures(link: &Link) -> Result<Temperatures, IpmiError> {
    let found = link.run(ReadTemperatures::new()).await?;
    let temperature = |(entity, reading): (dcmi::Entity, dcmi::Temperature)| Temperature {
        entity: match entity {
            dcmi::Entity::Inlet => "inlet",
            dcmi::Entity::Processor => "processor",
            dcmi::Entity::Baseboard => "baseboard",
        },
        instance: reading.instance,
        celsius: reading.celsius,
    };
    Ok(Temperatures { temperatures: found.into_iter().map(temperature).collect() })
}

/// Asks for the asset tag.
pub(super) async fn asset_tag(link: &Link) -> Result<AssetTag, IpmiError> {
    Ok(AssetTag { asset_tag: link.run(ReadAssetTag::new()).await? })
}

impl Info {
    fn new(capabilities: &Capabilities, controller_id: Option<String>, problems: Vec<String>) -> Self {
        let periods = capabilities.rolling_periods.iter();
        Self {
            version: capabilities.version.to_string(),
            power_management: capabilities.supported.power_management,
            controller_id,
            sel_entries: capabilities.mandatory.map(|mandatory| mandatory.sel_entries),
            rolling_periods_s: periods.map(|period| period.duration().as_secs()).collect(),
            problems,
        }
    }
}

impl From<PowerReading> for Draw {
    fn from(reading: PowerReading) -> Self {
        Self {
            measuring: reading.measuring,
            current_w: reading.current_w,
            minimum_w: reading.minimum_w,
            maximum_w: reading.maximum_w,
            average_w: reading.average_w,
            period_ms: reading.period_ms,
            time: Timestamp::from_second(reading.timestamp.into()).ok(),
        }
    }
}

impl From<PowerLimitState> for Limit {
    fn from(state: PowerLimitState) -> Self {
        let limit = state.limit;
        Self {
            active: state.active,
            watts: limit.map(|limit| limit.limit_w),
            correction_ms: limit.map(|limit| limit.correction_ms),
            sampling_s: limit.map(|limit| limit.sampling_s),
            exception: limit.map(|limit| match limit.action {
                ExceptionAction::None => PowerLimitException::None.to_string(),
                ExceptionAction::Log => PowerLimitException::Log.to_string(),
                ExceptionAction::PowerOff => PowerLimitException::PowerOff.to_string(),
                ExceptionAction::Oem(number) => format!("oem_{number:02x}"),
            }),
        }
    }
}

impl From<LimitSetArgs> for PowerLimit {
    fn from(args: LimitSetArgs) -> Self {
        let LimitSetArgs { watts, correction, period, exception } = args;
        Self {
            watts,
            correction_time: correction,
            sampling_period: period,
            exception: match exception {
                LimitException::None => PowerLimitException::None,
                LimitException::Log => PowerLimitException::Log,
                LimitException::PowerOff => PowerLimitException::PowerOff,
            },
        }
    }
}

impl Report for Info {
    fn tables(&self) -> Vec<Table> {
        let periods: Vec<String> =
            self.rolling_periods_s.iter().map(|period| format!("{period} s")).collect();
        vec![fields([
            ("DCMI version", Some(self.version.clone())),
            ("power management", Some(yes_no(self.power_management))),
            ("controller id", self.controller_id.clone()),
            ("room in event log", self.sel_entries.map(|entries| format!("{entries} entries"))),
            ("averages over", joined(&periods)),
        ])]
    }

    fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl Report for Draw {
    fn tables(&self) -> Vec<Table> {
        if !self.measuring {
            return vec![fields([("power", Some("not measured now".to_owned()))])];
        }
        let watts = |watts: u16| Some(format!("{watts} W"));
        vec![fields([
            ("power", watts(self.current_w)),
            ("least", watts(self.minimum_w)),
            ("most", watts(self.maximum_w)),
            ("average", watts(self.average_w)),
            ("period", Some(format!("{} s", self.period_ms / 1000))),
            ("time of the BMC", self.time.map(|time| time.to_string())),
        ])]
    }
}

impl Report for Limit {
    fn tables(&self) -> Vec<Table> {
        vec![fields([
            ("in force", Some(yes_no(self.active))),
            ("limit", self.watts.map(|watts| format!("{watts} W"))),
            ("correction time", self.correction_ms.map(|time| format!("{time} ms"))),
            ("averaged over", self.sampling_s.map(|time| format!("{time} s"))),
            ("otherwise", self.exception.as_deref().map(words)),
        ])]
    }
}

impl Report for Temperatures {
    fn tables(&self) -> Vec<Table> {
        let row = |reading: &Temperature| {
            [reading.entity.to_owned(), reading.instance.to_string(), format!("{} C", reading.celsius)]
        };
        vec![list(["WHERE", "NUMBER", "TEMPERATURE"], self.temperatures.iter().map(row))]
    }
}

impl Report for AssetTag {
    fn tables(&self) -> Vec<Table> {
        vec![fields([("asset tag", Some(self.asset_tag.clone()))])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipmi::console::shown;

    #[test]
    fn power_that_is_not_measured_is_no_number() {
        let reading = PowerReading {
            current_w: 231,
            minimum_w: 120,
            maximum_w: 350,
            average_w: 228,
            timestamp: 1_777_636_800,
            period_ms: 5000,
            measuring: true,
        };
        insta::assert_snapshot!(shown(&Draw::from(reading)), @r"
        power            231 W
        least            120 W
        most             350 W
        average          228 W
        period           5 s
        time of the BMC  2026-05-01T12:00:00Z
        ");
        insta::assert_snapshot!(serde_json::to_string(&Draw::from(reading)).unwrap(), @r#"{"measuring":true,"current_w":231,"minimum_w":120,"maximum_w":350,"average_w":228,"period_ms":5000,"time":"2026-05-01T12:00:00Z"}"#);
        let off = Draw::from(PowerReading { measuring: false, ..reading });
        insta::assert_snapshot!(shown(&off), @"power  not measured now");
    }

    #[test]
    fn a_limit_is_shown_with_what_happens_otherwise() {
        let limit = dcmi::PowerLimit {
            action: ExceptionAction::PowerOff,
            limit_w: 350,
            correction_ms: 2000,
            sampling_s: 5,
        };
        let limit = Limit::from(PowerLimitState { active: true, limit: Some(limit) });
        insta::assert_snapshot!(shown(&limit), @r"
        in force         yes
        limit            350 W
        correction time  2000 ms
        averaged over    5 s
        otherwise        power off
        ");
        let none = Limit::from(PowerLimitState { active: false, limit: None });
        insta::assert_snapshot!(serde_json::to_string(&none).unwrap(), @r#"{"active":false,"watts":null,"correction_ms":null,"sampling_s":null,"exception":null}"#);
    }

    #[test]
    fn temperatures_are_rows() {
        let temperature = |entity, celsius| Temperature { entity, instance: 1, celsius };
        let sample =
            Temperatures { temperatures: vec![temperature("inlet", 23), temperature("processor", -4)] };
        insta::assert_snapshot!(shown(&sample), @r"
        WHERE      NUMBER  TEMPERATURE
        inlet      1       23 C
        processor  1       -4 C
        ");
    }
}
