//! Switching the power of a server: send once, then look at what has become of it.

use std::time::Duration;

use opendcre_ipmi::chassis::{ChassisControl, GetChassisStatus};
use opendcre_ipmi::{CommandError, Completion, Single};
use opendcre_model::{BoardId, Context, DriverError, Fault, PowerAction, PowerReport, PowerState};
use tokio::time;

use super::bmcs::Bmcs;
use super::error::{BmcError, Problem};
use crate::clock::now;

/// How often the state is looked at while it changes.
const POLL: Duration = Duration::from_millis(500);
/// How long a server stays off in a cycle that the BMC cannot do by itself, so that its capacitors discharge.
const OFF_TIME: Duration = Duration::from_secs(4);
/// How long after a chassis cycle the state still is that of before. The BMC keeps the power off for a second at least
/// (IPMI 2.0 §28.3).
const CYCLE_TIME: Duration = Duration::from_secs(1);
/// What is left of the caller's time for looking at the state when the answer to a command does not come.
const RESERVE: Duration = Duration::from_secs(2);

impl Bmcs {
    /// Whether the server has power.
    pub(super) async fn power(&self, board: BoardId, context: Context) -> Result<PowerReport, BmcError> {
        let status = self.run(board, Single(GetChassisStatus), context).await?;
        Ok(PowerReport {
            state: if status.power_on { PowerState::On } else { PowerState::Off },
            power_ok: !status.fault,
            over_current: status.overload,
            under_voltage: false,
            electrical: None,
            measured_at: self.clock.now(),
            source: self.name.clone(),
        })
    }

    /// Switches the power, and reports the state that is reached before the caller's time is over.
    pub(super) async fn switch(
        &self,
        board: BoardId,
        action: PowerAction,
        context: Context,
    ) -> Result<PowerReport, DriverError> {
        match action {
            PowerAction::On => self.reach(board, PowerState::On, context).await,
            PowerAction::Off => self.reach(board, PowerState::Off, context).await,
            PowerAction::Cycle => self.cycle(board, context).await,
            PowerAction::Reset => self.signal(board, ChassisControl::HardReset, context).await,
            PowerAction::Soft => self.signal(board, ChassisControl::SoftShutdown, context).await,
            PowerAction::Diagnostic => self.signal(board, ChassisControl::Diagnostic, context).await,
        }
    }

    /// Switches to a state, and waits for it.
    async fn reach(
        &self,
        board: BoardId,
        wanted: PowerState,
        context: Context,
    ) -> Result<PowerReport, DriverError> {
        let command = match wanted {
            PowerState::On => ChassisControl::PowerUp,
            PowerState::Off => ChassisControl::PowerDown,
        };
        match self.run_control(board, Single(command), with_reserve(context)).await {
            Ok(()) => self.wait_for(board, wanted, context).await,
            Err(error) if error.problem.leaves_doubt() => {
                self.resolve_doubt(board, Some(wanted), &error, context).await
            }
            // Some BMCs refuse to do what is done already.
            Err(error) if is_refusal(&error, |code| code == Completion::NOT_IN_PRESENT_STATE) => {
                match self.power(board, context).await {
                    Ok(report) if report.state == wanted => Ok(report),
                    _ => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a command that has no state to wait for.
    async fn signal(
        &self,
        board: BoardId,
        command: ChassisControl,
        context: Context,
    ) -> Result<PowerReport, DriverError> {
        match self.run_control(board, Single(command), with_reserve(context)).await {
            Ok(()) => self.state_after(board, context).await,
            Err(error) if error.problem.leaves_doubt() => {
                self.resolve_doubt(board, None, &error, context).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the power away and gives it back; a server that is off is switched on.
    async fn cycle(&self, board: BoardId, context: Context) -> Result<PowerReport, DriverError> {
        if self.power(board, context).await?.state == PowerState::Off {
            return self.reach(board, PowerState::On, context).await;
        }
        match self.run_control(board, Single(ChassisControl::PowerCycle), with_reserve(context)).await {
            Ok(()) => {
                time::sleep(CYCLE_TIME.min(time_left(context))).await;
                self.wait_for(board, PowerState::On, context).await
            }
            Err(error) if error.problem.leaves_doubt() => {
                self.resolve_doubt(board, None, &error, context).await
            }
            Err(error) if is_refusal(&error, cannot_cycle) => self.off_and_on(board, context).await,
            Err(error) => Err(error.into()),
        }
    }

    /// A cycle by two commands, for BMCs that have none.
    async fn off_and_on(&self, board: BoardId, context: Context) -> Result<PowerReport, DriverError> {
        let half = Context { deadline: now() + time_left(context) / 2, ..context };
        let report = self.reach(board, PowerState::Off, half).await?;
        if report.state == PowerState::On {
            let late =
                "the server was told to switch off and has not done so in time; it was not switched on again";
            return Err(self.uncertain(board, late));
        }
        time::sleep(OFF_TIME.min(time_left(context) / 2)).await;
        let on = self.reach(board, PowerState::On, context).await;
        on.map_err(|error| {
            let cause = error.message;
            self.uncertain(
                board,
                &format!("the server was switched off and could not be switched on again ({cause})"),
            )
        })
    }

    /// Looks until the server is in the wanted state or the time is over, and reports the last state seen.
    async fn wait_for(
        &self,
        board: BoardId,
        wanted: PowerState,
        context: Context,
    ) -> Result<PowerReport, DriverError> {
        loop {
            let seen = self.state_after(board, context).await;
            let is_reached = seen.as_ref().is_ok_and(|report| report.state == wanted);
            if is_reached || time_left(context) <= POLL * 2 {
                return seen;
            }
            time::sleep(POLL).await;
        }
    }

    /// The state after a command that the BMC has accepted.
    async fn state_after(&self, board: BoardId, context: Context) -> Result<PowerReport, DriverError> {
        self.power(board, context).await.map_err(|error| {
            let code = error.code();
            self.uncertain(
                board,
                &format!("the BMC accepted the command, and its state cannot be read now ({code})"),
            )
        })
    }

    /// The command went out and its answer is lost: asks for the state instead of sending the command again.
    async fn resolve_doubt(
        &self,
        board: BoardId,
        wanted: Option<PowerState>,
        doubt: &BmcError,
        context: Context,
    ) -> Result<PowerReport, DriverError> {
        let known = match self.power(board, context).await {
            Ok(report) if Some(report.state) == wanted => return Ok(report),
            Ok(report) => format!("the BMC now reports power {}", report.state),
            Err(error) => format!("its state cannot be read now ({})", error.code()),
        };
        let message = format!("{doubt}; the command was sent once and may have taken effect; {known}");
        Err(DriverError::new(Fault::Uncertain, message))
    }
}

/// Leaves time to look at the state.
fn with_reserve(context: Context) -> Context {
    let reserve = RESERVE.min(time_left(context) / 2);
    Context { deadline: context.deadline.checked_sub(reserve).unwrap_or(context.deadline), ..context }
}

fn time_left(context: Context) -> Duration {
    context.deadline.saturating_duration_since(now())
}

fn is_refusal(error: &BmcError, is_meant: impl Fn(Completion) -> bool) -> bool {
    matches!(&error.problem, Problem::Command(CommandError::Refused { completion, .. }) if is_meant(*completion))
}

/// Whether a BMC means that it has no chassis cycle.
fn cannot_cycle(completion: Completion) -> bool {
    completion.is_unsupported()
        || matches!(
            completion,
            Completion::INVALID_FIELD | Completion::NOT_IN_PRESENT_STATE | Completion::OUT_OF_RANGE
        )
}

#[cfg(test)]
mod tests;
