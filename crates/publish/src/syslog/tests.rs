//! Syslog servers as sockets of the test: what arrives there, and what becomes of connections that break.

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;
use crate::notice::testing::event;
use crate::testing::{Authority, closed_port, soon};

/// A server that is nowhere.
pub(super) fn settings() -> SyslogSettings {
    SyslogSettings {
        name: "siem".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 1,
        transport: SyslogTransport::Tcp,
        facility: Facility::Local0,
        app_name: "opendcre".to_owned(),
        enterprise: 32_473,
        filter: Filter::default(),
    }
}

fn notice(sequence: u64) -> Notice {
    Notice::Event(Box::new(event(sequence)))
}

fn syslog(transport: SyslogTransport, port: u16) -> Syslog {
    Syslog::new(&SyslogSettings { transport, port, ..settings() }, "dcre-1").unwrap()
}

/// What the next client of a listener is connected by.
async fn accepted(listener: &TcpListener) -> TcpStream {
    soon("somebody connects", listener.accept()).await.unwrap().0
}

/// The next message of a stream, by its counted octets.
async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> String {
    soon("a message comes", read_frame(stream)).await
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut length = String::new();
    loop {
        match stream.read_u8().await.unwrap() {
            b' ' => break,
            digit => length.push(char::from(digit)),
        }
    }
    let mut message = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut message).await.unwrap();
    String::from_utf8(message).unwrap()
}

#[tokio::test]
async fn messages_in_a_stream_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut syslog = syslog(SyslogTransport::Tcp, listener.local_addr().unwrap().port());
    for sequence in [1, 2] {
        syslog.deliver(&notice(sequence)).await.unwrap();
    }
    let mut stream = accepted(&listener).await;
    for sequence in [1, 2] {
        let message = frame(&mut stream).await;
        assert!(
            message.contains(&format!(" sequence=\"{sequence}\"")) && message.ends_with("47 °C"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_is_opened_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut syslog = syslog(SyslogTransport::Tcp, listener.local_addr().unwrap().port());
    for sequence in 1..=3 {
        syslog.deliver(&notice(sequence)).await.unwrap();
        let mut stream = accepted(&listener).await;
        assert!(frame(&mut stream).await.contains(&format!(" sequence=\"{sequence}\"")));
        drop(stream);
        let Link::Stream(_, kept) = &mut syslog.link else { panic!("this is no stream") };
        let ending = async {
            while kept.is_some() {
                *kept = still_open(kept.take()).await;
                tokio::task::yield_now().await;
            }
        };
        soon("the end of the connection is seen", ending).await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_later() {
    let (_held, port) = closed_port();
    let failure = syslog(SyslogTransport::Tcp, port).deliver(&notice(1)).await.unwrap_err();
    assert!(matches!(failure, Failure::Later(..)), "{failure:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_no_server_with_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut syslog = syslog(SyslogTransport::Tls(RootCertStore::empty(), None), port);
    let answer = async {
        let mut stream = accepted(&listener).await;
        stream.write_all(b"hello, who is there?\n").await.unwrap();
    };
    let first = notice(1);
    let (failure, ()) = tokio::join!(syslog.deliver(&first), answer);
    assert!(matches!(failure, Err(Failure::Later(..))), "{failure:?}");
}

#[tokio::test]
async fn a_server_may_want_to_know_who_writes() {
    let authority = Authority::new();
    let (listener, acceptor) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), authority.server());
    let transport = SyslogTransport::Tls(authority.roots.clone(), Some(authority.client()));
    let port = listener.local_addr().unwrap().port();
    let known = SyslogSettings { host: "localhost".to_owned(), transport, port, ..settings() };
    let mut syslog = Syslog::new(&known, "dcre-1").unwrap();
    let read = async {
        let mut stream = acceptor.accept(accepted(&listener).await).await.unwrap();
        frame(&mut stream).await
    };
    let first = notice(1);
    let (delivered, message) = tokio::join!(syslog.deliver(&first), read);
    assert_eq!(delivered, Ok(()));
    assert!(message.contains(" sequence=\"1\""), "{message}");
}

#[tokio::test]
async fn datagrams_are_sent_and_forgotten() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut syslog = syslog(SyslogTransport::Udp, server.local_addr().unwrap().port());
    syslog.deliver(&notice(1)).await.unwrap();
    let mut datagram = [0; MAX_DATAGRAM];
    let length = soon("a datagram comes", server.recv(&mut datagram)).await.unwrap();
    assert!(datagram[..length].starts_with(b"<130>1 2027-01-15T08:00:00.000000Z dcre-1 opendcre "));
    drop(server);
    for sequence in 2..5 {
        // Nobody listens any more, of which the system may or may not tell.
        let sent = syslog.deliver(&notice(sequence)).await;
        assert!(!matches!(sent, Err(Failure::Later(..))), "{sent:?}");
    }
}
