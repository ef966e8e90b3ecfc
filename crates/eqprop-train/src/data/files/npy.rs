//! The header of NumPy's `.npy` format.
//!
//! ```text
//! 93 "NUMPY" | major | minor | length of the text: 2 bytes, from version 2 on 4 | text | numbers
//! text: {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
//! ```

use super::array::{ArrayHeader, Element};

/// Magic bytes of an `.npy` file.
pub(super) const MAGIC: [u8; 6] = *b"\x93NUMPY";

/// Number of bytes before the length field.
pub(super) const START: usize = 8;

/// Largest length of the text: NumPy's own is below a kilobyte.
const MOST_TEXT: usize = 1 << 16;

/// Returns the size of the length field in bytes, from the first bytes of a file.
pub(super) fn length_bytes(start: &[u8]) -> Result<usize, String> {
    match start {
        [magic @ .., 1, _] if magic == MAGIC => Ok(2),
        [magic @ .., 2 | 3, _] if magic == MAGIC => Ok(4),
        [magic @ .., major, _] if magic == MAGIC => Err(format!("version {major} is not known")),
        _ => Err("it does not begin as an array of NumPy".into()),
    }
}

/// Parses the length of the text.
pub(super) fn text_length(bytes: &[u8]) -> Result<usize, String> {
    let length = bytes
        .iter()
        .rev()
        .fold(0usize, |length, &byte| length << 8 | usize::from(byte));
    if length > MOST_TEXT {
        return Err(format!("its header promises {length} bytes of text"));
    }
    Ok(length)
}

/// Parses the header text.
pub(super) fn parse(text: &[u8]) -> Result<ArrayHeader, String> {
    let text = std::str::from_utf8(text).map_err(|_| "its header is no text")?;
    let shape = field(text, "shape")?;
    let shape = shape
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'));
    let (shape, _) = shape.ok_or("its header has no shape")?;
    let axes = shape
        .split(',')
        .map(str::trim)
        .filter(|axis| !axis.is_empty());
    let shape = axes.map(|axis| axis.parse::<usize>());
    let shape: Result<Vec<_>, _> = shape.collect();
    let descr = field(text, "descr")?;
    let Some(descr) = quoted(descr) else {
        return Err("its elements are records: save one array of numbers".into());
    };
    let (order, kind) = match descr.as_bytes() {
        [order @ (b'<' | b'>' | b'|' | b'='), kind @ ..] => (*order, kind),
        kind => (b'=', kind),
    };
    let (&kind, size) = kind.split_first().ok_or("its header has no type")?;
    let size = std::str::from_utf8(size).unwrap_or_default();
    let size: Option<usize> = size.parse().ok();
    let element = match (kind, size) {
        (b'b', Some(1)) => Element::Bool,
        (b'u', Some(1)) => Element::U8,
        (b'i', Some(1)) => Element::I8,
        (b'u', Some(2)) => Element::U16,
        (b'i', Some(2)) => Element::I16,
        (b'u', Some(4)) => Element::U32,
        (b'i', Some(4)) => Element::I32,
        (b'u', Some(8)) => Element::U64,
        (b'i', Some(8)) => Element::I64,
        (b'f', Some(4)) => Element::F32,
        (b'f', Some(8)) => Element::F64,
        (b'S', Some(n)) if n > 0 => Element::Text(n),
        (b'U', Some(n)) if n > 0 => Element::WideText(n),
        (b'O', _) => return Err("its elements are Python objects: save it as numbers".into()),
        _ => return Err(format!("its elements are `{descr}`, which are not read")),
    };
    Ok(ArrayHeader {
        shape: shape.map_err(|_| "its header has no shape")?,
        element,
        is_big_endian: order == b'>',
        is_fortran: field(text, "fortran_order")?.starts_with("True"),
    })
}

/// Returns the text after the name of a field.
fn field<'a>(text: &'a str, name: &str) -> Result<&'a str, String> {
    let lacks = || format!("its header has no `{name}`");
    let (_, rest) = text.split_once(&format!("'{name}'")).ok_or_else(lacks)?;
    let rest = rest.trim_start().strip_prefix(':').ok_or_else(lacks)?;
    Ok(rest.trim_start())
}

/// Returns the quoted string at the start of the text.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| ['\'', '"'].contains(c))?;
    text[1..].split(quote).next()
}
