//! Draws horizontal bars, each the sum of its parts.

use super::axis::{Axis, widest_label};
use super::canvas::{Anchor, INK, document, text_width};
use super::style::{FONT, GRID, PALETTE, PANEL, PlotError, Scale};

/// One bar of [`render_bars`].
#[derive(Clone, Debug)]
pub struct Bar {
    /// The name of the bar.
    pub label: String,
    /// Its parts from left to right, in the order of the legend; none is negative.
    pub parts: Vec<f64>,
    /// The text at its end.
    pub value: String,
}

/// Draws bars below each other, their parts in the colors of `parts`; without a legend if there is only one
/// part.
///
/// # Errors
/// If the SVG backend refuses a drawing operation.
pub fn render_bars(
    title: &str,
    x_label: &str,
    parts: &[&str],
    bars: &[Bar],
) -> Result<String, PlotError> {
    const BAR: f64 = 18.0;
    const PITCH: f64 = 28.0;
    const KEY: f64 = 12.0;
    let has_legend = parts.len() > 1;
    let top = if has_legend { 62.0 } else { 40.0 };
    let bottom = top + PITCH * bars.len() as f64;
    let size = (PANEL.0, bottom + 50.0);
    let widest = |texts: &mut dyn Iterator<Item = &String>, font| {
        texts.map(|text| text_width(text, font)).fold(0.0, f64::max)
    };
    // Even the longest names leave the bars more than half of the width.
    let left = 16.0 + widest(&mut bars.iter().map(|bar| &bar.label), FONT.1).min(0.4 * size.0);
    let room = widest(&mut bars.iter().map(|bar| &bar.value), FONT.2);
    let right = size.0 - 18.0 - room;

    let total = |bar: &Bar| {
        bar.parts
            .iter()
            .filter(|part| part.is_finite())
            .sum::<f64>()
    };
    let ends = bars.iter().map(total).chain([0.0]);
    let mut axis = Axis::new(Scale::Linear, ends, 0.0, 5);
    axis.ticks.retain(|tick| tick.position >= 0.0);
    axis.low = 0.0;
    let x = |value: f64| left + axis.fraction(value) * (right - left);

    document(size, "", |canvas| {
        let middle = size.0 / 2.0;
        canvas.text(title, (middle, 19.0), Anchor::Middle, FONT.0, size.0)?;
        let below = ((left + right) / 2.0, size.1 - 16.0);
        canvas.text(x_label, below, Anchor::Middle, FONT.1, right - left)?;
        let crowded = axis.ticks.len() as f64 * (widest_label(&axis) + 8.0) > right - left;
        for (index, tick) in axis.ticks.iter().enumerate() {
            let x = x(tick.position);
            canvas.line(&[(x, top), (x, bottom)], GRID, 1.0)?;
            if !crowded || index % 2 == 0 {
                let at = (x, bottom + 13.0);
                canvas.text(&tick.label, at, Anchor::Middle, FONT.2, size.0)?;
            }
        }
        if has_legend {
            let widths = parts
                .iter()
                .map(|part| KEY + 20.0 + text_width(part, FONT.2));
            let free = size.0 - widths.sum::<f64>();
            let mut from = left.min(free.max(8.0));
            for (part, &color) in parts.iter().zip(PALETTE.iter().cycle()) {
                canvas.fill((from, 42.0), (from + KEY, 42.0 + KEY), color)?;
                let at = (from + KEY + 5.0, 48.0);
                canvas.text(part, at, Anchor::Start, FONT.2, size.0 - from)?;
                from += KEY + 20.0 + text_width(part, FONT.2);
            }
        }
        for (index, bar) in bars.iter().enumerate() {
            let center = top + PITCH * (index as f64 + 0.5);
            let at = (left - 8.0, center);
            canvas.text(&bar.label, at, Anchor::End, FONT.1, left - 10.0)?;
            let mut start = 0.0;
            for (&part, &color) in bar.parts.iter().zip(PALETTE.iter().cycle()) {
                if part > 0.0 && part.is_finite() {
                    let upper = (x(start), center - BAR / 2.0);
                    canvas.fill(upper, (x(start + part), center + BAR / 2.0), color)?;
                    start += part;
                }
            }
            let at = (x(start) + 6.0, center);
            canvas.text(&bar.value, at, Anchor::Start, FONT.2, size.0)?;
        }
        canvas.line(&[(left, top), (left, bottom)], INK, 1.0)
    })
}
