//! New files for a running server: new connections see them, open ones stay, and nobody stays trusted who is not.

use std::sync::Arc;
use std::time::Duration;

use opendcre_api::{ClientCertificates, TlsFiles};
use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::client::{ask, config, connect, usual};
use crate::files::{Authority, Folder};
use crate::room::Room;

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_stay() {
    let authority = Authority::new("authority");
    let (first, second) = (authority.server(), authority.server());
    let folder = Folder::with(&first);
    let room = Room::encrypted(folder.files()).await;
    let before = room.tls().fingerprint();
    let mut old = connect(&room, &usual(&room, &authority, None)).await.unwrap();
    assert_eq!(shown(&old), first.certificate);

    folder.write_pair(&second);
    room.tls().reload().unwrap();
    assert_ne!(room.tls().fingerprint(), before);
    let mut new = connect(&room, &usual(&room, &authority, None)).await.unwrap();
    assert_eq!(shown(&new), second.certificate);
    assert_eq!(ask(&mut new).await.unwrap().0, 200);
    assert_eq!(ask(&mut old).await.unwrap().0, 200);
}

#[tokio::test]
async fn broken_files_change_nothing() {
    let authority = Authority::new("authority");
    let (first, second) = (authority.server(), authority.server());
    let folder = Folder::with(&first);
    let room = Room::encrypted(folder.files()).await;
    folder.write("cert.pem", &second.certificate_pem);
    let error = room.tls().reload().unwrap_err().to_string();
    assert!(error.contains("key.pem does not belong to the certificate in"), "{error}");
    let stream = connect(&room, &usual(&room, &authority, None)).await.unwrap();
    assert_eq!(shown(&stream), first.certificate);
}

#[tokio::test]
async fn changes_are_noticed() {
    let authority = Authority::new("authority");
    let (first, second) = (authority.server(), authority.server());
    let folder = Folder::with(&first);
    let room = Room::encrypted(folder.files()).await;
    let tls = Arc::clone(room.tls());
    let before = tls.fingerprint();
    let watching = Arc::clone(&tls).watch(Duration::from_millis(1), room.shutdown.clone());
    let changing = async {
        folder.write("key.pem", "half a file");
        tokio::time::sleep(Duration::from_millis(5)).await;
        folder.write_pair(&second);
        while tls.fingerprint() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        room.shutdown.cancel();
    };
    tokio::join!(watching, changing);
}

/// A room whose clients must show a certificate.
pub(crate) struct Clients {
    pub(crate) authority: Authority,
    pub(crate) folder: Folder,
    pub(crate) room: Room,
}

impl Clients {
    pub(crate) async fn new() -> Self {
        let authority = Authority::new("authority");
        let folder = Folder::with(&authority.server());
        let files = TlsFiles {
            client_ca: Some(folder.write("clients.pem", &authority.pem)),
            client_crl: Some(folder.write("clients.crl", &authority.revokes(&[]))),
            client_certificate: ClientCertificates::Required,
            ..folder.files()
        };
        let room = Room::encrypted(files).await;
        Self { authority, folder, room }
    }

    pub(crate) async fn connect(&self, name: &str, serial: u64) -> TlsStream<TcpStream> {
        let client = self.authority.client(name, serial, 2030);
        connect(&self.room, &usual(&self.room, &self.authority, Some(&client))).await.unwrap()
    }
}

#[tokio::test]
async fn a_client_that_was_revoked_is_refused_on_its_open_connection() {
    let clients = Clients::new().await;
    let (mut ada, mut eve) = (clients.connect("ada", 1).await, clients.connect("eve", 2).await);
    for stream in [&mut ada, &mut eve] {
        assert_eq!(ask(stream).await.unwrap().0, 200);
    }
    clients.folder.write("clients.crl", &clients.authority.revokes(&[2]));
    clients.room.tls().reload().unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&mut ada).await.unwrap().0, 200);
        assert_eq!(ask(&mut eve).await.unwrap().0, 401);
    }
    clients.folder.write("clients.crl", &clients.authority.revokes(&[]));
    clients.room.tls().reload().unwrap();
    assert_eq!(ask(&mut eve).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_client_whose_authority_is_not_trusted_any_more_is_refused_on_its_open_connection() {
    let clients = Clients::new().await;
    let mut ada = clients.connect("ada", 1).await;
    assert_eq!(ask(&mut ada).await.unwrap().0, 200);
    let other = Authority::new("other");
    clients.folder.write("clients.pem", &other.pem);
    clients.folder.write("clients.crl", &other.revokes(&[]));
    clients.room.tls().reload().unwrap();
    assert_eq!(ask(&mut ada).await.unwrap().0, 401);
}

#[tokio::test]
async fn a_client_whose_certificate_expires_is_refused_on_its_open_connection() {
    let clients = Clients::new().await;
    let mut ada = clients.connect("ada", 1).await;
    assert_eq!(ask(&mut ada).await.unwrap().0, 200);
    clients.room.clock.set("2030-01-01T00:00:01Z");
    assert_eq!(ask(&mut ada).await.unwrap().0, 401);
}

#[tokio::test]
async fn sessions_are_resumed_but_not_across_a_reload() {
    let clients = Clients::new().await;
    let ada = clients.authority.client("ada", 1, 2030);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = Arc::new(config(&clients.room, &clients.authority, Some(&ada), &[version]));
        let mut kinds = Vec::new();
        for round in 0..4 {
            if round == 2 {
                clients.room.tls().reload().unwrap();
            }
            let mut stream = connect(&clients.room, &config).await.unwrap();
            assert_eq!(ask(&mut stream).await.unwrap().0, 200);
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        use HandshakeKind::{Full, Resumed};
        assert_eq!(kinds, [Full, Resumed, Full, Resumed], "{version:?}");
    }
}

#[tokio::test]
async fn a_resumed_session_is_still_that_of_its_client() {
    let clients = Clients::new().await;
    let ada = clients.authority.client("ada", 1, 2030);
    let config = usual(&clients.room, &clients.authority, Some(&ada));
    let mut first = connect(&clients.room, &config).await.unwrap();
    assert_eq!(ask(&mut first).await.unwrap().0, 200);
    let mut resumed = connect(&clients.room, &config).await.unwrap();
    assert_eq!(ask(&mut resumed).await.unwrap().0, 200);
    assert_eq!(resumed.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
    clients.folder.write("clients.crl", &clients.authority.revokes(&[1]));
    clients.room.tls().reload().unwrap();
    assert_eq!(ask(&mut resumed).await.unwrap().0, 401);
}
