//! Client certificates that were revoked, and lists of these that go out of date.

use opendcre_api::{ClientCertificates, TlsFiles};

use crate::client::{ask, ask_for, connect, usual};
use crate::files::{Authority, Folder};
use crate::reload::Clients;
use crate::room::Room;

#[tokio::test]
async fn a_certificate_that_is_refused_in_a_handshake_is_recorded() {
    for (serial, reason) in [(Some(2), "Revoked"), (None, "no certificates")] {
        let clients = Clients::new().await;
        clients.folder.write("clients.crl", &clients.authority.revokes(&[2]));
        clients.room.tls().reload().unwrap();
        let mut ada = clients.connect("ada", 1).await;
        assert_eq!(ask(&mut ada).await.unwrap().0, 200);
        let eve = serial.map(|serial| clients.authority.client("eve", serial, 2030));
        // With TLS 1.3, a client learns only from the first answer that it is refused.
        let stream = connect(&clients.room, &usual(&clients.room, &clients.authority, eve.as_ref())).await;
        async { ask(&mut stream?).await }.await.unwrap_err();

        let refused = clients.room.refused_logins().await;
        let [entry] = &refused[..] else { panic!("{refused:?}") };
        assert_eq!((&entry["action"], &entry["code"]), (&"login".into(), &"unauthenticated".into()));
        assert!(entry["remote"].as_str().unwrap().starts_with("127.0.0.1:"), "{entry}");
        assert!(entry["message"].as_str().unwrap().contains(reason), "{entry}");
        assert!(entry["who"].is_null(), "{entry}");
    }
}

#[tokio::test]
async fn who_is_connected_is_refused_when_the_list_goes_out_of_date() {
    let clients = Clients::new().await;
    let ada = clients.authority.client("ada", 1, 2050);
    let config = usual(&clients.room, &clients.authority, Some(&ada));
    let mut stream = connect(&clients.room, &config).await.unwrap();
    clients.room.clock.set("2039-12-31T23:59:59Z");
    assert_eq!(ask(&mut stream).await.unwrap().0, 200);
    clients.room.clock.set("2040-01-01T00:00:00Z");
    assert_eq!(ask(&mut stream).await.unwrap().0, 401);
    clients.folder.write("clients.crl", &clients.authority.revokes_until(&[], 2041));
    clients.room.tls().reload().unwrap();
    assert_eq!(ask(&mut stream).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_list_that_is_out_of_date_is_told_to_who_watches_over_the_service() {
    let authority = Authority::new("authority");
    let folder = Folder::with(&authority.server());
    let files = TlsFiles {
        client_ca: Some(folder.write("clients.pem", &authority.pem)),
        client_crl: Some(folder.write("clients.crl", &authority.revokes(&[]))),
        client_certificate: ClientCertificates::Optional,
        ..folder.files()
    };
    let room = Room::encrypted(files).await;
    let mut stream = connect(&room, &usual(&room, &authority, None)).await.unwrap();
    let good = (200, r#"{"status":"ok","mode":"hardware","drivers":[],"defects":[]}"#.to_owned());
    assert_eq!(ask_for(&mut stream, "/readyz").await.unwrap(), good);

    room.clock.set("2040-01-01T00:00:00Z");
    let (status, text) = ask_for(&mut stream, "/readyz").await.unwrap();
    assert!(status == 200 && text.contains("degraded") && text.contains("crl_out_of_date"), "{text}");

    folder.write("clients.crl", &authority.revokes_until(&[], 2041));
    room.tls().reload().unwrap();
    assert_eq!(ask_for(&mut stream, "/readyz").await.unwrap(), good);
}
