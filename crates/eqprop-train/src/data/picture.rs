//! Pictures as inputs: PNG and JPEG images in the size and the range of the training data.

use std::io::{self, Cursor};

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, ImageDecoder, Limits, Luma, Rgba, RgbaImage};

use super::memory::MAX_RATIO;
use crate::panic;

/// Largest number of pixels of an image. Decoded they take at most 128 MiB, and as much again while they
/// are scaled.
pub const MOST_PIXELS: u64 = 1 << 24;

/// Largest width and height of an image.
pub const MOST_PIXELS_ALONG: u32 = 1 << 14;

/// Upper bound on the pixels per byte of a JPEG file: a block of 64 takes one bit, in a quarter of the
/// planes that are not halved.
const MAX_JPEG_PIXELS: u64 = 2048;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// Magic bytes of a JPEG file.
const JPEG_START: [u8; 3] = [0xff, 0xd8, 0xff];

/// End marker of a JPEG file.
const JPEG_END: [u8; 2] = [0xff, 0xd9];

/// Weights of red, green and blue in the luminance of a color, in units of 1/10,000 (Rec. 709).
const BRIGHTNESS: [u32; 3] = [2126, 7152, 722];

/// Largest difference that rounding to bytes hides.
const NO_DIFFERENCE: f32 = 0.5 / 255.0;

/// An image as a network input.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    /// Pixels in [0, 1], `[channels, height, width]`.
    pub values: Vec<f32>,
    /// Reason to doubt that the image resembles the training images.
    pub doubt: Option<Doubt>,
}

/// Reason to doubt an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// All pixels have the same value.
    Empty,
    /// The image is dark on bright. Only images of one channel are checked: photographs may be anything.
    DarkOnBright,
}

/// Error of using an image as an input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The bytes do not begin like a PNG or JPEG file.
    #[error("it is not a PNG image, nor a JPEG one: save it as PNG")]
    NotPng,
    /// The file is too long.
    #[error("it is longer than any image that is read: scale it down")]
    TooLong,
    /// The image has too many pixels.
    #[error(
        "it is an image of {width}x{height} pixels, but at most {MOST_PIXELS_ALONG} along a side and \
         {MOST_PIXELS} in all are read: scale it down"
    )]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The file is too short for the number of pixels.
    #[error(
        "it is cut short: {n_bytes} bytes cannot hold the {width}x{height} pixels that it promises; \
         save it again"
    )]
    Truncated {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Length of the file in bytes.
        n_bytes: usize,
    },
    /// The file is damaged.
    #[error("it is not an image that can be read: save it again")]
    Damaged(#[source] image::ImageError),
}

/// Decodes a PNG or JPEG file to an input of `shape`, `[channels, height, width]`: gray for one channel, red,
/// green and blue for three.
///
/// 1. Drawings on transparency are laid on the background they imply: white if the opaque pixels are dark on
///    average, and else black.
/// 2. The image is scaled to fit, with its aspect ratio kept; the margins on two sides are filled with its
///    background, the median of its border.
/// 3. With `invert` each value `x` becomes `1 − x`, for images that are dark on bright.
///
/// # Errors
/// If the bytes are not an image of at most [`MOST_PIXELS`] pixels and [`MOST_PIXELS_ALONG`] per side. Larger
/// images, and pixel counts that the bytes cannot hold, are refused before memory is allocated for them.
///
/// # Panics
/// If `shape` has a number of channels other than one or three, or no pixels.
pub fn pixels(bytes: &[u8], shape: [usize; 3], invert: bool) -> Result<Pixels, ImageError> {
    Ok(Picture::decode(bytes)?.pixels(shape, invert))
}

/// A decoded image.
#[derive(Debug, Clone)]
pub struct Picture(RgbaImage);

