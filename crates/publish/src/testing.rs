//! What tests share: no wait is without an end, and no port that must be closed can be opened by another test.

use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::timeout;

/// For how long sockets are waited for: also on a machine that has other things to do.
const LIMIT: Duration = Duration::from_secs(60);

/// What comes of `future`, which must come before `limit`.
pub(crate) async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    let waited = timeout(limit, future).await;
    waited.unwrap_or_else(|_| panic!("waited {limit:?} in vain: {what}"))
}

/// The same for sockets.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    within(LIMIT, what, future).await
}

/// A port at which nobody listens, and which nobody else gets as long as the socket lives.
pub(crate) fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}
