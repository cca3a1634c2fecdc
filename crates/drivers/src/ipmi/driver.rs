//! The BMCs as a driver: one board with a power device for each.

use opendcre_model::{
    Action, Board, BoardId, BoxFuture, Context, Device, DeviceAddress, DeviceId, DeviceKind, Driver,
    DriverError, Fault, LinkStatistics, Observation, Query, Scope,
};

use super::bmcs::{Bmc, Bmcs};

/// The board that holds all BMCs.
pub const BOARD: BoardId = BoardId(0x4000_0000);

impl Bmcs {
    fn bmc(&self, address: DeviceAddress) -> Result<(DeviceId, &Bmc), DriverError> {
        let DeviceAddress { board, device } = address;
        self.check_board(board)?;
        match self.bmcs.get(&device) {
            Some(bmc) => Ok((device, bmc)),
            None => Err(DriverError::new(
                Fault::Invalid,
                format!(
                    "board {board} has no BMC with the device id {device}; correct the id, or configure the BMC"
                ),
            )
            .with_code("unknown_device")),
        }
    }

    fn check_board(&self, board: BoardId) -> Result<(), DriverError> {
        if board == BOARD {
            return Ok(());
        }
        let name = &self.name;
        Err(DriverError::new(Fault::Invalid, format!("{name} has only the board {BOARD}, not {board}")))
    }

    async fn answer(&self, query: Query, context: Context) -> Result<Observation, DriverError> {
        match query {
            Query::Power(device) => {
                let (bmc, _) = self.bmc(device)?;
                Ok(Observation::Power(self.power(bmc, context).await?))
            }
            Query::AssetText(device) => {
                let (_, bmc) = self.bmc(device)?;
                Ok(Observation::AssetText {
                    text: bmc.asset_text.clone().unwrap_or_default(),
                    management_address: Some(bmc.address.ip()),
                })
            }
            Query::Version(board) => {
                self.check_board(board)?;
                Err(unsupported("the board of the BMCs has no firmware of its own"))
            }
            Query::Sensor { device, .. } => {
                self.bmc(device)?;
                Err(unsupported("BMCs are shown without their sensors"))
            }
        }
    }

    async fn change(&self, action: Action, context: Context) -> Result<Observation, DriverError> {
        let (bmc, _) = self.bmc(action.device())?;
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

    /// Lists what is configured; no BMC is contacted.
    fn discover(&self, scope: Scope, _: Context) -> BoxFuture<'_, Result<Vec<Board>, DriverError>> {
        Box::pin(async move {
            if let Scope::Board(board) = scope {
                self.check_board(board)?;
            }
            let devices = self.bmcs.keys().map(|id| Device { id: *id, kind: DeviceKind::Power }).collect();
            Ok(vec![Board { id: BOARD, devices }])
        })
    }

    fn read(&self, query: Query, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(self.answer(query, context))
    }

    fn perform(&self, action: Action, context: Context) -> BoxFuture<'_, Result<Observation, DriverError>> {
        Box::pin(self.change(action, context))
    }
}
