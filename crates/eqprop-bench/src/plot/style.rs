//! The style shared by all figures.

use std::{error::Error, fmt, io};

use plotters::prelude::{DrawingAreaErrorKind, RGBColor};

/// Width and height of a panel in pixels.
pub const PANEL: (f64, f64) = (480.0, 340.0);
/// Font sizes of headings, axis names and other text.
pub const FONT: (f64, f64, f64) = (15.0, 13.0, 11.5);
/// The colors of Okabe and Ito, safe for the color-blind, without yellow, which is too faint for a line on
/// white.
pub const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];
pub const GRID: RGBColor = RGBColor(228, 228, 228);

/// How an axis maps values to positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal distances for equal differences.
    Linear,
    /// Equal distances for equal ratios; only positive values can be drawn.
    Log,
}

/// A drawing that the SVG backend refused.
#[derive(Debug)]
pub struct PlotError(DrawingAreaErrorKind<io::Error>);

impl fmt::Display for PlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot draw the SVG figure")
    }
}

impl Error for PlotError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl From<DrawingAreaErrorKind<io::Error>> for PlotError {
    fn from(error: DrawingAreaErrorKind<io::Error>) -> Self {
        Self(error)
    }
}
