//! The body of an answer: complete in memory, or made piece by piece while it is sent.
//!
//! It knows nothing of what is in it. A body that is made while it is sent takes the line of the access log along,
//! because only its end says how long it was.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};

use crate::access::Entry;

/// How large a piece is, about, in bytes: large enough for the socket, small enough for a machine with little memory.
pub(crate) const PIECE: usize = 32 * 1024;

/// What is sent piece by piece. No piece is empty.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// The body of an answer.
pub struct Body {
    content: Content,
    /// The line of the access log, if it waits for the end of this body. Apart, because hardly any answer has one, and each
    /// is moved several times.
    entry: Option<Box<Entry>>,
}

/// What a body holds.
pub(crate) enum Content {
    /// All of it; nothing is left once it is sent.
    Whole(Bytes),
    /// It is made while it is sent.
    Pieces(Pieces),
}

impl Body {
    /// A body that is made while it is sent.
    pub(crate) fn pieces(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self { content: Content::Pieces(Box::pin(pieces)), entry: None }
    }

    /// Its length in bytes, if that is known before it is sent.
    pub(crate) fn length(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    /// The line of the access log that waits for the end of this body.
    pub(crate) fn log(&mut self, entry: Entry) {
        self.entry = Some(Box::new(entry));
    }

    /// What it holds.
    pub(crate) fn into_content(self) -> Content {
        self.content
    }
}

impl Default for Body {
    /// An empty body.
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { content: Content::Whole(bytes), entry: None }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self { content, entry } = self.get_mut();
        let piece = match content {
            Content::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Content::Pieces(pieces) => ready!(pieces.as_mut().poll_next(context)),
        };
        match (&piece, entry.as_mut()) {
            (Some(piece), Some(entry)) => entry.sent(piece.len()),
            (None, _) => *entry = None,
            (Some(_), None) => {}
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len().try_into().unwrap_or(u64::MAX)),
            Content::Pieces(_) => SizeHint::default(),
        }
    }
}
