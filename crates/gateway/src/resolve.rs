//! The question which driver holds a board, and where on its wire.

use std::sync::Arc;

use futures_util::future::join_all;
use opendcre_model::{BoardId, Context, Driver, DriverError, Scope};
use tokio::sync::OwnedSemaphorePermit;

use crate::GatewayError;
use crate::gateway::Gateway;
use crate::inventory::Place;
use crate::look::leaves_doubt;
use crate::mount::Mounted;

/// A driver, and the id of the board on its wire.
type Holder = (Arc<dyn Driver>, BoardId);

impl Gateway {
    /// Where `board` is. Asks the wires only if several drivers may hold it and no scan has seen it.
    pub(crate) async fn resolve(&self, board: BoardId, context: Context) -> Result<Holder, GatewayError> {
        let places = self.places(board)?.into_iter();
        let holders = places.map(|(place, mount)| (place, (Arc::clone(&mount.driver), place.board)));
        self.choose(board, holders.collect(), context).await
    }

    /// Where `board` is, and the right to one change there. The right comes first, on every mount that may have to be
    /// asked: a refused change has asked no wire, and the search is as bounded as the changes are.
    pub(crate) async fn reserve(
        &self,
        board: BoardId,
        context: Context,
    ) -> Result<(Arc<dyn Driver>, BoardId, OwnedSemaphorePermit), GatewayError> {
        let places = self.places(board)?.into_iter();
        let reserved = places
            .map(|(place, mount)| Ok((place, (Arc::clone(&mount.driver), place.board, mount.permit()?))))
            .collect::<Result<Vec<_>, DriverError>>()?;
        self.choose(board, reserved, context).await
    }

    /// Makes sure that the machine that answers for `board` is the one that is known by this id: since it was seen last it
    /// may have got another address, and another one its own.
    pub(crate) async fn verify(&self, board: BoardId, context: Context) -> Result<(), GatewayError> {
        if self.inventory().is_verified(board, self.inner.clock.now()) {
            return Ok(());
        }
        let (driver, place) = self.resolve(board, context).await?;
        let Some(known) = self.inventory().place(board) else { return Err(GatewayError::Displaced(board)) };
        let found = driver.discover(Scope::Board(place), context).await;
        self.note(known, &found);
        found?;
        let now = self.inner.clock.now();
        if self.inventory().is_verified(board, now) { Ok(()) } else { Err(GatewayError::Displaced(board)) }
    }

    /// Whether the configuration names this board, so that it cannot be found by searching.
    pub(crate) fn is_configured(&self, board: BoardId) -> bool {
        let place = self.inventory().place(board);
        let mount = place.and_then(|place| self.inner.mounts.get(place.mount));
        mount.is_some_and(|mount| mount.is_configured)
    }

    /// The places where `board` may be, as far as that is known without asking the wires: one if it is certain.
    fn places(&self, board: BoardId) -> Result<Vec<(Place, &Mounted)>, GatewayError> {
        let inventory = self.inventory();
        let is_doubtful = inventory.is_doubtful(board) && self.candidates(board).count() > 1;
        let conflict = inventory.conflict(board);
        if !conflict.is_empty() && !is_doubtful {
            return Err(self.ambiguous(board, &conflict));
        }
        if let Some(record) = inventory.board(board).filter(|_| !is_doubtful) {
            let place = inventory.place(board).ok_or(GatewayError::Displaced(record.id))?;
            let mount = self.inner.mounts.get(place.mount).ok_or(GatewayError::UnknownBoard(board))?;
            return Ok(vec![(place, mount)]);
        }
        let places = self.candidates(board).map(|(mount, mounted)| (Place { mount, board }, mounted));
        let places: Vec<_> = places.collect();
        if places.is_empty() { Err(GatewayError::UnknownBoard(board)) } else { Ok(places) }
    }

    /// What belongs to the one of `places` that holds `board`. Asks the wires if there are several.
    async fn choose<T>(
        &self,
        board: BoardId,
        mut places: Vec<(Place, T)>,
        context: Context,
    ) -> Result<T, GatewayError> {
        if places.len() > 1 {
            let holder = self.find(board, context).await?;
            places.retain(|(place, _)| *place == holder);
        }
        places.pop().map(|(_, place)| place).ok_or(GatewayError::UnknownBoard(board))
    }

    /// Asks for `board` wherever it may be; exactly one wire may have it.
    pub(crate) async fn find(&self, board: BoardId, context: Context) -> Result<Place, GatewayError> {
        let asked = self.possible_places(board).into_iter().map(async |(place, mount)| {
            (place, mount.driver.discover(Scope::Board(place.board), context).await)
        });
        let answers = join_all(asked).await;
        let holders: Vec<Place> =
            answers.iter().filter(|(_, result)| result.is_ok()).map(|(place, _)| *place).collect();
        let mounts: Vec<usize> = holders.iter().map(|place| place.mount).collect();
        if mounts.len() > 1 {
            self.inventory_mut().found_on(board, &mounts);
            return Err(self.ambiguous(board, &mounts));
        }
        let failures: Vec<&DriverError> =
            answers.iter().filter_map(|(_, result)| result.as_ref().err()).collect();
        if let Some(error) = failures.iter().find(|error| leaves_doubt(error)) {
            return Err(DriverError::clone(error).into());
        }
        for (place, result) in answers.iter().filter(|(place, result)| result.is_ok() || self.is_at(*place)) {
            self.note(*place, result);
        }
        match (holders.first(), failures.first()) {
            (Some(only), _) => {
                self.inventory_mut().found_on(board, &mounts);
                Ok(*only)
            }
            (None, Some(error)) => Err(DriverError::clone(error).into()),
            (None, None) => Err(GatewayError::UnknownBoard(board)),
        }
    }

    /// Where `board` may answer: its place if the configuration names it, otherwise every bus that may hold it.
    fn possible_places(&self, board: BoardId) -> Vec<(Place, &Mounted)> {
        if self.is_configured(board) {
            let place = self.inventory().place(board);
            return place
                .and_then(|place| Some((place, self.inner.mounts.get(place.mount)?)))
                .into_iter()
                .collect();
        }
        self.candidates(board).map(|(mount, mounted)| (Place { mount, board }, mounted)).collect()
    }

    /// Whether a board is known to be at `place`.
    fn is_at(&self, place: Place) -> bool {
        self.inventory().at(place).is_some()
    }

    /// The mounts that can be searched for `board`.
    pub(crate) fn candidates(&self, board: BoardId) -> impl Iterator<Item = (usize, &Mounted)> {
        let mounts = self.inner.mounts.iter().enumerate();
        mounts.filter(move |(_, mount)| !mount.is_configured && mount.boards.contains(&board))
    }

    fn ambiguous(&self, board: BoardId, holders: &[usize]) -> GatewayError {
        let mounts = holders.iter().filter_map(|mount| self.inner.mounts.get(*mount));
        GatewayError::AmbiguousBoard {
            board,
            buses: mounts.map(|mount| mount.driver.name().to_owned()).collect(),
        }
    }
}
