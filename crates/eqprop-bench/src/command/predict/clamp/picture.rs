//! Draws images side by side.

use std::io::Cursor;

use anyhow::Result;
use image::{ImageFormat, Rgb, RgbImage};

/// The fewest pixels along the longer side of a shown image.
const SIDE: usize = 80;
/// Pixels between two images.
const GAP: usize = 4;
const GROUND: Rgb<u8> = Rgb([64, 64, 80]);

/// Draws images as one PNG image, `columns` to a row, from 0 in black to 1 in white; unknown pixels (NaN) are
/// left out.
pub fn png(
    images: &[Vec<f32>],
    [channels, height, width]: [usize; 3],
    columns: usize,
) -> Result<Vec<u8>> {
    let zoom = SIDE.div_ceil(height.max(width));
    let along = |n: usize, length: usize| (GAP + n * (length * zoom + GAP)) as u32;
    let columns = columns.min(images.len());
    let n_rows = images.len().div_ceil(columns);
    let mut picture = RgbImage::from_pixel(along(columns, width), along(n_rows, height), GROUND);
    for (index, image) in images.iter().enumerate() {
        let left = along(index % columns, width);
        let top = along(index / columns, height);
        for y in 0..height * zoom {
            for x in 0..width * zoom {
                let value =
                    |channel: usize| image[(channel * height + y / zoom) * width + x / zoom];
                let values = match channels {
                    3 => [0, 1, 2].map(value),
                    // If the channels are not colors, the first one is shown.
                    _ => [value(0); 3],
                };
                if values.iter().all(|value| value.is_finite()) {
                    let color = values.map(|value| (255.0 * value.clamp(0.0, 1.0)).round() as u8);
                    picture.put_pixel(left + x as u32, top + y as u32, Rgb(color));
                }
            }
        }
    }
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}
