//! Draws line charts and grayscale tiles as standalone SVG documents.

mod axis;
mod bars;
mod canvas;
mod style;
mod tiles;

use plotters::prelude::{Color, WHITE};

use axis::{Axis, position, widest_label};
use canvas::{Anchor, Canvas, INK, Point, document, text_width};

use style::{FONT, GRID, PALETTE, PANEL};

pub use bars::{Bar, render_bars};
pub use style::{PlotError, Scale};
pub use tiles::{Tile, render_tiles};

/// Series with fewer drawable points than this get a marker at each.
const MARKERS_BELOW: usize = 40;

/// One line of a chart.
///
/// A point that cannot be drawn (not finite, above `1e300` in magnitude, or not positive on a log
/// scale) is left out and interrupts the line.
#[derive(Clone, Debug)]
pub struct Series {
    /// The name in the legend.
    pub label: String,
    /// The points `(x, y)` in drawing order.
    pub points: Vec<(f64, f64)>,
}

/// A band around a line, `(x, low, high)` in drawing order, drawn as a shade behind it.
pub type Band = Vec<(f64, f64, f64)>;

/// One set of axes. Colors repeat after seven series.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The heading above the axes.
    pub title: String,
    /// The name of the horizontal axis.
    pub x_label: String,
    /// The name of the vertical axis.
    pub y_label: String,
    /// The scale of the horizontal axis.
    pub x_scale: Scale,
    /// The scale of the vertical axis.
    pub y_scale: Scale,
    /// The lines in the order of the legend.
    pub series: Vec<Series>,
    /// Whether this panel has the legend.
    has_legend: bool,
}

impl Series {
    /// Creates the line `label` through `points`.
    pub fn new(label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self {
            label: label.into(),
            points: points.into_iter().collect(),
        }
    }
}

impl Panel {
    /// Creates a panel with these axis names and scales, horizontal first.
    pub fn new(
        title: impl Into<String>,
        [x_label, y_label]: [&str; 2],
        [x_scale, y_scale]: [Scale; 2],
        series: Vec<Series>,
    ) -> Self {
        Self {
            title: title.into(),
            x_label: x_label.to_string(),
            y_label: y_label.to_string(),
            x_scale,
            y_scale,
            has_legend: series.len() > 1,
            series,
        }
    }

    /// Returns the panel without its legend, to stand beside one that names the lines.
    pub fn without_legend(self) -> Self {
        Self {
            has_legend: false,
            ..self
        }
    }
}

/// Draws the panels left to right, `columns` to a row, as a standalone SVG document.
///
/// # Errors
/// If the SVG backend refuses a drawing operation.
pub fn render(panels: &[Panel], columns: usize) -> Result<String, PlotError> {
    render_with_bands(panels, &[], columns)
}

/// Does the same as [`render`], and draws a band behind each series that has one.
///
/// # Errors
/// As [`render`].
pub fn render_with_bands(
    panels: &[Panel],
    bands: &[Vec<Band>],
    columns: usize,
) -> Result<String, PlotError> {
    let columns = columns.min(panels.len()).max(1);
    let rows = panels.len().div_ceil(columns).max(1);
    let size = (columns as f64 * PANEL.0, rows as f64 * PANEL.1);
    let round_corners = "stroke-linejoin=\"round\"";
    document(size, round_corners, |canvas| {
        for (i, panel) in panels.iter().enumerate() {
            let (column, row) = ((i % columns) as f64, (i / columns) as f64);
            let bands = bands.get(i).map_or(&[][..], Vec::as_slice);
            draw_panel(&canvas.at((column * PANEL.0, row * PANEL.1)), panel, bands)?;
        }
        Ok(())
    })
}

/// A run of consecutive drawable points.
type Segment = Vec<Point>;

/// Returns the runs of drawable points of `series`, as positions on the panel's axes.
fn segments(panel: &Panel, series: &Series) -> Vec<Segment> {
    let place = |&(x, y): &Point| Some((position(panel.x_scale, x)?, position(panel.y_scale, y)?));
    let placed: Vec<_> = series.points.iter().map(place).collect();
    placed
        .split(Option::is_none)
        .map(|run| run.iter().flatten().copied().collect::<Segment>())
        .filter(|segment| !segment.is_empty())
        .collect()
}

