//! Which line goes to which place: the one of a request, or any other.
//!
//! One layer that knows the few places, rather than a filter for each of them: filters that disagree are asked about
//! every line anew, which cost a quarter of what a request's line costs. It knows nothing of how lines look.

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::{ACCESS, BoxedLayer};

/// A place, and what it takes.
pub(super) struct Destination<S> {
    pub(super) layer: BoxedLayer<S>,
    pub(super) takes_requests: bool,
    pub(super) takes_others: bool,
}

/// Hands each line to the places that take it.
pub(super) struct Router<S> {
    destinations: Vec<Destination<S>>,
}

impl<S> Destination<S> {
    const fn takes(&self, is_request: bool) -> bool {
        if is_request { self.takes_requests } else { self.takes_others }
    }
}

impl<S> Router<S> {
    pub(super) const fn new(destinations: Vec<Destination<S>>) -> Self {
        Self { destinations }
    }

    fn layers(&self) -> impl Iterator<Item = &BoxedLayer<S>> {
        self.destinations.iter().map(|destination| &destination.layer)
    }
}

impl<S: Subscriber> Layer<S> for Router<S> {
    fn on_layer(&mut self, subscriber: &mut S) {
        self.destinations.iter_mut().for_each(|destination| destination.layer.on_layer(subscriber));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let is_request = event.metadata().target() == ACCESS;
        for destination in self.destinations.iter().filter(|destination| destination.takes(is_request)) {
            destination.layer.on_event(event, context.clone());
        }
    }

    // What spans hold, such as those of libraries, belongs to any line within them.

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.layers().for_each(|layer| layer.on_new_span(attributes, id, context.clone()));
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.layers().for_each(|layer| layer.on_record(span, values, context.clone()));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.layers().for_each(|layer| layer.on_enter(id, context.clone()));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.layers().for_each(|layer| layer.on_exit(id, context.clone()));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.layers().for_each(|layer| layer.on_close(id.clone(), context.clone()));
    }
}
