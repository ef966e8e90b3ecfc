use image::{ColorType, ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::*;

const GRAY: [usize; 3] = [1, 28, 28];

fn encode(bytes: &[u8], width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
    let mut png = Vec::new();
    let encoder = PngEncoder::new(&mut png);
    encoder.write_image(bytes, width, height, color).unwrap();
    png
}

/// A gray image with a value per column and row.
fn gray(width: u32, height: u32, value: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    let places = (0..height).flat_map(|row| (0..width).map(move |column| (column, row)));
    let bytes: Vec<u8> = places.map(|(column, row)| value(column, row)).collect();
    encode(&bytes, width, height, ExtendedColorType::L8)
}

/// A square of `ink` in the middle of transparency: gray and alpha.
fn ink(ink: u8) -> Vec<u8> {
    let is_ink = |place: u32| (10..18).contains(&place);
    let places = (0..28).flat_map(|row| (0..28).map(move |column| (column, row)));
    let bytes = places.flat_map(|(column, row)| match is_ink(column) && is_ink(row) {
        true => [ink, 255],
        false => [128, 0],
    });
    let bytes: Vec<u8> = bytes.collect();
    encode(&bytes, 28, 28, ExtendedColorType::La8)
}

/// The chunk of a PNG file.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut checksum = flate2::Crc::new();
    checksum.update(kind);
    checksum.update(data);
    let length = (data.len() as u32).to_be_bytes();
    let sum = checksum.sum().to_be_bytes();
    [&length[..], kind, data, &sum].concat()
}

/// A PNG file that promises so many pixels of a color type, with `data` for them.
fn promising(width: u32, height: u32, [depth, color]: [u8; 2], data: &[u8]) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, color, 0, 0, 0]);
    let mut file = SIGNATURE.to_vec();
    file.extend(chunk(b"IHDR", &header));
    if color == 3 {
        file.extend(chunk(b"PLTE", &[255, 0, 0, 0, 0, 255]));
    }
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut packed, data).unwrap();
    file.extend(chunk(b"IDAT", &packed.finish().unwrap()));
    file.extend(chunk(b"IEND", &[]));
    file
}

fn values(png: &[u8], shape: [usize; 3]) -> Vec<f32> {
    pixels(png, shape, false).unwrap().values
}

#[test]
fn an_image_of_the_right_size_is_taken_byte_by_byte() {
    let png = gray(28, 28, |column, row| (7 * row + column) as u8);
    let expected: Vec<f32> = (0..28)
        .flat_map(|row| (0..28).map(move |column| f32::from((7 * row + column) as u8) / 255.0))
        .collect();
    assert_eq!(values(&png, GRAY), expected);
    let inverted = pixels(&png, GRAY, true).unwrap().values;
    assert!(inverted.iter().zip(&expected).all(|(x, y)| *x == 1.0 - y));
}

#[test]
fn every_kind_of_png_says_the_same() {
    let value = |place: u32| if place == 1 { 204 } else { 51 };
    let expected: Vec<f32> = (0..4).map(|p| value(p) as f32 / 255.0).collect();
    let bytes = |of: &dyn Fn(u8) -> Vec<u8>| (0..4).flat_map(|p| of(value(p) as u8)).collect();
    let encoded = |bytes: Vec<u8>, color: ColorType| encode(&bytes, 2, 2, color.into());
    // 16 bits in the order of the machine, as `image` takes them.
    let wide = |x: u8| (257 * u16::from(x)).to_ne_bytes().to_vec();
    for png in [
        encoded(bytes(&|x| vec![x]), ColorType::L8),
        encoded(bytes(&|x| vec![x, 255]), ColorType::La8),
        encoded(bytes(&|x| vec![x; 3]), ColorType::Rgb8),
        encoded(bytes(&|x| vec![x, x, x, 255]), ColorType::Rgba8),
        encoded(bytes(&wide), ColorType::L16),
        encoded(bytes(&|x| wide(x).repeat(3)), ColorType::Rgb16),
    ] {
        assert_eq!(values(&png, [1, 2, 2]), expected);
        let colors = values(&png, [3, 2, 2]);
        assert_eq!(colors, expected.repeat(3));
    }
    // A palette of red and blue with one bit per pixel: red in the first column.
    let png = promising(2, 2, [1, 3], &[0, 0b0100_0000, 0, 0b0100_0000]);
    let colors = values(&png, [3, 2, 2]);
    assert_eq!(colors[..4], [1.0, 0.0, 1.0, 0.0]);
    assert_eq!(colors[4..8], [0.0; 4]);
    assert_eq!(colors[8..], [0.0, 1.0, 0.0, 1.0]);
    let brightness = values(&png, [1, 2, 2]);
    assert_eq!(brightness[..2], [0.2126, 0.0722]);
}

#[test]
fn ink_on_transparency_lies_on_the_ground_that_it_implies() {
    for (color, ground, doubt) in [(0, 1.0, Some(Doubt::DarkOnBright)), (255, 0.0, None)] {
        let found = pixels(&ink(color), GRAY, false).unwrap();
        assert_eq!(found.values[0], ground);
        assert_eq!(found.values[14 * 28 + 14], f32::from(color) / 255.0);
        assert_eq!(found.doubt, doubt);
    }
    // Dark ink becomes bright on dark, as bright ink is without.
    let inverted = pixels(&ink(0), GRAY, true).unwrap();
    assert_eq!(inverted, pixels(&ink(255), GRAY, false).unwrap());
    let inverted = pixels(&ink(255), GRAY, true).unwrap();
    assert_eq!(inverted.doubt, Some(Doubt::DarkOnBright));
}

