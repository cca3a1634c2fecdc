//! The BMCs as a driver: one board for each.

use opendcre_model::{
    Action, Board, BoardId, BoxFuture, Context, DeviceAddress, DeviceId, Driver, DriverError, Fault,
    LinkStatistics, Observation, Query, SERVER_POWER, Scope,
};

use super::bmcs::{Bmc, Bmcs};

impl Bmcs {
    fn bmc(&self, board: BoardId) -> Result<&Bmc, DriverError> {
        self.bmcs.get(&board).ok_or_else(|| {
            let message = format!("there is no BMC {board}; correct the id, or configure the BMC");
            DriverError::new(Fault::Invalid, message).with_code("unknown_board")
        })
    }

    /// A BMC, if `device` is one that a question or a change of `what` can go to.
    fn part(&self, device: DeviceAddress, part: DeviceId, what: &str) -> Result<&Bmc, DriverError> {
        let bmc = self.bmc(device.board)?;
        if device.device == part {
            return Ok(bmc);
        }
        let message = format!("{what} is a matter of device {part}, not of {device}; nothing was sent");
        Err(DriverError::new(Fault::Unsupported, message).with_code("unknown_device"))
    }

    async fn answer(&self, query: Query, context: Context) -> Result<Observation, DriverError> {
        match query {
            Query::Power { device, .. } => {
                self.part(device, SERVER_POWER, "power")?;
                Ok(Observation::Power(self.power(device.board, context).await?))
            }
            Query::AssetText(device) => {
                let bmc = self.part(device, SERVER_POWER, "the asset text")?;
                Ok(Observation::AssetText {
                    text: bmc.asset_text.clone().unwrap_or_default(),
                    management_address: Some(bmc.address.ip()),
                })
            }
            Query::Version(_)
            | Query::Sensor { .. }
            | Query::AssetInfo(_)
            | Query::BootTarget(_)
            | Query::HostInfo(_)
            | Query::Led(_) => Err(unsupported("BMCs are shown without their sensors")),
        }
    }

    async fn change(&self, action: Action, context: Context) -> Result<Observation, DriverError> {
        let bmc = action.device().board;
        self.bmc(bmc)?;
        match action {
            Action::Power { action, .. } => Ok(Observation::Power(self.switch(bmc, action, context).await?)),
            Action::SetAssetText { .. } => {
                Err(unsupported("the asset text of a BMC stands in the configuration; change it there"))
            }
            Action::Identify { identify, .. } => self.identify(bmc, identify, context).await,
            Action::SetBootTarget { boot, .. } => self.set_boot_target(bmc, boot, context).await,
            Action::SetPowerLimit { limit, .. } => self.set_power_limit(bmc, limit, context).await,
            Action::ClearEventLog { .. } => self.clear_event_log(bmc, context).await,
            Action::RawIpmi { request, .. } => self.raw(bmc, request, context).await,
            Action::SetLed { .. } | Action::SetChamberLed { .. } | Action::SetFanSpeed { .. } => {
                Err(unsupported("BMCs cannot do this"))
            }
        }
    }
}

fn unsupported(reason: &str) -> DriverError {
    DriverError::new(Fault::Unsupported, format!("{reason}; nothing was sent"))
}

impl Driver for Bmcs {
    fn name(&self) -> &str {
        &self.name
    }

    /// One BMC that cannot be used is a matter of that BMC. When none can, our own network is the likelier cause.
    fn health(&self) -> Result<(), DriverError> {
        if !self.is_served() {
            let message = format!("{}: the BMCs are not served any more; restart the service", self.name);
            return Err(DriverError::new(Fault::Gone, message));
        }
        let down: usize = self.tables.iter().map(|table| table.down()).sum();
        if down == 0 || down < self.bmcs.len() {
            return Ok(());
        }
        let message = format!(
            "{}: none of the {down} BMCs can be used; check the network between here and them, and their statistics",
            self.name
        );
        Err(DriverError::new(Fault::Gone, message))
    }

    fn statistics(&self) -> Vec<LinkStatistics> {
        self.all()
    }

    fn configured(&self) -> Vec<Board> {
        self.bmcs.keys().map(|id| Board::new(*id, Vec::new())).collect()
    }

    fn discover(&self, scope: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        Box::pin(async move {
            match scope {
                Scope::All => Ok(self.configured()),
                Scope::Board(board) => self.bmc(board).map(|_| vec![Board::new(board, Vec::new())]),
            }
        })
    }

    fn read(&self, query: Query, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(self.answer(query, context))
    }

    fn perform(&self, action: Action, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(self.change(action, context))
    }
}
