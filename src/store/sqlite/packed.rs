//! Bodies of the rows that a storm writes: MessagePack with the names of the fields, so that a version may
//! add and drop some. It is the JSON of the API in two thirds of the bytes, with times and ids as numbers.
//!
//! Rows that are written seldom stay JSON, for whoever looks into the file. The first byte tells: JSON is
//! ASCII there, and a MessagePack map is not.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) type Refused = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn write(bytes: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Refused> {
    value.serialize(&mut rmp_serde::Serializer::new(bytes).with_struct_map()).map_err(Into::into)
}

/// Either kind of body.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    match body.first() {
        Some(0x80..) => rmp_serde::from_slice(body).map_err(Into::into),
        _ => serde_json::from_slice(body).map_err(Into::into),
    }
}
