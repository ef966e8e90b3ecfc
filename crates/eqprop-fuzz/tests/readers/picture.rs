//! PNG and JPEG images, as `predict` reads them.

use std::io::{Read, Write};
use std::path::Path;

use bolero::check;
use eqprop_bench::picture::pixels;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::reader::{Input, Limit, Reader};
use crate::seed::{FILE, Files, Seed};

/// A byte of the file can hold 8·1032 pixels of one bit, and a pixel takes up to 16 bytes: decoded, as
/// red, green, blue and opacity, and as a number. A byte of a JPEG image can hold 2048 pixels.
const LIMIT: Limit = Limit {
    times: 8 * 1032 * 16,
    plus: 1 << 20,
};

/// The signature of a PNG file.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Changes a chunk, and its packed content if it holds pixels, with a corrected length and checksum; or
/// the bytes.
fn change(input: &Input, seeds: &[Seed]) -> Files {
    let (seed, donor) = input.pick(seeds);
    let (bytes, donor) = (&seed.files[0].1, &donor.files[0].1);
    let changed = match chunks(bytes) {
        Some(mut chunks) if input.is_inside && !chunks.is_empty() => {
            let index = input.part(chunks.len());
            let (kind, content) = &mut chunks[index];
            *content = match inflated(content) {
                Some(rows) if kind == b"IDAT" => deflated(&input.mutate(rows, donor)),
                _ => input.mutate(content.clone(), donor),
            };
            joined(&chunks)
        }
        _ => input.mutate(bytes.clone(), donor),
    };
    vec![(FILE.to_string(), changed)]
}

type Chunk = ([u8; 4], Vec<u8>);

/// The chunks of a file: length, kind, content and checksum of each.
fn chunks(bytes: &[u8]) -> Option<Vec<Chunk>> {
    let mut rest = bytes.strip_prefix(SIGNATURE)?;
    let mut chunks = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (kind, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (content, after) = after.split_at_checked(length)?;
        chunks.push((*kind, content.to_vec()));
        rest = after.get(4..)?;
    }
    Some(chunks)
}

fn joined(chunks: &[Chunk]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    for (kind, content) in chunks {
        let checked = [&kind[..], content].concat();
        bytes.extend((content.len() as u32).to_be_bytes());
        bytes.extend(&checked);
        bytes.extend(crc32fast::hash(&checked).to_be_bytes());
    }
    bytes
}

fn inflated(packed: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let read = ZlibDecoder::new(packed).read_to_end(&mut content);
    read.is_ok().then_some(content)
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn read(folder: &Path) -> Result<(), String> {
    let bytes = std::fs::read(folder.join(FILE)).map_err(|error| error.to_string())?;
    // As a gray image and as one in color.
    for shape in [[1, 8, 8], [3, 32, 32]] {
        let image = pixels(&bytes, shape, false).map_err(|error| error.to_string())?;
        let n = shape.iter().product::<usize>();
        assert_eq!(image.values.len(), n);
        let in_range = |value: &f32| (-1e-6..=1.0 + 1e-6).contains(value);
        assert!(image.values.iter().all(in_range), "{:?}", image.values);
    }
    Ok(())
}

#[test]
fn pictures() {
    let reader = Reader::new("picture", LIMIT, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}

#[test]
fn pictures_that_unpack_to_much_are_within_their_bound() {
    // The seeds are read as they are: to change them is to pack megabytes.
    Reader::new("picture-bombs", LIMIT, change, read);
}
