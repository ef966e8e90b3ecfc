//! A white page for lines, boxes and text, addressed in pixels of the finished figure.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::style::PlotError;

/// Grid steps of the drawing per pixel: the backend rounds coordinates to integers, so that on
/// the pixel grid itself a slowly decaying curve would show steps.
const UNIT: f64 = 8.0;
/// Estimated width of a character in units of the font size. An SVG's fonts are the viewer's, so
/// text cannot be measured; this is generous for the usual sans-serif fonts.
const CHAR_WIDTH: f64 = 0.6;
/// The smallest font size to which text shrinks before it is shortened.
const MIN_FONT: f64 = 10.0;

pub(super) const INK: RGBColor = RGBColor(40, 40, 40);

pub(super) type Point = (f64, f64);

/// The position of text relative to its anchor point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    /// To the right, vertically centered.
    Start,
    /// Centered both ways.
    Middle,
    /// To the left, vertically centered.
    End,
    /// Centered both ways and read upward.
    Upward,
}

/// A drawing surface whose origin is the upper left corner of one part of the page.
pub(super) struct Canvas<'a> {
    page: DrawingArea<SVGBackend<'a>, Shift>,
    origin: Point,
}

impl<'a> Canvas<'a> {
    /// Returns the same page with its origin moved to `origin`.
    pub(super) fn at(&self, origin: Point) -> Self {
        Self {
            page: self.page.clone(),
            origin,
        }
    }

    pub(super) fn line(
        &self,
        points: &[Point],
        color: RGBColor,
        width: f64,
    ) -> Result<(), PlotError> {
        let path: Vec<_> = points.iter().map(|&p| self.grid(p)).collect();
        let style = color.stroke_width((width * UNIT) as u32);
        Ok(self.page.draw(&PathElement::new(path, style))?)
    }

    pub(super) fn dot(&self, center: Point, radius: f64, color: RGBColor) -> Result<(), PlotError> {
        let radius = (radius * UNIT) as u32;
        let dot = Circle::new(self.grid(center), radius, color.filled());
        Ok(self.page.draw(&dot)?)
    }

    /// Draws a filled box between two opposite corners.
    pub(super) fn fill<C: Color>(&self, from: Point, to: Point, color: C) -> Result<(), PlotError> {
        let corners = [self.grid(from), self.grid(to)];
        Ok(self.page.draw(&Rectangle::new(corners, color.filled()))?)
    }

    /// Fills the inside of a closed line.
    pub(super) fn area<C: Color>(&self, outline: &[Point], color: C) -> Result<(), PlotError> {
        let outline: Vec<_> = outline.iter().map(|&p| self.grid(p)).collect();
        Ok(self.page.draw(&Polygon::new(outline, color.filled()))?)
    }

    /// Draws the outline of a box between two opposite corners.
    pub(super) fn frame(&self, from: Point, to: Point, color: RGBColor) -> Result<(), PlotError> {
        let outline = [from, (to.0, from.1), to, (from.0, to.1), from];
        self.line(&outline, color, 1.0)
    }

    /// Draws text of at most `room` pixels: it is shrunk first, then shortened with an ellipsis.
    pub(super) fn text(
        &self,
        text: &str,
        at: Point,
        anchor: Anchor,
        font_size: f64,
        room: f64,
    ) -> Result<(), PlotError> {
        // Control characters are not allowed in XML, not even escaped.
        let mut text: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let n_chars = text.chars().count().max(1) as f64;
        let font_size = font_size.min((room / (CHAR_WIDTH * n_chars)).max(MIN_FONT));
        let n_fitting = (room / (CHAR_WIDTH * font_size) + 1e-6) as usize;
        if n_chars as usize > n_fitting {
            text = text.chars().take(n_fitting.saturating_sub(1)).collect();
            text.push('…');
        }
        let horizontal = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle | Anchor::Upward => HPos::Center,
            Anchor::End => HPos::Right,
        };
        // The backend writes font sizes divided by 1.24.
        let mut style = ("sans-serif", font_size * UNIT * 1.24)
            .into_text_style(&self.page)
            .color(&INK)
            .pos(Pos::new(horizontal, VPos::Center));
        if let Anchor::Upward = anchor {
            style = style.transform(FontTransform::Rotate270);
        }
        Ok(self.page.draw_text(&text, &style, self.grid(at))?)
    }

    fn grid(&self, (x, y): Point) -> (i32, i32) {
        let on_grid = |v: f64| (v * UNIT).round() as i32;
        (on_grid(self.origin.0 + x), on_grid(self.origin.1 + y))
    }
}

/// Returns the estimated width of `text` in pixels.
pub(super) fn text_width(text: &str, font_size: f64) -> f64 {
    text.chars().count() as f64 * font_size * CHAR_WIDTH
}

/// Returns an SVG document of `size` pixels drawn by `draw`, with `attributes` on its root element.
pub(super) fn document(
    size: Point,
    attributes: &str,
    draw: impl FnOnce(&Canvas) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    let grid = ((size.0 * UNIT) as u32, (size.1 * UNIT) as u32);
    {
        let page = SVGBackend::with_string(&mut svg, grid).into_drawing_area();
        page.fill(&WHITE)?;
        let canvas = Canvas {
            page,
            origin: (0.0, 0.0),
        };
        draw(&canvas)?;
        canvas.page.present()?;
    }
    // The backend's `viewBox` keeps the grid's size; only the displayed size is in pixels.
    let on_grid = format!("width=\"{}\" height=\"{}\"", grid.0, grid.1);
    let in_pixels = format!("width=\"{}\" height=\"{}\" {attributes}", size.0, size.1);
    Ok(svg.replacen(&on_grid, &in_pixels, 1))
}
