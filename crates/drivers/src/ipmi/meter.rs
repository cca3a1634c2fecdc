//! What a server draws, as its BMC measures it (DCMI 1.5 §6.6.1).

use opendcre_ipmi::Single;
use opendcre_ipmi::dcmi::{GetCapability, GetPowerReading, PowerReading, Statistics, Supported};
use opendcre_model::{
    BoardId, Context, DeviceKind, DriverError, Fault, Health, Measurement, Number, Quality, Quantity, Reading,
};

use super::bmcs::Bmcs;
use super::error::{BmcError, if_any};
use super::knowledge::Knowledge;

impl Bmcs {
    /// What the server draws now.
    pub(super) async fn power_draw(&self, board: BoardId, context: Context) -> Result<Reading, DriverError> {
        let bmc = self.bmc(board)?;
        if !self.measures_power(board, &bmc.knowledge, context).await? {
            let message = format!("{}: the BMC does not measure what its server draws", self.place(board));
            return Err(DriverError::new(Fault::Unsupported, message).with_code("command_not_supported"));
        }
        let question = GetPowerReading { statistics: Statistics::System };
        let answer = self.run(board, Single(question), context).await?;
        Ok(self.reading_of_draw(&answer))
    }

    /// Whether the BMC measures power by DCMI. It is asked once.
    pub(super) async fn measures_power(
        &self,
        board: BoardId,
        knowledge: &Knowledge,
        context: Context,
    ) -> Result<bool, BmcError> {
        if let Some(known) = knowledge.measures_power() {
            return Ok(known);
        }
        let question = Single(GetCapability::<Supported>::new());
        let answer = if_any(self.run(board, question, context).await)?;
        let measures = answer.is_some_and(|capability| capability.parameter.power_management);
        knowledge.keep_measures_power(measures);
        Ok(measures)
    }

    fn reading_of_draw(&self, answer: &PowerReading) -> Reading {
        let watts = answer.current_w;
        let measurement = || Measurement { quantity: Quantity::PowerWatts, value: f64::from(watts) };
        Reading {
            kind: DeviceKind::Power,
            raw: Number::from(i64::from(watts)),
            measurements: answer.measuring.then(measurement).into_iter().collect(),
            quality: if answer.measuring { Quality::Good } else { Quality::Unavailable },
            health: Health::Ok,
            states: Vec::new(),
            measured_at: self.clock.now(),
            source: self.name.clone(),
        }
    }
}
