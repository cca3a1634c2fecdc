//! A Unix socket besides the network.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use opendcre_api::{BindError, Limits, Listen, Server};
use tokio::net::{UnixListener, UnixStream};

use crate::client::{OK, ask, http2, request, taken_apart};
use crate::files::{Authority, Folder};
use crate::room::Room;

fn free() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opendcre.sock");
    (folder, path)
}

#[tokio::test]
async fn a_unix_socket_speaks_http_without_tls() {
    let (_folder, path) = free();
    let authority = Authority::new("authority");
    let files = Folder::with(&authority.server());
    let limits = Limits { connections_per_address: 1, ..Limits::default() };
    let room = Room::start(limits, Some(files.files()), vec![Listen::Unix(path.clone())]).await;
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);

    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), (200, OK.to_owned()));
        streams.push(stream);
    }
    assert_eq!(ask(&mut streams[0]).await.unwrap().0, 200);

    let mut client = http2(UnixStream::connect(&path).await.unwrap(), 65_535).await;
    let answering = async {
        let response = client.sender.send_request(request("/opendcre/1.1/test")).await.unwrap();
        assert_eq!(taken_apart(response).await.1, OK);
    };
    tokio::select! { () = answering => {}, ended = client.driver => panic!("{ended:?}") }

    drop(streams);
    room.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_nothing_else() {
    let (_folder, path) = free();
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = Server::bind([Listen::Unix(path.clone())]).await.unwrap();
    UnixStream::connect(&path).await.unwrap();
    let error = Server::bind([Listen::Unix(path.clone())]).await.unwrap_err();
    assert!(matches!(error, BindError::SocketInUse(_)), "{error}");
    drop(server);
    assert!(!path.exists());

    std::fs::write(&path, "precious").unwrap();
    let error = Server::bind([Listen::Unix(path.clone())]).await.unwrap_err();
    assert!(matches!(error, BindError::NotASocket(_)), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn the_socket_of_a_successor_is_left_alone() {
    let (_folder, path) = free();
    let server = Server::bind([Listen::Unix(path.clone())]).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let _successor = UnixListener::bind(&path).unwrap();
    drop(server);
    assert!(path.exists());
}
