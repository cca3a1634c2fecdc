//! The BMCs as a driver: which question and which change goes to which device of a server.

use opendcre_ipmi::Single;
use opendcre_ipmi::app::GetDeviceId;
use opendcre_model::{
    Action, Board, BoardId, BoxFuture, Context, DeviceAddress, DeviceId, DeviceKind, Driver, DriverError,
    Fault, LinkStatistics, Observation, Query, SERVER_LED, SERVER_POWER, SERVER_SYSTEM, Scope,
};

use super::bmcs::{Bmc, Bmcs};
use super::sensor::expect_kind;

impl Bmcs {
    pub(super) fn bmc(&self, board: BoardId) -> Result<&Bmc, DriverError> {
        self.bmcs.get(&board).ok_or_else(|| {
            let message = format!("there is no BMC {board}; correct the id, or configure the BMC");
            DriverError::new(Fault::Invalid, message).with_code("unknown_board")
        })
    }

    /// The BMC of a device, if it is one of those to which a question or a change of `what` can go.
    fn part(&self, address: DeviceAddress, parts: &[DeviceId], what: &str) -> Result<&Bmc, DriverError> {
        let bmc = self.bmc(address.board)?;
        if parts.contains(&address.device) {
            return Ok(bmc);
        }
        let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
        let message = format!(
            "{what} is a matter of device {}, not of {address}; nothing was sent",
            parts.join(" or ")
        );
        Err(DriverError::new(Fault::Unsupported, message).with_code("unknown_device"))
    }

    fn power_part(&self, address: DeviceAddress, asked: DeviceKind) -> Result<BoardId, DriverError> {
        self.part(address, &[SERVER_POWER], "power")?;
        expect_kind(address, DeviceKind::Power, asked)?;
        Ok(address.board)
    }

    fn system_part(&self, address: DeviceAddress, what: &str) -> Result<BoardId, DriverError> {
        self.part(address, &[SERVER_SYSTEM], what)?;
        Ok(address.board)
    }

    async fn answer(&self, query: Query, context: Context) -> Result<Observation, DriverError> {
        match query {
            Query::Version(board) => self.version(board, context).await,
            Query::Sensor { device, kind } => self.sensor(device, kind, context).await,
            Query::Power { device, kind } => {
                let board = self.power_part(device, kind)?;
                Ok(Observation::Power(self.power(board, context).await?))
            }
            Query::AssetText(device) => {
                let bmc = self.part(device, &[SERVER_POWER], "the asset text")?;
                Ok(Observation::AssetText {
                    text: bmc.asset_text.clone().unwrap_or_default(),
                    management_address: Some(bmc.address.ip()),
                })
            }
            Query::AssetInfo(device) => {
                let board = self.system_part(device, "asset information")?;
                Ok(Observation::AssetInfo(Box::new(self.asset_info(board, context).await?)))
            }
            Query::BootTarget(device) => {
                let board = self.system_part(device, "the boot target")?;
                self.boot_target(board, context).await
            }
            Query::HostInfo(device) => {
                let bmc = self.part(device, &[SERVER_SYSTEM], "host information")?;
                Ok(Observation::HostInfo(bmc.host_info()))
            }
            Query::Led(device) => {
                self.part(device, &[SERVER_LED], "the lamp")?;
                self.led(device.board, context).await
            }
            Query::EventLog { device, after } => {
                let board = self.system_part(device, "the event log")?;
                self.event_log(board, after, context).await
            }
        }
    }

    async fn version(&self, board: BoardId, context: Context) -> Result<Observation, DriverError> {
        self.bmc(board)?;
        let device = self.run(board, Single(GetDeviceId), context).await?;
        Ok(Observation::Version(device.firmware()))
    }

    async fn sensor(
        &self,
        address: DeviceAddress,
        kind: DeviceKind,
        context: Context,
    ) -> Result<Observation, DriverError> {
        self.bmc(address.board)?;
        match address.device {
            SERVER_POWER => {
                let board = self.power_part(address, kind)?;
                Ok(Observation::Sensor(self.power_draw(board, context).await?))
            }
            SERVER_SYSTEM | SERVER_LED => Err(unsupported(&format!("{address} has no readings"))),
            _ => Ok(Observation::Sensor(self.sensor_reading(address, kind, context).await?)),
        }
    }

    async fn change(&self, action: Action, context: Context) -> Result<Observation, DriverError> {
        match action {
            Action::Power { device, kind, action } => {
                let board = self.power_part(device, kind)?;
                Ok(Observation::Power(self.switch(board, action, context).await?))
            }
            Action::SetAssetText { device, .. } => {
                self.part(device, &[SERVER_POWER], "the asset text")?;
                Err(unsupported("the asset text of a BMC stands in the configuration; change it there"))
            }
            Action::Identify { device, identify } => {
                self.part(device, &[SERVER_LED, SERVER_SYSTEM], "identification")?;
                self.identify(device.board, identify, context).await
            }
            Action::SetLed { device, on } => {
                self.part(device, &[SERVER_LED], "the lamp")?;
                self.set_led(device.board, on, context).await
            }
            Action::SetBootTarget { device, boot } => {
                let board = self.system_part(device, "the boot target")?;
                self.set_boot_target(board, boot, context).await
            }
            Action::SetPowerLimit { device, limit } => {
                let board = self.system_part(device, "the power limit")?;
                self.set_power_limit(board, limit, context).await
            }
            Action::ClearEventLog { device } => {
                let board = self.system_part(device, "the event log")?;
                self.clear_event_log(board, context).await
            }
            Action::RawIpmi { device, request } => {
                let board = self.system_part(device, "a raw command")?;
                self.raw(board, request, context).await
            }
            Action::SetChamberLed { device, .. } | Action::SetFanSpeed { device, .. } => {
                self.bmc(device.board)?;
                Err(unsupported(
                    "servers behind BMCs have no chamber lamps, and no fans whose speed can be set",
                ))
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
        self.bmcs.iter().map(|(id, bmc)| bmc.board(*id)).collect()
    }

    fn discover(&self, scope: Scope, context: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        Box::pin(async move {
            match scope {
                Scope::All => Ok(self.configured()),
                Scope::Board(id) => {
                    let bmc = self.bmc(id)?;
                    self.explore(id, context).await?;
                    Ok(vec![bmc.board(id)])
                }
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