/// Returns the runs of drawable points of `band`: its lower and its upper edge.
fn strips(panel: &Panel, band: &Band) -> Vec<[Segment; 2]> {
    let place = |&(x, low, high): &(f64, f64, f64)| {
        let x = position(panel.x_scale, x)?;
        let [low, high] = [low, high].map(|y| position(panel.y_scale, y));
        Some(((x, low?), (x, high?)))
    };
    let placed: Vec<_> = band.iter().map(place).collect();
    let runs = placed.split(Option::is_none).filter(|run| !run.is_empty());
    let strips = runs.map(|run| {
        let (low, high) = run.iter().flatten().copied().unzip();
        [low, high]
    });
    strips.collect()
}

fn draw_panel(canvas: &Canvas, panel: &Panel, bands: &[Band]) -> Result<(), PlotError> {
    let lines: Vec<_> = panel.series.iter().map(|s| segments(panel, s)).collect();
    let bands: Vec<_> = bands.iter().map(|band| strips(panel, band)).collect();
    let points = || {
        let ends = bands.iter().flatten().flatten().flatten();
        lines.iter().flatten().flatten().chain(ends)
    };
    let y_axis_with = |extra: Option<f64>| {
        let positions = points().map(|p| p.1).chain(extra);
        Axis::new(panel.y_scale, positions, 0.05, 7)
    };
    let mut y_axis = y_axis_with(None);
    // One character of slack, because the labels may change with the headroom for the legend.
    let left = 48.0 + widest_label(&y_axis).max(18.0);
    let (right, top, bottom) = (PANEL.0 - 18.0, 38.0, PANEL.1 - 50.0);
    let (width, height) = (right - left, bottom - top);
    let x_axis_with = |n_ticks| Axis::new(panel.x_scale, points().map(|p| p.0), 0.02, n_ticks);
    let x_axis = [7, 5, 3]
        .map(x_axis_with)
        .into_iter()
        .find(|axis| axis.ticks.len() as f64 * (widest_label(axis) + 14.0) < width)
        .unwrap_or_else(|| x_axis_with(2));

    let place_on = |axis: &Axis, &(x, y): &Point| {
        let (x, y) = (x_axis.fraction(x), axis.fraction(y));
        (left + x * width, bottom - y * height)
    };
    let on_page = |axis: &Axis| -> Vec<Vec<Segment>> {
        let place = |point: &Point| place_on(axis, point);
        let place_all = |segment: &Segment| segment.iter().map(place).collect();
        let place_line = |line: &Vec<Segment>| line.iter().map(place_all).collect();
        lines.iter().map(place_line).collect()
    };
    let mut paths = on_page(&y_axis);
    let legend = legend_size(panel, width);
    let margin = 8.0;
    let (far_x, far_y) = (right - margin - legend.0, bottom - margin - legend.1);
    let (near_x, near_y) = (left + margin, top + margin);
    let corner = [
        (far_x, near_y),
        (near_x, near_y),
        (far_x, far_y),
        (near_x, far_y),
    ]
    .into_iter()
    .find(|&corner| !covers(corner, legend, &paths));
    // If every corner is taken, the axis grows until the upper right one is free.
    if panel.has_legend && corner.is_none() && legend.1 < 0.5 * height {
        let stretch = height / (height - legend.1 - 2.0 * margin);
        y_axis = y_axis_with(Some(y_axis.low + (y_axis.high - y_axis.low) * stretch));
        paths = on_page(&y_axis);
    }

    let middle = (left + right) / 2.0;
    canvas.text(
        &panel.title,
        (middle, top / 2.0),
        Anchor::Middle,
        FONT.0,
        width,
    )?;
    let below = (middle, PANEL.1 - 18.0);
    canvas.text(&panel.x_label, below, Anchor::Middle, FONT.1, width)?;
    let beside = (15.0, (top + bottom) / 2.0);
    canvas.text(&panel.y_label, beside, Anchor::Upward, FONT.1, height)?;
    for tick in &y_axis.ticks {
        let y = bottom - y_axis.fraction(tick.position) * height;
        canvas.line(&[(left, y), (right, y)], GRID, 1.0)?;
        canvas.text(&tick.label, (left - 7.0, y), Anchor::End, FONT.2, left)?;
    }
    for tick in &x_axis.ticks {
        let x = left + x_axis.fraction(tick.position) * width;
        canvas.line(&[(x, top), (x, bottom)], GRID, 1.0)?;
        canvas.text(
            &tick.label,
            (x, bottom + 13.0),
            Anchor::Middle,
            FONT.2,
            width,
        )?;
    }
    canvas.frame((left, top), (right, bottom), INK)?;
    if points().next().is_none() {
        let center = (middle, (top + bottom) / 2.0);
        return canvas.text("no data", center, Anchor::Middle, FONT.1, width);
    }
    for (bands, &color) in bands.iter().zip(PALETTE.iter().cycle()) {
        for [low, high] in bands {
            if low.len() < 2 {
                continue;
            }
            let outline = low.iter().chain(high.iter().rev());
            let outline: Segment = outline.map(|point| place_on(&y_axis, point)).collect();
            canvas.area(&outline, color.mix(0.15))?;
        }
    }
    for (path, &color) in paths.iter().zip(PALETTE.iter().cycle()) {
        let n_points: usize = path.iter().map(Vec::len).sum();
        for segment in path {
            if segment.len() > 1 {
                canvas.line(segment, color, 2.0)?;
            }
            // A lone point between gaps has no line that would show it.
            if n_points < MARKERS_BELOW || segment.len() == 1 {
                for &point in segment {
                    canvas.dot(point, 3.0, color)?;
                }
            }
        }
    }
    if panel.has_legend {
        let corner = corner.unwrap_or((far_x, near_y));
        draw_legend(canvas, panel, corner, legend)?;
    }
    Ok(())
}

