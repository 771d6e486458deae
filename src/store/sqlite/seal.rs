//! The checksum that stands behind each body and each journal payload: SQLite notices a page that has
//! lost its form, not a letter that changed inside a row.
//!
//! ```text
//! {"id":"inc-7h3kq0v9zd","state":"open"}//5a1f03c9      CRC-32 of the JSON; a comment to SQLite's own functions
//! ```

/// `//` and eight digits.
const SEAL_BYTES: usize = 10;

/// Appends the checksum of `json` and of what stands beside it in its row.
pub(super) fn put_on(json: &mut Vec<u8>, columns: &[&[u8]]) {
    let checksum = checksum(json, columns);
    json.extend_from_slice(b"//");
    let digit = |shift: u32| char::from_digit((checksum >> shift) & 0xf, 16).unwrap_or('0') as u8;
    json.extend((0..8).rev().map(|place| digit(4 * place)));
}

/// The JSON without its checksum; none when that does not fit.
pub(super) fn take_off<'a>(sealed: &'a [u8], columns: &[&[u8]]) -> Option<&'a [u8]> {
    let (json, seal) = sealed.split_at_checked(sealed.len().checked_sub(SEAL_BYTES)?)?;
    let digits = str::from_utf8(seal.strip_prefix(b"//")?).ok()?;
    (u32::from_str_radix(digits, 16).ok()? == checksum(json, columns)).then_some(json)
}

fn checksum(json: &[u8], columns: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(json);
    columns.iter().for_each(|column| hasher.update(column));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut sealed = br#"{"state":"open"}"#.to_vec();
        put_on(&mut sealed, &[b"7", b"x"]);
        assert_eq!(str::from_utf8(&sealed).unwrap(), r#"{"state":"open"}//06ae2f90"#);
        assert_eq!(take_off(&sealed, &[b"7", b"x"]), Some(&br#"{"state":"open"}"#[..]));
        assert_eq!(take_off(&sealed, &[b"8", b"x"]), None);
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // `D` and `d` are the same digit.
            let is_same_digit = flipped.eq_ignore_ascii_case(&sealed) && bit / 8 >= sealed.len() - 8;
            assert!(is_same_digit || take_off(&flipped, &[b"7", b"x"]).is_none(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(take_off(&sealed[..length], &[b"7", b"x"]), None);
        }
    }
}
