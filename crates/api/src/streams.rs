//! How many streams of events are open: so many in all, because each keeps a connection, and so many of one sender, so that
//! nobody takes those of everybody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opendcre_gateway::GatewayError;
use opendcre_model::{DriverError, Fault};

use crate::problem::{Code, Problem};
use crate::sender::Sender;

/// The most streams that are open at the same time. There must be enough connections for everybody else.
const MOST: usize = 256;
/// The most of one sender: enough for every screen of a control room.
const MOST_EACH: usize = 64;

/// When it is worth asking again after too many were open.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The streams that are open. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    /// Nobody is there who has none.
    by_sender: HashMap<Sender, usize>,
}

/// A stream that is open, until this is dropped.
#[derive(Debug)]
pub(crate) struct StreamPlace {
    streams: Streams,
    sender: Sender,
}

impl Streams {
    /// A place for one more stream of `sender`.
    ///
    /// # Errors
    /// Too many are open.
    pub(crate) fn admit(&self, sender: Sender) -> Result<StreamPlace, Problem> {
        let mut open = self.lock();
        if open.all >= MOST {
            let message = "too many streams of events are open; ask again later";
            let busy = DriverError::new(Fault::Busy { retry_after: RETRY_AFTER }, message);
            return Err(GatewayError::from(busy).into());
        }
        if open.by_sender.get(&sender).is_some_and(|count| *count >= MOST_EACH) {
            let detail = format!("you have {MOST_EACH} streams of events open; end others first");
            return Err(Problem::new(Code::TOO_MANY_STREAMS, detail).retried_after(RETRY_AFTER));
        }
        open.all += 1;
        *open.by_sender.entry(sender.clone()).or_default() += 1;
        Ok(StreamPlace { streams: self.clone(), sender })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Numbers, which nothing breaks off half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        open.all -= 1;
        if let Some(count) = open.by_sender.get_mut(&self.sender) {
            *count -= 1;
            if *count == 0 {
                open.by_sender.remove(&self.sender);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opendcre_model::Login;

    use super::*;

    fn sender(number: usize) -> Sender {
        Sender::Named(Login::Token, String::new(), number.to_string())
    }

    #[test]
    fn one_sender_leaves_enough_for_others_and_all_together_are_bounded() {
        let streams = Streams::default();
        let mut places: Vec<_> = (0..MOST_EACH).map(|_| streams.admit(sender(0)).unwrap()).collect();
        assert_eq!(streams.admit(sender(0)).unwrap_err().code(), "too_many_streams");
        places.extend((MOST_EACH..MOST).map(|number| streams.admit(sender(number)).unwrap()));
        assert_eq!(streams.admit(sender(MOST)).unwrap_err().code(), "busy");
        places.remove(0);
        assert!(streams.admit(sender(0)).is_ok());
        drop(places);
        let open = streams.lock();
        assert!(open.all == 0 && open.by_sender.is_empty(), "{open:?}");
    }
}
