//! Carries out the plan of one request, and makes its answer.

use http::StatusCode;
use opendcre_gateway::{Command, Gateway, GatewayError, Outcome, ScanReport, View};
use opendcre_model::{
    BoardId, DeviceAddress, DeviceKind, Observation, Quality, Quantity, Query, SERVER_POWER, excerpt,
};

use super::plan::{Layout, Plan};
use super::refusal::Refusal;
use super::request::Request;
use super::{Generation, body, failed_buses, scan};
use crate::error::ApiError;
use crate::reply::{self, Reply};

/// A request that makes sense.
pub(super) struct Call<'a> {
    pub(super) generation: Generation,
    pub(super) gateway: &'a Gateway,
    pub(super) view: View,
    pub(super) request: Request<'a>,
}

impl Call<'_> {
    /// Carries out `plan`.
    pub(super) async fn answer(&self, plan: Plan) -> Result<Reply, ApiError> {
        let text = match plan {
            Plan::Tell(text) => text,
            Plan::Ask(command, owner) => {
                let observation = self.observe(command.clone()).await?;
                body::observation(self, owner, &command, &observation)?
            }
            Plan::ServerPower(command, board) => match self.observe(command).await? {
                Observation::Power(report) => body::server_power(&report, self.power_draw(board).await)?,
                _ => return Err(self.another_answer()),
            },
            Plan::Scan(command, layout) => return self.scan(command, &layout).await,
        };
        Ok(reply::json(StatusCode::OK, text))
    }

    async fn observe(&self, command: Command) -> Result<Observation, ApiError> {
        match self.execute(command).await? {
            Outcome::Observation(observation) => Ok(observation),
            Outcome::Scan(_) => Err(self.another_answer()),
        }
    }

    /// What a server draws, in watts. Nothing where it is not measured: what is known of its power does not depend on
    /// it.
    async fn power_draw(&self, board: BoardId) -> Option<f64> {
        let device = DeviceAddress { board, device: SERVER_POWER };
        let query = Query::Sensor { device, kind: DeviceKind::Power };
        match self.execute(Command::Query(query)).await {
            Ok(Outcome::Observation(Observation::Sensor(reading))) if reading.quality == Quality::Good => {
                reading.value(&Quantity::PowerWatts)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%board, code = error.code(), %error, "the power draw is not known");
                None
            }
        }
    }

    /// What is known is told. It is a failure only if a part failed and nothing is known.
    async fn scan(&self, command: Command, layout: &Layout) -> Result<Reply, ApiError> {
        let Outcome::Scan(report) = self.execute(command).await? else {
            return Err(self.another_answer());
        };
        let ScanReport { boards, failures } = &report;
        let boards = match layout {
            Layout::Boards => boards,
            // The same racks, whether everything has just been looked for or was some time ago; and what was found by now.
            Layout::Racks | Layout::Rack(_) => &self.look_again()?.boards(),
        };
        if let Some((_, error)) = failures.first()
            && !boards.iter().any(|board| scan::is_shown(board))
        {
            return Err(self.failure(error.clone().into()));
        }
        let text = match layout {
            Layout::Boards => scan::boards(self.generation, boards),
            Layout::Racks => scan::racks(self.generation, boards),
            Layout::Rack(name) => {
                let rack = scan::rack(self.generation, boards, name);
                rack.unwrap_or_else(|| Err(Refusal::NoRack(excerpt(name)).into()))
            }
        };
        let mut reply = reply::json(StatusCode::OK, text?);
        reply.headers_mut().extend(failed_buses(&report));
        Ok(reply)
    }

    fn look_again(&self) -> Result<View, ApiError> {
        self.gateway.view(self.view.principal().clone()).map_err(|error| self.failure(error))
    }

    async fn execute(&self, command: Command) -> Result<Outcome, ApiError> {
        let outcome = self.gateway.execute(self.view.principal(), command).await;
        outcome.map_err(|error| self.failure(error))
    }

    /// The gateway could not do it.
    pub(super) fn failure(&self, error: GatewayError) -> ApiError {
        ApiError::Gateway { subject: self.request.to_string(), error }
    }

    /// The equipment answered something that cannot be told.
    pub(super) fn malformed(&self, problem: String) -> ApiError {
        ApiError::Malformed { subject: self.request.to_string(), problem }
    }

    /// The equipment answered a question that was not asked.
    pub(super) fn another_answer(&self) -> ApiError {
        self.malformed("the equipment answered something else than was asked".to_owned())
    }
}
