//! What is agreed on in handshakes, and whom they let in.

use std::time::Duration;

use opendcre_api::{ClientCertificates, Limits, TlsFiles};
use rustls::{CipherSuite, ProtocolVersion};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::client::{OK, TEST, ask, config, connect, http2, read_to_end, request, taken_apart, usual};
use crate::files::{Authority, Folder, Pair};
use crate::room::Room;

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.server());
    let room = Room::encrypted(folder.files()).await;
    let versions = [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ];
    for (version, expected) in versions {
        let config = config(&room, &authority, None, &[version]).into();
        let mut stream = connect(&room, &config).await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), (200, OK.to_owned()));
        let (_, session) = stream.get_ref();
        assert_eq!(session.protocol_version(), Some(expected));
        let suite = session.negotiated_cipher_suite().unwrap().suite();
        let strongest =
            [CipherSuite::TLS13_AES_256_GCM_SHA384, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384];
        assert!(cfg!(target_arch = "arm") || strongest.contains(&suite), "{suite:?}");
    }
}

#[tokio::test]
async fn http_2_is_agreed_on_where_both_speak_it() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.server());
    let room = Room::encrypted(folder.files()).await;
    let with = |protocols: &[&[u8]]| {
        let mut config = config(&room, &authority, None, rustls::ALL_VERSIONS);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        std::sync::Arc::new(config)
    };

    let stream = connect(&room, &with(&[b"http/1.1", b"h2"])).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut client = http2(stream, 65_535).await;
    let answering = async {
        for _ in 0..3 {
            let response = client.sender.send_request(request("/opendcre/1.1/test")).await.unwrap();
            let (status, body) = taken_apart(response).await;
            assert_eq!((status.as_u16(), body.as_str()), (200, OK));
        }
    };
    tokio::select! { () = answering => {}, ended = client.driver => panic!("{ended:?}") }

    let mut stream = connect(&room, &with(&[b"http/1.1"])).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(ask(&mut stream).await.unwrap().0, 200);
    let error = connect(&room, &with(&[b"gopher"])).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
}

fn with_clients(folder: &Folder, authority: &Authority, clients: ClientCertificates) -> TlsFiles {
    let client_ca = Some(folder.write("clients.pem", &authority.pem));
    TlsFiles { client_ca, client_certificate: clients, ..folder.files() }
}

/// Whether a client is let in. With TLS 1.3 it learns that only from the first answer.
async fn is_let_in(room: &Room, authority: &Authority, identity: Option<&Pair>) -> bool {
    let Ok(mut stream) = connect(room, &usual(room, authority, identity)).await else { return false };
    ask(&mut stream).await.is_ok_and(|(status, _)| status == 200)
}

#[tokio::test]
async fn client_certificates_are_optional_or_required_but_never_wrong() {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    let (ada, mallory) = (authority.client("ada", 1, 2030), stranger.client("ada", 1, 2030));
    let (expired, server) = (authority.client("ada", 2, 2026), authority.server());
    for clients in [ClientCertificates::Optional, ClientCertificates::Required] {
        let folder = Folder::with(&authority.server());
        let room = Room::encrypted(with_clients(&folder, &authority, clients)).await;
        assert!(is_let_in(&room, &authority, Some(&ada)).await);
        assert_eq!(is_let_in(&room, &authority, None).await, clients == ClientCertificates::Optional);
        for bad in [&mallory, &expired, &server] {
            assert!(!is_let_in(&room, &authority, Some(bad)).await, "{clients:?}");
        }
    }
}

#[tokio::test]
async fn revoked_clients_are_not_let_in() {
    let authority = Authority::new("authority");
    let (ada, eve) = (authority.client("ada", 1, 2030), authority.client("eve", 2, 2030));
    let folder = Folder::with(&authority.server());
    let client_crl = Some(folder.write("clients.crl", &authority.revokes(&[2])));
    let files = TlsFiles { client_crl, ..with_clients(&folder, &authority, ClientCertificates::Optional) };
    let room = Room::encrypted(files).await;
    assert!(is_let_in(&room, &authority, Some(&ada)).await);
    assert!(!is_let_in(&room, &authority, Some(&eve)).await);
    room.clock.set("2040-01-02T00:00:00Z");
    let late = authority.client("ada", 3, 2050);
    assert!(!is_let_in(&room, &authority, Some(&late)).await, "the list is out of date");
}

#[tokio::test]
async fn plain_http_is_told_to_use_https() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.server());
    let room = Room::encrypted(folder.files()).await;
    for request in [TEST, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST"] {
        let mut stream = room.connect().await;
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = String::from_utf8(read_to_end(&mut stream).await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(
            answer.ends_with("\r\n\r\nthis port speaks HTTPS only; use https:// in the address\n"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn garbage_gets_no_answer_but_an_alert() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.server());
    let room = Room::encrypted(folder.files()).await;
    for garbage in
        [&b"\x16\x03\x01\x00\x02\xff\xff"[..], b"\0\0\0\0\0\0", b"\x80\x2e\x01\x00\x02", &[0xff; 4096]]
    {
        let mut stream = room.connect().await;
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.is_empty() || (answer[0] == 0x15 && answer.len() == 7), "{answer:?}");
    }
    assert!(is_let_in(&room, &authority, None).await);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_is_ended() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.server());
    let room = Room::encrypted(folder.files()).await;
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut stream = room.connect().await;
        stream.write_all(beginning).await.unwrap();
        let start = Instant::now();
        assert_eq!(read_to_end(&mut stream).await, b"");
        assert!(start.elapsed() >= Duration::from_secs(10) && start.elapsed() < Duration::from_secs(11));
    }
}

#[tokio::test]
async fn handshakes_that_never_end_do_not_keep_others_out() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.server());
    let limits = Limits { handshakes: 2, ..Limits::default() };
    let room = Room::start(limits, Some(folder.files()), Vec::new()).await;
    let mut stuck = Vec::new();
    for _ in 0..8 {
        let mut stream = room.connect().await;
        stream.write_all(b"\x16\x03\x01").await.unwrap();
        stuck.push(stream);
    }
    assert!(is_let_in(&room, &authority, None).await);
    for stream in stuck.iter_mut().take(6) {
        read_to_end(stream).await;
    }
}

#[tokio::test]
async fn one_who_speaks_tls_to_a_plain_port_learns_that_it_is_none() {
    let room = Room::plain(Limits::default()).await;
    let authority = Authority::new("authority");
    connect(&room, &usual(&room, &authority, None)).await.unwrap_err();
}