/// Whether a path passes through the box at `corner`.
fn covers(corner: Point, size: Point, paths: &[Vec<Segment>]) -> bool {
    // The markers' radius and some space around it.
    const AIR: f64 = 6.0;
    let inside = |x: f64, y: f64| {
        (corner.0 - AIR..=corner.0 + size.0 + AIR).contains(&x)
            && (corner.1 - AIR..=corner.1 + size.1 + AIR).contains(&y)
    };
    paths.iter().flatten().any(|segment| {
        let (x, y) = segment[0];
        inside(x, y)
            || segment.windows(2).any(|ends| {
                let ((x0, y0), (x1, y1)) = (ends[0], ends[1]);
                let n = ((x1 - x0).hypot(y1 - y0) / AIR).ceil();
                (1..=n as usize).any(|i| {
                    let t = i as f64 / n;
                    inside(x0 + t * (x1 - x0), y0 + t * (y1 - y0))
                })
            })
    })
}

const LEGEND_LINE: f64 = 17.0;
const LEGEND_KEY: f64 = 34.0;

fn legend_size(panel: &Panel, room: f64) -> Point {
    let widths = panel.series.iter().map(|s| text_width(&s.label, FONT.2));
    let width = widths.fold(0.0, f64::max) + LEGEND_KEY + 8.0;
    (
        width.min(0.7 * room),
        LEGEND_LINE * panel.series.len() as f64 + 6.0,
    )
}

fn draw_legend(
    canvas: &Canvas,
    panel: &Panel,
    corner: Point,
    size: Point,
) -> Result<(), PlotError> {
    let end = (corner.0 + size.0, corner.1 + size.1);
    canvas.fill(corner, end, WHITE.mix(0.85))?;
    canvas.frame(corner, end, GRID)?;
    for (i, (series, &color)) in panel.series.iter().zip(PALETTE.iter().cycle()).enumerate() {
        let (x, y) = (
            corner.0 + 6.0,
            corner.1 + 3.0 + LEGEND_LINE * (i as f64 + 0.5),
        );
        canvas.line(&[(x, y), (x + LEGEND_KEY - 12.0, y)], color, 2.0)?;
        let start = (corner.0 + LEGEND_KEY, y);
        let room = size.0 - LEGEND_KEY - 4.0;
        canvas.text(&series.label, start, Anchor::Start, FONT.2, room)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
