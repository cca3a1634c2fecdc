//! Reading many values at once: a few at a time from each board, from many boards side by side.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream;
use futures_util::{Stream, StreamExt};
use opendcre_model::{BoardId, Query};

use crate::gateway::Gateway;
use crate::latest::Latest;
use crate::{GatewayError, Principal};

/// How many questions wait at one board at the same time. More would only fill its queue.
const PER_BOARD: usize = 4;
/// How many boards are asked at the same time.
const BOARDS: usize = 512;

impl Gateway {
    /// The answers to many questions, as they come. What fails is told with its question, and keeps nobody waiting.
    pub fn read_all<'a>(
        &'a self,
        principal: &'a Principal,
        queries: Vec<Query>,
        max_age: Duration,
    ) -> impl Stream<Item = (Query, Result<Latest, GatewayError>)> + Send + 'a {
        let mut boards: BTreeMap<BoardId, Vec<Query>> = BTreeMap::new();
        for query in queries {
            boards.entry(query.board()).or_default().push(query);
        }
        let answers = stream::iter(boards.into_values()).map(move |queries| {
            let answers = stream::iter(queries)
                .map(move |query| async move { (query, self.read(principal, query, max_age).await) });
            answers.buffer_unordered(PER_BOARD).collect::<Vec<_>>()
        });
        answers.buffer_unordered(BOARDS).flat_map(stream::iter)
    }
}