#[test]
fn half_transparent_ink_is_mixed_with_its_ground() {
    let bytes = [0, 0, 0, 255, 0, 128, 0, 0];
    let png = encode(&bytes, 2, 2, ExtendedColorType::La8);
    let half = 1.0 - 128.0 / 255.0;
    assert_eq!(values(&png, [1, 2, 2]), [1.0, 0.0, half, 1.0]);
}

#[test]
fn an_oblong_image_keeps_its_proportions_on_its_ground() {
    // A bright bar of 14 x 28 in 28 x 56, upright and lying, on dark and on bright ground.
    for (bar, ground) in [(255, 26), (26, 255)] {
        let within = |place: u32, length: u32| (length / 4..3 * length / 4).contains(&place);
        let of = |column, row, width, height| match within(column, width) && within(row, height) {
            true => bar,
            false => ground,
        };
        let upright = values(&gray(28, 56, |c, r| of(c, r, 28, 56)), GRAY);
        let lying = values(&gray(56, 28, |c, r| of(c, r, 56, 28)), GRAY);
        let at = |values: &[f32], row: usize, column: usize| values[28 * row + column];
        for row in 0..28 {
            for column in 0..28 {
                // Rows are scaled before columns, so that the last digit may differ.
                let difference = at(&upright, row, column) - at(&lying, column, row);
                assert!(difference.abs() < 1e-6, "{row} {column}: {difference}");
                // The bar is now 7 x 14; its edges are mixed with the ground within one pixel.
                let distance = |place: usize, half: f32| (place as f32 - 13.5).abs() - half;
                let outside = distance(row, 7.0).max(distance(column, 3.5));
                let found = 255.0 * at(&upright, row, column);
                if outside < -1.0 {
                    assert!(
                        (found - f32::from(bar)).abs() < 1.0,
                        "{row} {column}: {found}"
                    );
                }
                if outside > 1.0 {
                    assert!(
                        (found - f32::from(ground)).abs() < 1.0,
                        "{row} {column}: {found}"
                    );
                }
            }
        }
    }
    for (width, height) in [(1, 3000), (3000, 1), (1, 1)] {
        assert_eq!(values(&gray(width, height, |_, _| 9), GRAY).len(), 784);
    }
}

#[test]
fn an_empty_image_is_doubted() {
    for png in [
        gray(28, 28, |_, _| 0),
        gray(5, 9, |_, _| 77),
        encode(&[0; 4 * 9], 3, 3, ExtendedColorType::Rgba8),
    ] {
        for shape in [GRAY, [3, 32, 32]] {
            let found = pixels(&png, shape, false).unwrap();
            assert_eq!(found.doubt, Some(Doubt::Empty));
        }
    }
    let faint = gray(28, 28, |column, _| u8::from(column == 14));
    assert_eq!(pixels(&faint, GRAY, false).unwrap().doubt, None);
}

#[test]
fn an_image_that_is_dark_on_bright_is_doubted_where_there_is_one_channel() {
    // Also a scan of little contrast, whose paper is no more than gray.
    for (paper, stroke) in [(255, 0), (110, 40)] {
        let dark = gray(50, 50, |column, _| match column {
            20..30 => stroke,
            _ => paper,
        });
        let doubt = |invert| pixels(&dark, GRAY, invert).unwrap().doubt;
        assert_eq!(doubt(false), Some(Doubt::DarkOnBright));
        assert_eq!(doubt(true), None);
        assert_eq!(pixels(&dark, [3, 32, 32], false).unwrap().doubt, None);
    }
}

#[test]
fn images_too_large_are_refused_before_memory_is_taken() {
    for (width, height) in [(60_000, 60_000), (16_385, 1), (1, 16_385), (4097, 4097)] {
        let png = promising(width, height, [16, 6], &[0]);
        assert!(matches!(
            pixels(&png, GRAY, false),
            Err(ImageError::TooLarge { width: w, height: h }) if (w, h) == (width, height)
        ));
    }
    // No more than the file can hold either.
    let png = promising(4096, 4096, [16, 6], &[0]);
    assert!(matches!(
        pixels(&png, GRAY, false),
        Err(ImageError::Truncated { .. })
    ));
}

#[test]
fn what_is_no_png_image_is_refused() {
    for bytes in [&b""[..], b"GIF89a", b"\xff\xd8", &SIGNATURE[..7]] {
        assert!(matches!(
            pixels(bytes, GRAY, false),
            Err(ImageError::NotPng)
        ));
    }
    // The beginning of a JPEG file, and no more.
    assert!(pixels(b"\xff\xd8\xff\xe0", GRAY, false).is_err());
    let whole = gray(28, 28, |column, row| (column * row) as u8);
    for length in [8, 20, 40, whole.len() / 2] {
        assert!(matches!(
            pixels(&whole[..length], GRAY, false),
            Err(ImageError::Damaged(_))
        ));
    }
    assert!(pixels(&promising(0, 5, [8, 0], &[]), GRAY, false).is_err());
}