impl Picture {
    /// Decodes an image, and rotates it upright according to its metadata.
    ///
    /// # Errors
    /// As for [`pixels`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ImageError> {
        decode(bytes).map(Self)
    }

    /// Returns height and width.
    pub fn size(&self) -> [usize; 2] {
        [self.0.height() as usize, self.0.width() as usize]
    }

    /// Returns whether no pixel has a color.
    pub fn is_gray(&self) -> bool {
        let is_gray = |&Rgba([red, green, blue, _]): &_| red == green && green == blue;
        self.0.pixels().all(is_gray)
    }

    /// Converts the image to an input; see [`pixels`].
    ///
    /// # Panics
    /// If `shape` has a number of channels other than one or three, or no pixels.
    pub fn pixels(&self, shape: [usize; 3], invert: bool) -> Pixels {
        let Self(image) = self;
        let [channels, height, width] = shape;
        assert!(
            matches!(channels, 1 | 3) && height > 0 && width > 0,
            "an input has one or three channels and at least one pixel, but not the shape {shape:?}"
        );
        let ground = ground(image);
        let mut values = Vec::with_capacity(channels * height * width);
        for channel in 0..channels {
            let part = match channels {
                1 => Part::Brightness,
                _ => Part::Color(channel),
            };
            let plane = Plane::from_fn(image.width(), image.height(), |column, row| {
                Luma([on_ground(image.get_pixel(column, row), part, ground)])
            });
            values.extend(fit(&plane, height, width));
        }
        if invert {
            values.iter_mut().for_each(|value| *value = 1.0 - *value);
        }
        let doubt = doubt(&values, shape);
        Pixels { values, doubt }
    }
}

/// One channel of an image.
type Plane = ImageBuffer<Luma<f32>, Vec<f32>>;

/// Component of a color that a plane holds.
#[derive(Debug, Clone, Copy)]
enum Part {
    Brightness,
    Color(usize),
}

fn decode(bytes: &[u8]) -> Result<RgbaImage, ImageError> {
    let mut limits = Limits::default();
    // For the decoder's own use: rows and metadata.
    limits.max_alloc = Some(8 * MOST_PIXELS);
    if bytes.starts_with(&SIGNATURE) {
        let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits);
        // A pixel has at least one bit.
        let most_pixels = 8 * MAX_RATIO * bytes.len() as u64;
        return unpack(decoder.map_err(ImageError::Damaged)?, bytes, most_pixels);
    }
    if bytes.starts_with(&JPEG_START) {
        // The decoder makes up missing data; a truncated file is detected here.
        let is_whole = bytes.windows(2).any(|pair| pair == JPEG_END);
        if !is_whole {
            return Err(damaged("it is cut short".to_string()));
        }
        let decoder = panic::catch(|| JpegDecoder::new(Cursor::new(bytes))).map_err(damaged)?;
        let most_pixels = MAX_JPEG_PIXELS * bytes.len() as u64;
        return unpack(decoder.map_err(ImageError::Damaged)?, bytes, most_pixels);
    }
    Err(ImageError::NotPng)
}

/// Decodes the image for `bytes`, which cannot hold more than `most_pixels`.
fn unpack(
    mut decoder: impl ImageDecoder,
    bytes: &[u8],
    most_pixels: u64,
) -> Result<RgbaImage, ImageError> {
    let (width, height) = decoder.dimensions();
    let n_pixels = u64::from(width) * u64::from(height);
    if width.max(height) > MOST_PIXELS_ALONG || n_pixels > MOST_PIXELS {
        return Err(ImageError::TooLarge { width, height });
    }
    if n_pixels > most_pixels {
        return Err(ImageError::Truncated {
            width,
            height,
            n_bytes: bytes.len(),
        });
    }
    // The decoder panics on a palette whose last color is incomplete.
    let image = panic::catch(|| {
        let orientation = decoder.orientation()?;
        let mut image = DynamicImage::from_decoder(decoder)?;
        image.apply_orientation(orientation);
        Ok(image)
    });
    let image = image.map_err(damaged)?.map_err(ImageError::Damaged)?;
    if n_pixels == 0 {
        return Err(damaged("it has no pixels".to_string()));
    }
    Ok(image.into_rgba8())
}

