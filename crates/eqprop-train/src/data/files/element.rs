//! Element types of arrays in files.

/// Element type of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    /// Text of this many one-byte characters.
    Text(usize),
    /// Text of this many four-byte characters.
    WideText(usize),
}

impl Element {
    pub fn n_bytes(self) -> Option<usize> {
        match self {
            Self::Bool | Self::U8 | Self::I8 => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Text(n) => Some(n),
            Self::WideText(n) => n.checked_mul(4),
        }
    }

    pub fn is_text(self) -> bool {
        matches!(self, Self::Text(_) | Self::WideText(_))
    }

    /// Appends the numbers of `bytes`. Text has none.
    pub fn extend(self, numbers: &mut Vec<f32>, bytes: &[u8], is_big_endian: bool) {
        match self {
            // In one pass, because most data are bytes.
            Self::U8 | Self::Bool => numbers.extend(bytes.iter().map(|&byte| f32::from(byte))),
            element => {
                let n = element.n_bytes().unwrap_or(1).max(1);
                let items = bytes.chunks_exact(n);
                numbers.extend(items.map(|item| element.value(item, is_big_endian) as f32));
            }
        }
    }

    /// Returns one element as a number.
    pub fn value(self, item: &[u8], is_big_endian: bool) -> f64 {
        let mut bytes = [0; 8];
        let n = item.len().min(8);
        bytes[..n].copy_from_slice(&item[..n]);
        if is_big_endian {
            bytes[..n].reverse();
        }
        let [a, b, c, d, ..] = bytes;
        match self {
            Self::Bool | Self::U8 => f64::from(a),
            Self::I8 => f64::from(a as i8),
            Self::U16 => f64::from(u16::from_le_bytes([a, b])),
            Self::I16 => f64::from(i16::from_le_bytes([a, b])),
            Self::U32 => f64::from(u32::from_le_bytes([a, b, c, d])),
            Self::I32 => f64::from(i32::from_le_bytes([a, b, c, d])),
            Self::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Self::U64 => u64::from_le_bytes(bytes) as f64,
            Self::I64 => i64::from_le_bytes(bytes) as f64,
            Self::F64 => f64::from_le_bytes(bytes),
            Self::Text(_) | Self::WideText(_) => f64::NAN,
        }
    }
}
