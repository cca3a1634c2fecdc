//! Compression of answers for clients that take it (RFC 9110 §12.5.3, RFC 1952).

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::Stream;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use hyper::body::Bytes;

use crate::body::{Body, Content, PIECE, Pieces};
use crate::reply::Reply;

/// The largest body that is not worth it, in bytes: it fits one packet anyway.
const SMALL: u64 = 1024;

/// How hard is tried for what is sent once: a machine in a rack has little time to spare.
const FAST: Compression = Compression::new(1);

/// Weights are counted in thousandths; this is `q=1`.
pub(crate) const FULL_WEIGHT: u16 = 1000;

/// Pieces that are compressed while they pass.
struct Gzip {
    plain: Pieces,
    /// Nothing once the end has been taken out of it.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

/// The compressed form of an answer that never changes. Put into the extensions of the reply, it is what is sent, so that
/// no number of strangers can have the same text compressed again and again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pressed(pub(crate) &'static LazyLock<Bytes>);

/// Compresses `plain`, which never changes, as small as can be.
pub(crate) fn press(plain: &[u8]) -> Bytes {
    gzip(plain, Compression::best())
}

/// Compresses the body of `reply` if that is worth it and the client takes it.
pub(crate) fn compress(reply: &mut Reply, request: &HeaderMap) {
    // The same for every client, so it varies with nothing.
    if reply.body().length().is_some_and(|length| length <= SMALL) {
        return;
    }
    reply.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    if is_stream(reply) || !prefers_gzip(request) {
        return;
    }
    let pressed = reply.extensions_mut().remove::<Pressed>();
    let body = match (pressed, std::mem::take(reply.body_mut()).into_content()) {
        (Some(Pressed(bytes)), _) => Bytes::clone(bytes).into(),
        (None, Content::Whole(bytes)) => gzip(&bytes, FAST).into(),
        (None, Content::Pieces(plain)) => Body::pieces(Gzip { plain, encoder: Some(encoder(FAST)) }),
    };
    *reply.body_mut() = body;
    reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}

/// Whether the parts of a body are for now: what is compressed comes only when there is enough of it.
fn is_stream(reply: &Reply) -> bool {
    reply.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream")
}

/// Whether the client takes gzip, and likes it at least as much as no compression.
fn prefers_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for (coding, weight) in values.flat_map(|value| value.split(',')).filter_map(weighted) {
        match coding {
            "*" => any = Some(weight),
            _ if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => {
                gzip = Some(weight);
            }
            _ if coding.eq_ignore_ascii_case("identity") => identity = Some(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// A coding and its weight in thousandths. A weight that cannot be read counts as zero.
fn weighted(entry: &str) -> Option<(&str, u16)> {
    let (coding, parameters) = entry.split_once(';').unwrap_or((entry, ""));
    let weight = match parameters.trim().split_once('=') {
        Some((name, weight)) if name.trim().eq_ignore_ascii_case("q") => thousandths(weight.trim()),
        _ => FULL_WEIGHT,
    };
    Some((coding.trim(), weight)).filter(|(coding, _)| !coding.is_empty())
}

/// Reads `0`, `0.5` or `1.000`.
pub(crate) fn thousandths(weight: &str) -> u16 {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    match whole {
        "0" => format!("{fraction:0<3}").parse().unwrap_or(0),
        "1" => FULL_WEIGHT,
        _ => 0,
    }
}

fn encoder(level: Compression) -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), level)
}

fn gzip(plain: &[u8], level: Compression) -> Bytes {
    let mut encoder = encoder(level);
    // Memory takes everything.
    let compressed = encoder.write_all(plain).and_then(|()| encoder.finish());
    compressed.unwrap_or_default().into()
}

impl Gzip {
    /// Takes one piece; what comes out of it may be nothing yet.
    fn press(encoder: &mut GzEncoder<Vec<u8>>, piece: &[u8]) -> io::Result<Option<Bytes>> {
        encoder.write_all(piece)?;
        let pressed = encoder.get_mut();
        Ok((pressed.len() >= PIECE).then(|| std::mem::take(pressed).into()))
    }
}

impl Stream for Gzip {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Self { plain, encoder } = self.get_mut();
        while let Some(open) = encoder {
            let pressed = match ready!(plain.as_mut().poll_next(context)) {
                Some(piece) => Self::press(open, &piece),
                None => encoder.take().map(GzEncoder::finish).transpose().map(|end| end.map(Bytes::from)),
            };
            // Memory takes everything, so there is no error here.
            if let Some(bytes) = pressed.unwrap_or_default() {
                return Poll::Ready(Some(bytes));
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use futures_util::{StreamExt, stream};
    use http::StatusCode;

    use super::*;
    use crate::reply;

    fn prefers(values: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        prefers_gzip(&headers)
    }

    #[test]
    fn only_who_takes_it_gets_it() {
        for yes in [
            &["gzip"][..],
            &["GZip"],
            &["x-gzip"],
            &["*"],
            &["br, gzip;q=0.001"],
            &["deflate", "gzip ; Q=1.000"],
            &["gzip;q=0.5, identity;q=0.5"],
            &["*;q=0.1"],
        ] {
            assert!(prefers(yes), "{yes:?}");
        }
        for no in [
            &[][..],
            &[""],
            &["br"],
            &["gzip;q=0"],
            &["gzip;q=0.000, *"],
            &["gzip;q=x"],
            &["gzip;q=0.0001"],
            &["gzip;q=2"],
            &["identity, gzip;q=0.9"],
            &[",;,=;"],
        ] {
            assert!(!prefers(no), "{no:?}");
        }
    }

    #[test]
    fn what_never_changes_is_compressed_once() {
        static PRESSED: LazyLock<Bytes> = LazyLock::new(|| press(TEXT.as_bytes()));
        const TEXT: &str = "the same for everybody";
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let answer = || {
            let mut reply = reply::json(StatusCode::OK, TEXT.repeat(100).into());
            reply.extensions_mut().insert(Pressed(&PRESSED));
            compress(&mut reply, &headers);
            match reply.into_body().into_content() {
                Content::Whole(bytes) => bytes,
                Content::Pieces(_) => panic!("it is there as a whole"),
            }
        };
        assert_eq!((answer().as_ptr(), answer().len()), (PRESSED.as_ptr(), PRESSED.len()));
    }

    #[tokio::test]
    async fn pieces_come_out_as_they_went_in() {
        let text = "{\"id\":\"00000001\"},".repeat(40_000);
        let pieces: Vec<Bytes> = text.as_bytes().chunks(PIECE).map(Bytes::copy_from_slice).collect();
        let gzip = Gzip { plain: Box::pin(stream::iter(pieces)), encoder: Some(encoder(FAST)) };
        let pressed: Vec<u8> = gzip.collect::<Vec<Bytes>>().await.concat();
        assert!(pressed.len() < text.len() / 10);
        let mut plain = String::new();
        GzDecoder::new(pressed.as_slice()).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, text);
    }
}