fn damaged(reason: String) -> ImageError {
    let error = io::Error::new(io::ErrorKind::InvalidData, reason);
    ImageError::Damaged(image::ImageError::IoError(error))
}

/// Returns the background of an image: 0 or 1.
fn ground(image: &RgbaImage) -> f32 {
    let mut opacity = 0.0;
    let mut brightness = 0.0;
    for pixel in image.pixels() {
        let alpha = f64::from(pixel[3]);
        opacity += alpha;
        brightness += alpha * f64::from(value(pixel, Part::Brightness));
    }
    if brightness < 0.5 * opacity { 1.0 } else { 0.0 }
}

fn on_ground(pixel: &Rgba<u8>, part: Part, ground: f32) -> f32 {
    let alpha = f32::from(pixel[3]) / 255.0;
    alpha * value(pixel, part) + (1.0 - alpha) * ground
}

/// Returns a value in [0, 1]; for a gray pixel exactly its byte over 255.
fn value(pixel: &Rgba<u8>, part: Part) -> f32 {
    match part {
        Part::Brightness => {
            let colors = pixel.0.iter().zip(BRIGHTNESS);
            let sum: u32 = colors.map(|(&color, part)| part * u32::from(color)).sum();
            // Below 2²⁴, so that no digit is lost.
            sum as f32 / (255.0 * 10_000.0)
        }
        Part::Color(channel) => f32::from(pixel[channel]) / 255.0,
    }
}

/// Scales a plane into `height` × `width` with its aspect ratio kept, and fills the margins with its
/// background.
fn fit(plane: &Plane, height: usize, width: usize) -> Vec<f32> {
    let (columns, rows) = (f64::from(plane.width()), f64::from(plane.height()));
    let scale = (width as f64 / columns).min(height as f64 / rows);
    let scaled = |length: f64, most: usize| ((length * scale).round() as usize).clamp(1, most);
    let (columns, rows) = (scaled(columns, width), scaled(rows, height));
    let is_fitting = (plane.width() as usize, plane.height() as usize) == (columns, rows);
    let resized;
    let image = if is_fitting {
        plane
    } else {
        resized = imageops::resize(plane, columns as u32, rows as u32, FilterType::Triangle);
        &resized
    };
    let ring = border(
        plane.as_raw(),
        plane.height() as usize,
        plane.width() as usize,
    );
    let mut fitted = vec![median(ring); height * width];
    let (top, left) = ((height - rows) / 2, (width - columns) / 2);
    for (row, values) in image.as_raw().chunks_exact(columns).enumerate() {
        let start = (top + row) * width + left;
        fitted[start..start + columns].copy_from_slice(values);
    }
    fitted
}

/// Returns the values on the border of a plane.
fn border(plane: &[f32], height: usize, width: usize) -> Vec<f32> {
    let inside = |place: usize, length: usize| place > 0 && place + 1 < length;
    let rows = plane.chunks_exact(width).enumerate();
    rows.flat_map(|(row, values)| {
        let step = match inside(row, height) {
            true => (width - 1).max(1),
            false => 1,
        };
        values.iter().step_by(step).copied()
    })
    .collect()
}

fn median(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values[values.len() / 2]
}

fn doubt(values: &[f32], [channels, height, width]: [usize; 3]) -> Option<Doubt> {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if most - least < NO_DIFFERENCE {
        return Some(Doubt::Empty);
    }
    // The border shows the background, and more than half of what training images show is dark there.
    let ground = median(border(values, height, width));
    let is_bright = channels == 1 && ground > (least + most) / 2.0;
    is_bright.then_some(Doubt::DarkOnBright)
}

#[cfg(test)]
mod tests;
