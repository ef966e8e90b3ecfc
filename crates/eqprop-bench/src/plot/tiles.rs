//! Draws grayscale images as small multiples.

use plotters::prelude::RGBColor;

use super::canvas::{Anchor, Canvas, Point, document, text_width};
use super::style::{FONT, GRID, PlotError};

/// The longest side of a drawn tile in pixels.
const TILE: f64 = 84.0;
/// The color of a pixel without a value.
const MISSING: RGBColor = RGBColor(230, 159, 0);

/// One grayscale image among the small multiples of [`render_tiles`].
#[derive(Clone, Debug)]
pub struct Tile {
    /// The text above the image.
    pub caption: String,
    /// The number of rows of pixels.
    pub height: usize,
    /// The number of pixels in a row.
    pub width: usize,
    /// The pixels row by row; those missing or not finite are drawn in orange.
    pub values: Vec<f32>,
}

/// Draws labeled rows of grayscale images, black at `range.0` and white at `range.1`.
///
/// # Errors
/// If the SVG backend refuses a drawing operation.
pub fn render_tiles(
    title: &str,
    rows: &[(String, Vec<Tile>)],
    range: (f32, f32),
) -> Result<String, PlotError> {
    const GAP: f64 = 10.0;
    const CAPTION: f64 = 18.0;
    const HEADER: f64 = 40.0;
    let longest = rows.iter().map(|(label, _)| text_width(label, FONT.1));
    let labels = longest.fold(0.0, f64::max).min(150.0) + 2.0 * GAP;
    let columns = rows.iter().map(|(_, tiles)| tiles.len()).max().unwrap_or(0);
    let heights: Vec<f64> = rows
        .iter()
        .map(|(_, tiles)| tiles.iter().map(|t| tile_size(t).1).fold(14.0, f64::max))
        .collect();
    let width = (labels + columns as f64 * (TILE + GAP)).max(420.0);
    let height = HEADER + heights.iter().map(|h| h + CAPTION + GAP).sum::<f64>();
    // Without this, viewers that smooth edges show seams between neighboring pixels.
    let crisp = "shape-rendering=\"crispEdges\"";
    document((width, height), crisp, |canvas| {
        let room = width - 180.0;
        canvas.text(title, (GAP, HEADER / 2.0), Anchor::Start, FONT.0, room)?;
        draw_grey_scale(&canvas.at((width - 112.0, HEADER / 2.0)), range)?;
        let mut top = HEADER + CAPTION;
        for ((label, tiles), height) in rows.iter().zip(&heights) {
            let end = (labels - GAP, top + height / 2.0);
            canvas.text(label, end, Anchor::End, FONT.1, labels - 2.0 * GAP)?;
            for (i, tile) in tiles.iter().enumerate() {
                let left = labels + i as f64 * (TILE + GAP);
                let above = (left + TILE / 2.0, top - CAPTION / 2.0 + 1.0);
                canvas.text(&tile.caption, above, Anchor::Middle, FONT.2, TILE + GAP)?;
                let inset = (TILE - tile_size(tile).0) / 2.0;
                draw_tile(&canvas.at((left + inset, top)), tile, range)?;
            }
            top += height + CAPTION + GAP;
        }
        Ok(())
    })
}

/// Returns the drawn width and height of a tile in pixels.
fn tile_size(tile: &Tile) -> Point {
    let (height, width) = (tile.height as f64, tile.width as f64);
    let scale = TILE / height.max(width).max(1.0);
    (width * scale, height * scale)
}

fn draw_tile(canvas: &Canvas, tile: &Tile, range: (f32, f32)) -> Result<(), PlotError> {
    let (width, height) = tile_size(tile);
    let (n_rows, n_columns) = (tile.height as f64, tile.width as f64);
    for row in 0..tile.height {
        let y = |row: usize| row as f64 / n_rows * height;
        let color = |column: usize| {
            let value = tile.values.get(row * tile.width + column);
            value.map_or(MISSING, |&value| grey(value, range))
        };
        // Neighbors of equal color share one box: most images are largely background.
        let mut start = 0;
        for end in 1..=tile.width {
            if end == tile.width || color(end) != color(start) {
                let x = |column: usize| column as f64 / n_columns * width;
                canvas.fill((x(start), y(row)), (x(end), y(row + 1)), color(start))?;
                start = end;
            }
        }
    }
    canvas.frame((0.0, 0.0), (width, height), GRID)
}

/// Draws the key from values to grays: a strip of 60 pixels between its end values.
fn draw_grey_scale(canvas: &Canvas, range: (f32, f32)) -> Result<(), PlotError> {
    const LEVELS: usize = 30;
    for i in 0..LEVELS {
        let t = i as f32 / (LEVELS - 1) as f32;
        let x = 2.0 * i as f64;
        canvas.fill((x, -5.0), (x + 2.0, 5.0), grey(t, (0.0, 1.0)))?;
    }
    canvas.frame((0.0, -5.0), (60.0, 5.0), GRID)?;
    canvas.text(&range.0.to_string(), (-6.0, 0.0), Anchor::End, FONT.2, 50.0)?;
    canvas.text(
        &range.1.to_string(),
        (66.0, 0.0),
        Anchor::Start,
        FONT.2,
        60.0,
    )
}

/// Returns one of 64 grays, enough for the eye and few enough that neighbors coincide.
fn grey(value: f32, (low, high): (f32, f32)) -> RGBColor {
    if !value.is_finite() {
        return MISSING;
    }
    let fraction = if high > low {
        ((value - low) / (high - low)).clamp(0.0, 1.0)
    } else {
        0.5
    };
    let level = ((fraction * 63.0).round() / 63.0 * 255.0).round() as u8;
    RGBColor(level, level, level)
}
