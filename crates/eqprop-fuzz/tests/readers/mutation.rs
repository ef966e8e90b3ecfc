//! Changes of bytes.

use bolero::TypeGenerator;

/// Numbers at which a count, a size or an offset breaks.
const LIMITS: [u64; 16] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x10000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_fff0,
    u64::MAX,
];

/// A change of bytes. A position beyond the end wraps around to the start.
#[derive(Debug, Clone, TypeGenerator)]
pub enum Mutation {
    /// Flips one bit.
    Flip { at: u32, bit: u8 },
    /// Replaces one byte.
    Byte { at: u32, value: u8 },
    /// Replaces one, two, four or eight bytes by a number at a limit.
    Limit {
        at: u32,
        number: u8,
        width: u8,
        is_big_endian: bool,
    },
    /// Replaces the next number in digits by one at a limit.
    Digits { at: u32, number: u8 },
    /// Inserts equal bytes.
    Insert { at: u32, value: u8, n: u8 },
    /// Deletes bytes.
    Delete { at: u32, n: u8 },
    /// Repeats bytes.
    Repeat { at: u32, n: u8 },
    /// Inserts bytes of another seed.
    Splice { at: u32, from: u32, n: u8 },
    /// Cuts off the end.
    Truncate { at: u32 },
}

impl Mutation {
    /// Applies the change to `bytes`, with bytes of another seed from `donor` where needed.
    pub fn apply(&self, bytes: &mut Vec<u8>, donor: &[u8]) {
        match *self {
            Self::Flip { at, bit } => {
                let at = place(at, bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Byte { at, value } => {
                let at = place(at, bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            Self::Limit {
                at,
                number,
                width,
                is_big_endian,
            } => {
                let n_bytes = 1 << (width % 4);
                let limit = limit(number);
                let at = place(at, bytes.len());
                let end = bytes.len().min(at + n_bytes);
                let target = &mut bytes[at..end];
                let number = limit.to_le_bytes();
                target.copy_from_slice(&number[..target.len()]);
                if is_big_endian {
                    target.reverse();
                }
            }
            Self::Digits { at, number } => {
                let start = place(at, bytes.len());
                let is_digit = |&byte: &u8| byte.is_ascii_digit();
                let Some(first) = bytes[start..].iter().position(is_digit) else {
                    return;
                };
                let first = start + first;
                let n = bytes[first..].iter().take_while(|b| is_digit(b)).count();
                let digits = limit(number).to_string();
                bytes.splice(first..first + n, digits.bytes());
            }
            Self::Insert { at, value, n } => {
                let at = place(at, bytes.len());
                bytes.splice(at..at, std::iter::repeat_n(value, n.into()));
            }
            Self::Delete { at, n } => {
                let at = place(at, bytes.len());
                bytes.drain(at..bytes.len().min(at + usize::from(n)));
            }
            Self::Repeat { at, n } => {
                let at = place(at, bytes.len());
                let copy = bytes[at..bytes.len().min(at + usize::from(n))].to_vec();
                bytes.splice(at..at, copy);
            }
            Self::Splice { at, from, n } => {
                let (at, from) = (place(at, bytes.len()), place(from, donor.len()));
                let end = donor.len().min(from + usize::from(n));
                bytes.splice(at..at, donor[from..end].iter().copied());
            }
            Self::Truncate { at } => bytes.truncate(place(at, bytes.len())),
        }
    }
}

/// Half of all changes are made near the start, where the headers are.
fn place(at: u32, len: usize) -> usize {
    let (is_near, at) = (at.is_multiple_of(2), at as usize / 2);
    let len = if is_near { len.min(64) } else { len };
    at.checked_rem(len).unwrap_or(0)
}

fn limit(number: u8) -> u64 {
    LIMITS[usize::from(number) % LIMITS.len()]
}
