//! The lamp that shows which server it is: the identify light of its chassis (IPMI 2.0 §28.2, §28.5).

use opendcre_ipmi::Single;
use opendcre_ipmi::chassis::{ChassisIdentify, ChassisStatus, GetChassisStatus, IdentifyState};
use opendcre_model::{BoardId, Context, DriverError, Identify, Observation};

use super::bmcs::Bmcs;

impl Bmcs {
    /// Whether the lamp is on.
    pub(super) async fn led(&self, board: BoardId, context: Context) -> Result<Observation, DriverError> {
        let status = self.run(board, Single(GetChassisStatus), context).await?;
        Ok(Observation::Led { on: is_on(&status) })
    }

    /// Switches the lamp, and reports what the BMC says afterwards. Some do not say: then it is what they accepted.
    pub(super) async fn set_led(
        &self,
        board: BoardId,
        on: bool,
        context: Context,
    ) -> Result<Observation, DriverError> {
        let command = if on { ChassisIdentify::Indefinite } else { ChassisIdentify::Off };
        self.carry_out(board, Single(command), context).await?;
        let status = self.run(board, Single(GetChassisStatus), context).await.map_err(|error| {
            let code = error.code();
            self.uncertain(
                board,
                &format!("the BMC accepted the lamp's state, which cannot be read now ({code})"),
            )
        })?;
        Ok(Observation::Led { on: if status.identify_reported { is_on(&status) } else { on } })
    }

    /// Makes the server show which one it is, or not any more.
    pub(super) async fn identify(
        &self,
        board: BoardId,
        identify: Identify,
        context: Context,
    ) -> Result<Observation, DriverError> {
        let command = match identify {
            Identify::On => ChassisIdentify::Indefinite,
            Identify::Seconds(seconds) => ChassisIdentify::For { seconds },
            Identify::Off => ChassisIdentify::Off,
        };
        self.carry_out(board, Single(command), context).await?;
        Ok(Observation::Done)
    }
}

/// Some BMCs keep the state right although they say that they do not report it.
fn is_on(status: &ChassisStatus) -> bool {
    status.identify != IdentifyState::Off
}

#[cfg(test)]
mod tests {
    use opendcre_ipmi::chassis::{CHASSIS_IDENTIFY, GET_CHASSIS_STATUS};
    use opendcre_ipmi::client::Failure;
    use opendcre_model::{Action, Driver, Fault, Priority, Query, SERVER_LED};

    use super::super::bench::{Bench, Script, context, ok, part};
    use super::super::error::Problem;
    use super::super::queue::{Job, Outcome};
    use super::*;

    /// A BMC that has these bits of the identify state, whatever it is told; without any it is silent then.
    struct Lamp(Option<u8>);

    impl Script for Lamp {
        fn answer(&mut self, job: &Job) -> Outcome {
            match (job.request.command, self.0) {
                (CHASSIS_IDENTIFY, _) => ok(&[]),
                (GET_CHASSIS_STATUS, Some(state)) => ok(&[1, 0, state]),
                _ => Err(Problem::Session(Failure::Silent { sent: true })),
            }
        }
    }

    async fn set(lamp: Lamp, on: bool) -> Result<Observation, DriverError> {
        let action = Action::SetLed { device: part(SERVER_LED), on };
        Bench::new(lamp).bmcs.perform(action, context(Priority::Control)).await
    }

    #[tokio::test(start_paused = true)]
    async fn every_state_but_off_is_on() {
        for (state, on) in [(0x40, false), (0x50, true), (0x60, true), (0x20, true), (0x00, false)] {
            let query = Query::Led(part(SERVER_LED));
            let asked = Bench::new(Lamp(Some(state))).bmcs.read(query, context(Priority::Read)).await;
            assert_eq!(asked, Ok(Observation::Led { on }), "{state:#x}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_state_that_is_reported_counts_else_the_one_that_was_accepted() {
        assert_eq!(set(Lamp(Some(0x40)), true).await, Ok(Observation::Led { on: false }));
        assert_eq!(set(Lamp(Some(0x00)), true).await, Ok(Observation::Led { on: true }));
        assert_eq!(set(Lamp(None), true).await.unwrap_err().fault, Fault::Uncertain);
    }
}
