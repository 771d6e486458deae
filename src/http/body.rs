//! Bytes of a body, within limits: the announced size before a byte is read, the read size while
//! reading, the decompressed size while decompressing. A bomb costs at most the limit.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderValue};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use std::io::Read;
use std::time::Duration;

use super::error::Problem;
use crate::sources::{ParseError, json};

/// Bytes of a command's body.
const COMMAND_BYTES_MAX: usize = 64 * 1_024;

/// Bytes that are read and dropped of a body that is too large, and for how long.
const DISCARD_BYTES_MAX: usize = 32 * 1_024 * 1_024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
    Deflate,
}

impl Encoding {
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let (first, second) = (values.next(), values.next());
        let Some(value) = first else { return Ok(Self::Identity) };
        let name = value.as_bytes().trim_ascii();
        if second.is_none() {
            for (known, encoding) in
                [("identity", Self::Identity), ("gzip", Self::Gzip), ("x-gzip", Self::Gzip), ("deflate", Self::Deflate)]
            {
                if name.eq_ignore_ascii_case(known.as_bytes()) {
                    return Ok(encoding);
                }
            }
        }
        let got = if second.is_some() { "several".into() } else { String::from_utf8_lossy(name) };
        Err(Problem::unsupported("Content-Encoding", &got, "`gzip`, `deflate` or none")
            .with_header(ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate")))
    }
}

/// The content type in lower case without its parameters; empty when there is none.
pub fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads the whole body; a body that came in one piece is not copied.
pub async fn read(mut body: Body, headers: &HeaderMap, bytes_max: usize) -> Result<Bytes, Problem> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        // A sender that asked before it sends gets its answer at once.
        if !headers.contains_key(EXPECT) {
            discard(body).await;
        }
        return Err(Problem::body_too_large(bytes_max, false));
    }
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::body_cut("the connection ended before the body did"))?;
        let Ok(piece) = frame.into_data() else { continue };
        let held = rest.as_ref().map_or(first.len(), BytesMut::len);
        if held + piece.len() > bytes_max {
            discard(body).await;
            return Err(Problem::body_too_large(bytes_max, false));
        }
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&piece),
            None if first.is_empty() => first = piece,
            None => {
                let capacity = announced.map_or(0, |bytes| bytes as usize).max(held + piece.len());
                let mut joined = BytesMut::with_capacity(capacity);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&piece);
                rest = Some(joined);
            }
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

/// Reads on for a moment after the verdict: a sender that is cut off while it still writes sees a
/// broken connection instead of the answer, and tries the same again. Nothing of it is kept.
async fn discard(mut body: Body) {
    let rest = async {
        let mut left = DISCARD_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // However it ends, the answer is the same.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, rest).await;
}

/// Why a compressed body cannot be used.
#[derive(Debug)]
pub enum DecompressError {
    TooLarge,
    Damaged(ParseError),
}

/// Unpacks at most `bytes_max` bytes. Blocks the thread for as long as that takes.
pub fn decompress(encoding: Encoding, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecompressError> {
    let limit = bytes_max as u64 + 1;
    let mut unpacked = Vec::with_capacity(body.len().saturating_mul(4).min(bytes_max));
    let (read, expected) = match encoding {
        Encoding::Identity => return Ok(body.to_vec()),
        Encoding::Gzip => (MultiGzDecoder::new(body).take(limit).read_to_end(&mut unpacked), "a whole gzip stream"),
        Encoding::Deflate => (
            ZlibDecoder::new(body).take(limit).read_to_end(&mut unpacked),
            "a whole zlib stream (`Content-Encoding: deflate`)",
        ),
    };
    match read {
        Ok(_) if unpacked.len() > bytes_max => Err(DecompressError::TooLarge),
        Ok(_) => Ok(unpacked),
        Err(error) => Err(DecompressError::Damaged(ParseError::new("body", error.to_string(), expected))),
    }
}

/// Reads the JSON of a command, which is an object. No body at all, or `null`, is an empty one, so that
/// optional notes can be left out.
pub async fn read_json<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Problem> {
    match read_object(request, COMMAND_BYTES_MAX).await? {
        Some(bytes) => from_json(&bytes),
        None => from_json(b"{}"),
    }
}

/// Reads the JSON of a command that brings much, and makes of it what is wanted, on a thread that may wait. No
/// body is no object here: what it would wipe out is too much for a slip.
pub async fn read_large_json<T: DeserializeOwned + 'static, U: Send + 'static>(
    request: Request<Body>,
    bytes_max: usize,
    make: impl FnOnce(T) -> Result<U, Problem> + Send + 'static,
) -> Result<U, Problem> {
    let Some(bytes) = read_object(request, bytes_max).await? else {
        return Err(Problem::invalid_body(ParseError::new("body", "nothing", "an object")));
    };
    let made = tokio::task::spawn_blocking(move || make(from_json(&bytes)?)).await;
    made.unwrap_or_else(|error| {
        tracing::error!(%error, "reading a body panicked");
        Err(Problem::internal())
    })
}

/// The bytes of a JSON object; none when there is no body, or `null`.
async fn read_object(request: Request<Body>, bytes_max: usize) -> Result<Option<Bytes>, Problem> {
    let (parts, body) = request.into_parts();
    if Encoding::of(&parts.headers)? != Encoding::Identity {
        return Err(Problem::unsupported("Content-Encoding", "compression", "none for commands"));
    }
    let bytes = read(body, &parts.headers, bytes_max).await?;
    let text = bytes.trim_ascii();
    if text.is_empty() {
        return Ok(None);
    }
    match content_type(&parts.headers).as_str() {
        "application/json" if text == b"null" => Ok(None),
        // Serde would take a list for an object whose names were left out.
        "application/json" if text.starts_with(b"[") => {
            Err(Problem::invalid_body(ParseError::new("body", "a list", "an object")))
        }
        "application/json" => Ok(Some(bytes)),
        "" => Err(Problem::unsupported("Content-Type", "none", "`application/json`")),
        other => Err(Problem::unsupported("Content-Type", other, "`application/json`")),
    }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    json::text(bytes).and_then(json::read).map_err(Problem::invalid_body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use std::io::Write;

    #[test]
    fn unpacks_up_to_the_limit_and_not_beyond() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&[b'a'; 1_000]).unwrap();
        let packed = gzip.finish().unwrap();
        assert_eq!(decompress(Encoding::Gzip, &packed, 1_000).unwrap().len(), 1_000);
        assert!(matches!(decompress(Encoding::Gzip, &packed, 999), Err(DecompressError::TooLarge)));
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(b"hello").unwrap();
        assert_eq!(decompress(Encoding::Deflate, &zlib.finish().unwrap(), 10).unwrap(), b"hello");
    }

    #[test]
    fn says_so_when_a_stream_is_cut_or_none() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&[b'a'; 1_000]).unwrap();
        let packed = gzip.finish().unwrap();
        for (encoding, bytes) in [
            (Encoding::Gzip, &packed[..packed.len() - 3]),
            (Encoding::Gzip, &b"{}"[..]),
            (Encoding::Deflate, &b"{}"[..]),
        ] {
            assert!(matches!(decompress(encoding, bytes, 10_000), Err(DecompressError::Damaged(_))));
        }
    }
}
