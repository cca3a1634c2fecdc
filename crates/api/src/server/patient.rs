//! A connection that is given up when its client does not take what waits for it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;
use super::listener::Socket;
use super::pace::Pace;

/// A connection whose writing fails when the patience with its client has ended.
pub(super) struct Patient {
    socket: Socket,
    pace: Pace,
    /// Wakes when the patience ends; only while something waits.
    alarm: Option<Pin<Box<Sleep>>>,
    activity: Arc<Activity>,
}

impl Patient {
    pub(super) const fn new(socket: Socket, patience: Duration, activity: Arc<Activity>) -> Self {
        Self { socket, pace: Pace::new(patience), alarm: None, activity }
    }

    /// Takes note of how a write went, and fails where the client has been too slow.
    fn judge(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) if !self.pace.is_full() => self.took(bytes),
            Poll::Ready(_) => {}
            Poll::Pending => return self.wait(context),
        }
        written
    }

    fn took(&mut self, bytes: usize) {
        let now = Instant::now();
        self.pace.took(u64::try_from(bytes).unwrap_or(u64::MAX), now);
        self.activity.set_stuck(false, now);
        self.alarm = None;
    }

    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        self.activity.set_stuck(true, now);
        let end = self.pace.waits(now);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
        alarm
            .as_mut()
            .poll(context)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take its answer")))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(context, bytes);
        this.judge(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(context, bytes);
        this.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}
