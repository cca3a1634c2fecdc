//! The commands of an emulated BMC: which there are, and who may give them (IPMI 2.0 appendix G). Each subject has a
//! module of functions that act on the [`Device`]; those about sessions are with the sessions.

mod app;
mod chassis;
mod dcmi;
mod fru;
mod lan;
mod sdr;
mod sel;
mod sensor;

use std::time::Duration;

use opendcre_ipmi::{BMC_ADDRESS, Completion, DecodeError, Message, NetFn, Privilege, Response};

pub(super) use self::app::only_lan_channel;
use super::device::Device;

/// The data of an answer, or why there is none.
pub(super) type Answer = Result<Vec<u8>, Refusal>;

/// A completion code that is not "done", and the data that some commands send with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub completion: Completion,
    pub data: Vec<u8>,
}

impl From<Completion> for Refusal {
    fn from(completion: Completion) -> Self {
        Self { completion, data: Vec::new() }
    }
}

impl From<DecodeError> for Refusal {
    /// Requests are decoded with nothing but lengths to go wrong.
    fn from(_: DecodeError) -> Self {
        Completion::LENGTH_INVALID.into()
    }
}

/// An answer as it is sent.
pub(super) fn into_response(answer: Answer) -> Response {
    match answer {
        Ok(data) => Response { completion: Completion::OK, data },
        Err(Refusal { completion, data }) => Response { completion, data },
    }
}

/// The message that answers `request`.
pub(super) fn reply_to(request: &Message, response: &Response) -> Vec<u8> {
    let mut data = Vec::with_capacity(1 + response.data.len());
    data.push(response.completion.0);
    data.extend(&response.data);
    Message { from: BMC_ADDRESS, ..request.reply(data) }.encode()
}

/// A command.
pub(super) struct Command {
    /// Who may give it.
    pub privilege: Privilege,
    /// It changes something that must not be changed twice.
    pub has_effect: bool,
    run: Run,
}

/// What carries a command out: with the data of the request, and the time.
type Run = fn(&mut Device, &[u8], Duration) -> Answer;

impl Command {
    /// Carries the command out.
    pub(super) fn run(&self, device: &mut Device, data: &[u8], now: Duration) -> Answer {
        (self.run)(device, data, now)
    }
}

/// The command that a request gives, if there is one.
pub(super) fn find(request: &Message) -> Option<Command> {
    use Privilege::{Administrator, Operator, User};
    let reads = |privilege, run: Run| Some(Command { privilege, has_effect: false, run });
    let acts = |privilege, run: Run| Some(Command { privilege, has_effect: true, run });
    match (request.netfn, request.command) {
        (NetFn::CHASSIS, 0x00) => reads(User, chassis::capabilities),
        (NetFn::CHASSIS, 0x01) => reads(User, chassis::status),
        (NetFn::CHASSIS, 0x02) => acts(Operator, chassis::control),
        (NetFn::CHASSIS, 0x04) => reads(Operator, chassis::identify),
        (NetFn::CHASSIS, 0x06) => reads(Operator, chassis::set_restore_policy),
        (NetFn::CHASSIS, 0x07) => reads(User, chassis::restart_cause),
        (NetFn::CHASSIS, 0x08) => reads(Operator, chassis::set_boot_option),
        (NetFn::CHASSIS, 0x09) => reads(Operator, chassis::boot_option),
        (NetFn::CHASSIS, 0x0f) => reads(User, chassis::power_on_hours),
        (NetFn::SENSOR, 0x02) => acts(Operator, sel::platform_event),
        (NetFn::SENSOR, 0x20) => reads(User, sdr::device_info),
        (NetFn::SENSOR, 0x21) => reads(User, sdr::record),
        (NetFn::SENSOR, 0x22) => reads(User, sdr::reserve),
        (NetFn::SENSOR, 0x24) => reads(Operator, sensor::set_hysteresis),
        (NetFn::SENSOR, 0x25) => reads(User, sensor::hysteresis),
        (NetFn::SENSOR, 0x26) => reads(Operator, sensor::set_thresholds),
        (NetFn::SENSOR, 0x27) => reads(User, sensor::thresholds),
        (NetFn::SENSOR, 0x29) => reads(User, sensor::event_enable),
        (NetFn::SENSOR, 0x2d) => reads(User, sensor::reading),
        (NetFn::SENSOR, 0x2f) => reads(User, sensor::sensor_type),
        (NetFn::APP, 0x01) => reads(User, app::device_id),
        (NetFn::APP, 0x02) => acts(Administrator, app::cold_reset),
        (NetFn::APP, 0x04) => reads(User, app::self_test),
        (NetFn::APP, 0x07) => reads(User, app::acpi_power_state),
        (NetFn::APP, 0x08 | 0x37) => reads(User, app::guid),
        (NetFn::APP, 0x41) => reads(User, app::channel_access),
        (NetFn::APP, 0x44) => reads(Operator, app::user_access),
        (NetFn::APP, 0x46) => reads(Operator, app::user_name),
        (NetFn::STORAGE, 0x10) => reads(User, fru::area),
        (NetFn::STORAGE, 0x11) => reads(User, fru::read),
        (NetFn::STORAGE, 0x20) => reads(User, sdr::repository_info),
        (NetFn::STORAGE, 0x21) => reads(User, sdr::allocation_info),
        (NetFn::STORAGE, 0x22) => reads(User, sdr::reserve),
        (NetFn::STORAGE, 0x23) => reads(User, sdr::record),
        (NetFn::STORAGE, 0x28) => reads(User, sel::time),
        (NetFn::STORAGE, 0x40) => reads(User, sel::info),
        (NetFn::STORAGE, 0x41) => reads(User, sel::allocation_info),
        (NetFn::STORAGE, 0x42) => reads(User, sel::reserve),
        (NetFn::STORAGE, 0x43) => reads(User, sel::entry),
        (NetFn::STORAGE, 0x44) => acts(Operator, sel::add),
        (NetFn::STORAGE, 0x46) => acts(Operator, sel::delete),
        (NetFn::STORAGE, 0x47) => acts(Operator, sel::clear),
        (NetFn::STORAGE, 0x48) => reads(User, sel::time),
        (NetFn::STORAGE, 0x49) => reads(Operator, sel::set_time),
        (NetFn::TRANSPORT, 0x02) => reads(Operator, lan::parameter),
        (NetFn::GROUP, _) if request.data.first() == Some(&dcmi::GROUP) => dcmi::find(request.command),
        _ => None,
    }
}

/// A request that has exactly these many bytes.
fn exactly<const N: usize>(data: &[u8]) -> Result<[u8; N], Completion> {
    data.as_array().copied().ok_or(Completion::LENGTH_INVALID)
}
