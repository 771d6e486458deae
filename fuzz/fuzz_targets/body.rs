//! Any compressed bytes: never more than the limit comes out, and what was packed is unpacked.
#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use watchbell::http::body::{DecompressError, Encoding, content_type, decompress};

fuzz_target!(|data: &[u8]| {
    let [limit, rest @ ..] = data else { return };
    let bytes_max = usize::from(*limit) * 64;
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Deflate] {
        match decompress(encoding, rest, bytes_max) {
            Ok(unpacked) => assert!(encoding == Encoding::Identity || unpacked.len() <= bytes_max),
            Err(DecompressError::TooLarge) => {}
            Err(DecompressError::Damaged(error)) => assert!(!error.got.is_empty()),
        }
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(rest).expect("memory takes all");
    check(Encoding::Gzip, &gzip.finish().expect("memory takes all"), rest);
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(rest).expect("memory takes all");
    check(Encoding::Deflate, &zlib.finish().expect("memory takes all"), rest);

    if let Ok(value) = HeaderValue::from_bytes(rest) {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, value.clone()), (CONTENT_TYPE, value)]);
        if let Err(problem) = Encoding::of(&headers) {
            assert_eq!(problem.status(), 415);
        }
        let name = content_type(&headers);
        assert!(!name.contains(|c: char| c == ';' || c.is_ascii_uppercase()), "{name}");
    }
});

fn check(encoding: Encoding, packed: &[u8], plain: &[u8]) {
    assert_eq!(decompress(encoding, packed, plain.len()).expect("it fits"), plain);
    if let Some(less) = plain.len().checked_sub(1) {
        assert!(matches!(decompress(encoding, packed, less), Err(DecompressError::TooLarge)));
    }
}
