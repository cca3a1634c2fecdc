//! What is behind a BMC: asked once in full, later only whether it is still the same.

use std::sync::Arc;

use opendcre_ipmi::Single;
use opendcre_ipmi::app::{DeviceIdentity, GetDeviceId, GetSystemGuid, Guid};
use opendcre_model::{BoardId, Context, DriverError, Identity};
use tokio::sync::MutexGuard;
use tokio::time;
use tracing::debug;

use super::asset::serial_identity;
use super::bmcs::{Bmc, Bmcs};
use super::error::{BmcError, Problem, Stage, if_any};
use super::knowledge::Profile;
use super::survey::{Survey, Surveyed};

impl Bmcs {
    /// Asks what the BMC is and which sensors it has. Several callers at once ask one after the other, so that only the
    /// first one has much to ask.
    pub(super) async fn explore(&self, board: BoardId, context: Context) -> Result<(), DriverError> {
        let bmc = self.bmc(board)?;
        let mut survey = self.turn(board, bmc, context).await?;
        self.learn(board, bmc, &mut survey, context).await?;
        Ok(())
    }

    /// What the BMC is and which sensors it has, from what is known; it is asked only when nobody has done so before.
    pub(super) async fn profile(
        &self,
        board: BoardId,
        context: Context,
    ) -> Result<Arc<Profile>, DriverError> {
        let bmc = self.bmc(board)?;
        if let Some(profile) = bmc.knowledge.profile() {
            return Ok(profile);
        }
        let mut survey = self.turn(board, bmc, context).await?;
        match bmc.knowledge.profile() {
            Some(profile) => Ok(profile),
            None => Ok(self.learn(board, bmc, &mut survey, context).await?),
        }
    }

    /// Waits until nobody else asks this BMC what it is.
    async fn turn<'a>(
        &self,
        board: BoardId,
        bmc: &'a Bmc,
        context: Context,
    ) -> Result<MutexGuard<'a, Survey>, BmcError> {
        let turn = time::timeout_at(context.deadline.into(), bmc.knowledge.turn.lock()).await;
        turn.map_err(|_| self.error(board, Problem::Expired(Stage::Waiting)))
    }

    /// Asks what the BMC is, and keeps it.
    async fn learn(
        &self,
        board: BoardId,
        bmc: &Bmc,
        survey: &mut Survey,
        context: Context,
    ) -> Result<Arc<Profile>, BmcError> {
        let device = self.run(board, Single(GetDeviceId), context).await?;
        let identity = self.identity(board, context).await?;
        let Surveyed { marks, sensors } = match self.unchanged(board, bmc, &device, context).await? {
            Some(surveyed) => {
                *survey = Survey::default();
                surveyed
            }
            None => self.survey(board, &device, survey, context).await?,
        };
        let profile = Arc::new(Profile { device, identity, marks, sensors });
        bmc.knowledge.keep_profile(Arc::clone(&profile));
        // A detail of one device. Everything else is known, whatever comes of this question.
        if let Err(error) = self.measures_power(board, &bmc.knowledge, context).await {
            debug!(%error, "a BMC does not say whether it measures power");
        }
        Ok(profile)
    }

    /// The sensors that are known, if they are still those of the BMC.
    async fn unchanged(
        &self,
        board: BoardId,
        bmc: &Bmc,
        device: &DeviceIdentity,
        context: Context,
    ) -> Result<Option<Surveyed>, BmcError> {
        let Some(before) = bmc.knowledge.profile().filter(|before| before.device == *device) else {
            return Ok(None);
        };
        if !self.is_unchanged(board, &before.marks, context).await? {
            return Ok(None);
        }
        Ok(Some(Surveyed { marks: before.marks.clone(), sensors: Arc::clone(&before.sensors) }))
    }

    /// What tells the server from every other one: its UUID, else its serial number, where they can be trusted.
    async fn identity(&self, board: BoardId, context: Context) -> Result<Option<Identity>, BmcError> {
        let guid = if_any(self.run(board, Single(GetSystemGuid), context).await)?;
        if let Some(guid) = guid.filter(Guid::is_unique) {
            return Ok(Some(Identity(format!("uuid:{guid}"))));
        }
        let inventory = if_any(self.inventory(board, context).await)?;
        Ok(inventory.as_ref().and_then(serial_identity))
    }
}

#[cfg(test)]
mod tests;
