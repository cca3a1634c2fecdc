//! What can be changed at a server besides its power, its lamp and where it boots from: its power limit, its event log,
//! and whatever a raw command does.

use opendcre_ipmi::dcmi::{self, ActivatePowerLimit, ExceptionAction, SetPowerLimit};
use opendcre_ipmi::sel::{CLEAR_SEL, EraseSel, Erasure, RESERVE_SEL};
use opendcre_ipmi::{NetFn, Procedure, Request, Single, session};
use opendcre_model::{
    BoardId, Context, DriverError, Fault, Observation, PowerLimit, PowerLimitException, RawAnswer, RawRequest,
};

use super::bmcs::Bmcs;
use super::error::BmcError;

/// What fits into a message of 255 bytes (IPMI 2.0 §13.8).
const MAX_DATA: usize = 248;

impl Bmcs {
    /// Limits the power that the server draws, or ends that.
    pub(super) async fn set_power_limit(
        &self,
        board: BoardId,
        limit: Option<PowerLimit>,
        context: Context,
    ) -> Result<Observation, DriverError> {
        if let Some(limit) = &limit {
            self.carry_out(board, Single(SetPowerLimit(power_limit(limit)?)), context).await?;
        }
        let activation = Single(ActivatePowerLimit { active: limit.is_some() });
        match self.run_control(board, activation, context).await {
            Ok(()) => Ok(Observation::Done),
            Err(error) if limit.is_some() => Err(self.uncertain(
                board,
                &format!("the power limit was stored, and whether it is in force is not known ({error})"),
            )),
            Err(error) => Err(settle(error)),
        }
    }

    /// Removes every entry of the event log.
    pub(super) async fn clear_event_log(
        &self,
        board: BoardId,
        context: Context,
    ) -> Result<Observation, DriverError> {
        match self.carry_out(board, EraseSel::new(), context).await? {
            Erasure::Completed => Ok(Observation::Done),
            Erasure::InProgress => {
                Err(self.uncertain(board, "the BMC is still clearing its event log; look at the log later"))
            }
        }
    }

    /// Sends a command as it is.
    pub(super) async fn raw(
        &self,
        board: BoardId,
        raw: RawRequest,
        context: Context,
    ) -> Result<Observation, DriverError> {
        let RawRequest { netfn, lun, command, data } = raw;
        let netfn = NetFn(netfn);
        if !netfn.is_request() || netfn.0 >= 0x40 || lun > 3 {
            return Err(invalid(
                "a network function of a request is even and below 40h, a logical unit below 4",
            ));
        }
        if netfn == NetFn::APP && (session::GET_SESSION_CHALLENGE..=session::CLOSE_SESSION).contains(&command)
        {
            return Err(invalid("sessions are opened and closed by the service, which shares them"));
        }
        let request = Request { netfn, lun, command, data };
        if request.data.len() > MAX_DATA {
            return Err(invalid("a command has at most 248 bytes of data"));
        }
        let answer = self.send_raw(board, request, context).await.map_err(settle)?;
        Ok(Observation::RawIpmi(RawAnswer { completion: answer.completion.0, data: answer.data }))
    }

    /// Runs a procedure that changes something. A failure says whether it may have done so all the same.
    pub(super) async fn carry_out<P>(
        &self,
        board: BoardId,
        procedure: P,
        context: Context,
    ) -> Result<P::Output, DriverError>
    where
        P: Procedure + Send,
        P::Output: Send,
    {
        self.run_control(board, procedure, context).await.map_err(settle)
    }

    /// A failure after which the equipment may have changed.
    pub(super) fn uncertain(&self, board: BoardId, what: &str) -> DriverError {
        DriverError::new(Fault::Uncertain, format!("{}: {what}", self.place(board)))
    }
}

/// Whether a command of a change leaves traces by itself. Those that only prepare or ask do not.
pub(super) fn changes_something(request: &Request) -> bool {
    let only_prepares = (request.netfn, request.command) == (NetFn::STORAGE, RESERVE_SEL);
    !only_prepares && !asks_for_progress(request)
}

/// Whether a command asks how far the clearing of a log is (IPMI 2.0 §31.9, table 31-9: the last byte is zero).
pub(super) fn asks_for_progress(request: &Request) -> bool {
    (request.netfn, request.command) == (NetFn::STORAGE, CLEAR_SEL) && request.data.last() == Some(&0)
}

/// What the failure of a change means for the equipment.
fn settle(error: BmcError) -> DriverError {
    if !error.problem.leaves_doubt() {
        return error.into();
    }
    DriverError::new(Fault::Uncertain, format!("{error}; what was sent may have taken effect"))
}

fn invalid(reason: &str) -> DriverError {
    DriverError::new(Fault::Invalid, format!("{reason}; nothing was sent"))
}

fn power_limit(limit: &PowerLimit) -> Result<dcmi::PowerLimit, DriverError> {
    let PowerLimit { watts, correction_time, sampling_period, exception } = *limit;
    let action = match exception {
        PowerLimitException::None => ExceptionAction::None,
        PowerLimitException::Log => ExceptionAction::Log,
        PowerLimitException::PowerOff => ExceptionAction::PowerOff,
    };
    let (Ok(correction_ms), Ok(sampling_s)) =
        (u32::try_from(correction_time.as_millis()), u16::try_from(sampling_period.as_secs()))
    else {
        return Err(invalid("a power limit is averaged over 65535 s at most, and kept within 4294967 s"));
    };
    Ok(dcmi::PowerLimit { action, limit_w: watts, correction_ms, sampling_s })
}
