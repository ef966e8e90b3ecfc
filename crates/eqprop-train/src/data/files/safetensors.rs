//! The header of safetensors.
//!
//! ```text
//! length of the text: 8 bytes | text | numbers
//! text: {"x": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …, "__metadata__": {…}}
//! ```

use serde::Deserialize;
use serde_json::{Map, Value};

use super::array::{ArrayHeader, Element};

/// Number of bytes of the length field.
pub(super) const START: usize = 8;

/// Largest length of the text that the format allows.
pub(super) const MOST_TEXT: u64 = 100_000_000;

/// Description of an array in the header.
#[derive(Debug, Deserialize)]
struct Described {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// Parses name, header and offset after the text of each array; none exceeds `n_bytes`.
pub(super) fn parse(
    text: &[u8],
    n_bytes: u64,
) -> Result<Vec<(String, ArrayHeader, usize)>, String> {
    let described: Map<String, Value> =
        serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let described = described.into_iter();
    let arrays = described.filter(|(name, _)| name != "__metadata__");
    let array = |(name, value): (String, Value)| {
        let described = Described::deserialize(value);
        let described = described.map_err(|error| format!("array `{name}`: {error}"))?;
        let element = match described.dtype.as_str() {
            "BOOL" => Element::Bool,
            "U8" => Element::U8,
            "I8" => Element::I8,
            "U16" => Element::U16,
            "I16" => Element::I16,
            "U32" => Element::U32,
            "I32" => Element::I32,
            "U64" => Element::U64,
            "I64" => Element::I64,
            "F32" => Element::F32,
            "F64" => Element::F64,
            other => {
                return Err(format!(
                    "array `{name}` is of `{other}`, which are not read"
                ));
            }
        };
        let header = ArrayHeader {
            shape: described.shape,
            element,
            is_big_endian: false,
            is_fortran: false,
        };
        let [start, end] = described.data_offsets;
        let is_sound = end.checked_sub(start) == header.n_bytes() && end as u64 <= n_bytes;
        match is_sound {
            true => Ok((name, header, start)),
            false => Err(format!("array `{name}` does not lie within the file")),
        }
    };
    arrays.map(array).collect()
}
