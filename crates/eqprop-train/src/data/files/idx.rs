//! The header of IDX files with any contents.
//!
//! ```text
//! 0 | 0 | type | number of axes | length of each axis: 4 bytes | numbers
//! ```
//!
//! All numbers are big-endian.

use super::array::{ArrayHeader, Element};

/// Number of bytes before the axes.
pub(super) const START: usize = 4;

/// Parses the element type and the number of axes from the first bytes of a file.
pub(super) fn start(bytes: &[u8]) -> Option<(Element, usize)> {
    let &[0, 0, kind, axes @ 1..=4] = bytes else {
        return None;
    };
    let element = match kind {
        0x08 => Element::U8,
        0x09 => Element::I8,
        0x0b => Element::I16,
        0x0c => Element::I32,
        0x0d => Element::F32,
        0x0e => Element::F64,
        _ => return None,
    };
    Some((element, usize::from(axes)))
}

/// Parses the header, given the bytes of its axes.
pub(super) fn header(element: Element, axes: &[u8]) -> ArrayHeader {
    let axis = |bytes: &[u8]| {
        let bytes = bytes.try_into().expect("chunks of four");
        u32::from_be_bytes(bytes) as usize
    };
    ArrayHeader {
        shape: axes.chunks_exact(4).map(axis).collect(),
        element,
        is_big_endian: true,
        is_fortran: false,
    }
}
