//! The protocol buffer of an event, as far as this program needs it.
//!
//! ```text
//! Event { wall_time: double = 1, step: int64 = 2, file_version: string = 3, summary: Summary = 5 }
//! Summary { value: repeated Value = 1 }        Value { tag: string = 1, simple_value: float = 2 }
//! ```

/// The wire types of fields: the lowest three bits of a key.
mod wire {
    pub const VARINT: u8 = 0;
    pub const BITS_64: u8 = 1;
    pub const BYTES: u8 = 2;
    pub const BITS_32: u8 = 5;
}

/// A named number.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// The name of its curve.
    pub tag: String,
    /// The number.
    pub value: f64,
}

/// Encodes the event at the start of a file.
pub fn version(wall_time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    key(&mut event, 1, wire::BITS_64);
    event.extend(wall_time.to_le_bytes());
    bytes(&mut event, 3, b"brain.Event:2");
    event
}

/// Encodes numbers measured at `step`.
pub fn scalars(wall_time: f64, step: u64, values: &[Scalar]) -> Vec<u8> {
    let mut summary = Vec::new();
    for Scalar { tag, value } in values {
        let mut written = Vec::new();
        bytes(&mut written, 1, tag.as_bytes());
        key(&mut written, 2, wire::BITS_32);
        written.extend((*value as f32).to_le_bytes());
        bytes(&mut summary, 1, &written);
    }
    let mut event = Vec::new();
    key(&mut event, 1, wire::BITS_64);
    event.extend(wall_time.to_le_bytes());
    key(&mut event, 2, wire::VARINT);
    varint(&mut event, step);
    bytes(&mut event, 5, &summary);
    event
}

/// Returns the step of an event that this program wrote: its second field, or 0 if it has none.
pub fn step(event: &[u8]) -> u64 {
    let behind_time = event.get(1 + size_of::<f64>()..).unwrap_or_default();
    let [first, rest @ ..] = behind_time else {
        return 0;
    };
    if *first != 2 << 3 | wire::VARINT {
        return 0;
    }
    let mut step = 0;
    for (place, byte) in rest.iter().enumerate().take(9) {
        step |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            break;
        }
    }
    step
}

fn key(to: &mut Vec<u8>, field: u8, wire: u8) {
    to.push(field << 3 | wire);
}

/// Encodes seven bits per byte, the lowest first; all bytes but the last have their highest bit set.
fn varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn bytes(to: &mut Vec<u8>, field: u8, content: &[u8]) {
    key(to, field, wire::BYTES);
    varint(to, content.len() as u64);
    to.extend(content);
}
