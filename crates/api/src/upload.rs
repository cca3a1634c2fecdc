//! The body of a request, of which never more is taken than a limit allows.

use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Bytes};

/// Why a body is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadError {
    /// It is longer than the limit.
    TooLarge,
    /// It does not arrive as it was announced.
    Broken,
}

/// Gives `take` each part of a body, until more than `limit` bytes have come or were announced.
pub(crate) async fn each<B>(
    body: &mut B,
    limit: usize,
    mut take: impl FnMut(&[u8]),
) -> Result<(), UploadError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(UploadError::TooLarge);
    }
    let mut received = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| UploadError::Broken)?;
        let Some(data) = frame.data_ref() else { continue };
        received = received.saturating_add(data.len());
        if received > limit {
            return Err(UploadError::TooLarge);
        }
        take(data);
    }
    Ok(())
}
