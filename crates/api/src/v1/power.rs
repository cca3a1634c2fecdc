//! The eight keys of power that all generations 1.x have.

use hyper::body::Bytes;
use opendcre_model::{PowerReport, PowerState};
use serde::Serialize;

use crate::error::ApiError;
use crate::reply::to_json;

/// With fractions for equipment that measures, with integer zeros for equipment that does not.
#[derive(Serialize)]
struct PowerBody<R, N> {
    pmbus_raw: R,
    power_status: PowerState,
    power_ok: bool,
    over_current: bool,
    under_voltage: bool,
    input_power: N,
    input_voltage: N,
    output_current: N,
}

/// The body for a report. `unmeasured` is what stands in `pmbus_raw` for equipment that does not measure.
pub(crate) fn body(report: &PowerReport, unmeasured: impl Serialize) -> Result<Bytes, ApiError> {
    match &report.electrical {
        Some(values) => to_json(&PowerBody {
            pmbus_raw: values.raw.as_str(),
            power_status: report.state,
            power_ok: report.power_ok,
            over_current: report.over_current,
            under_voltage: report.under_voltage,
            input_power: values.input_power_watts,
            input_voltage: values.input_voltage_volts,
            output_current: values.output_current_amperes,
        }),
        None => to_json(&PowerBody {
            pmbus_raw: unmeasured,
            power_status: report.state,
            power_ok: report.power_ok,
            over_current: report.over_current,
            under_voltage: report.under_voltage,
            input_power: 0,
            input_voltage: 0,
            output_current: 0,
        }),
    }
}
