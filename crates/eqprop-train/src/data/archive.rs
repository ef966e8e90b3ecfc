//! Extraction of single files from a tar archive compressed by gzip.
//!
//! ```text
//! entry:  header of 512 bytes | content, filled up to a multiple of 512 bytes
//! header: name 0..100 | size in octal digits 124..136 | checksum 148..156 | type 156 | …
//! ```
//!
//! A header of zeros ends the archive.

use std::io::{self, Read};

use flate2::read::GzDecoder;

const BLOCK: usize = 512;

/// Extracts the files `names`, from any directory of the archive, each of exactly `n_bytes`.
///
/// # Errors
/// If the archive is damaged, or a file is missing or of another size.
pub(super) fn extract<'a>(
    packed: &[u8],
    names: &[&'a str],
    n_bytes: usize,
) -> io::Result<Vec<(&'a str, Vec<u8>)>> {
    let mut archive = GzDecoder::new(packed);
    let mut missing = names.to_vec();
    let mut files = Vec::with_capacity(names.len());
    while !missing.is_empty() {
        let mut header = [0; BLOCK];
        archive.read_exact(&mut header)?;
        if header == [0; BLOCK] {
            return Err(invalid(format!("it lacks {}", missing.join(", "))));
        }
        let size = content_size(&header)?;
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        let Some(index) = missing.iter().position(|name| is_file(&header, name)) else {
            skip(&mut archive, size + padding)?;
            continue;
        };
        let name = missing.remove(index);
        if size != n_bytes as u64 {
            let message = format!("{name}: expected {n_bytes} bytes, found {size}");
            return Err(invalid(message));
        }
        let mut content = vec![0; n_bytes];
        archive.read_exact(&mut content)?;
        skip(&mut archive, padding)?;
        files.push((name, content));
    }
    // The data after the last file is read too, so that the decoder verifies its checksum.
    io::copy(&mut archive, &mut io::sink())?;
    Ok(files)
}

/// Returns the size in a header with a valid checksum: the sum of its bytes, with the checksum field as
/// spaces.
fn content_size(header: &[u8; BLOCK]) -> io::Result<u64> {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let checksum = sum(&header[..148]) + 8 * u64::from(b' ') + sum(&header[156..]);
    match (octal(&header[148..156]), octal(&header[124..136])) {
        // No useful archive is longer; a larger size would overflow when it is rounded up.
        (Some(found), Some(size)) if found == checksum && size < 1 << 40 => Ok(size),
        _ => Err(invalid("it holds a damaged header".into())),
    }
}

/// Parses an octal number surrounded by spaces and zero bytes.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

/// Returns whether a header is that of a plain file of this name, in any directory.
fn is_file(header: &[u8; BLOCK], name: &str) -> bool {
    let path = header[..100].split(|&byte| byte == 0).next();
    let last = path.and_then(|path| path.rsplit(|&byte| byte == b'/').next());
    matches!(header[156], 0 | b'0') && last == Some(name.as_bytes())
}

fn skip(archive: &mut impl Read, n_bytes: u64) -> io::Result<()> {
    match io::copy(&mut archive.take(n_bytes), &mut io::sink())? {
        skipped if skipped == n_bytes => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
