//! Waits for futures that need nobody but themselves.

use tokio::runtime::Builder;

/// What comes of a future whose timers never have to run out.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    match Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("{error}"),
    }
}
