//! The range of an axis, the positions of its ticks and their labels.

use super::canvas::text_width;
use super::style::{FONT, Scale};

/// Magnitudes above this are not drawn, so that the length of a range stays finite.
const LARGEST: f64 = 1e300;

/// One axis; positions are values on a linear scale and decimal logarithms on a log scale.
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<Tick>,
}

/// A labeled position on an axis.
pub(super) struct Tick {
    pub(super) position: f64,
    pub(super) label: String,
}

impl Axis {
    /// Creates the axis over `positions` with `margin`, a fraction of their range, at both ends and about
    /// `n_ticks` ticks. Without positions it is the unit interval without ticks.
    pub(super) fn new(
        scale: Scale,
        positions: impl Iterator<Item = f64>,
        margin: f64,
        n_ticks: usize,
    ) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut integral = true;
        for position in positions {
            low = low.min(position);
            high = high.max(position);
            integral &= position.fract() == 0.0;
        }
        if low > high {
            return Self {
                low: 0.0,
                high: 1.0,
                ticks: Vec::new(),
            };
        }
        let largest = low.abs().max(high.abs());
        let pad = if high - low > largest * 1e-6 && largest > 1e-290 {
            margin * (high - low)
        } else if scale == Scale::Log || largest <= 1e-290 {
            0.5
        } else {
            0.05 * largest
        };
        low -= pad;
        high += pad;
        let min_step = if integral { 1.0 } else { 0.0 };
        let ticks = match scale {
            Scale::Linear => linear_ticks(low, high, n_ticks, min_step),
            Scale::Log => log_ticks(low, high, n_ticks),
        };
        Self { low, high, ticks }
    }

    /// Returns `position` as a fraction of the axis.
    pub(super) fn fraction(&self, position: f64) -> f64 {
        (position - self.low) / (self.high - self.low)
    }
}

/// Returns the position of `value`, unless it cannot be drawn.
pub(super) fn position(scale: Scale, value: f64) -> Option<f64> {
    let drawable = value.abs() <= LARGEST && (scale == Scale::Linear || value > 0.0);
    drawable.then(|| match scale {
        Scale::Linear => value,
        Scale::Log => value.log10(),
    })
}

/// Returns ticks at multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64, n_ticks: usize, min_step: f64) -> Vec<Tick> {
    let raw = ((high - low) / n_ticks as f64).max(min_step);
    let decade = 10f64.powf(raw.log10().floor());
    let step = decade
        * match raw / decade {
            r if r <= 1.0 => 1.0,
            r if r <= 2.0 => 2.0,
            r if r <= 5.0 => 5.0,
            _ => 10.0,
        };
    let exponent = (step * 1.001).log10().floor() as i32;
    let largest = low.abs().max(high.abs());
    let plain = largest < 1e7 && exponent >= -4;
    // Ticks within a rounding error of the ends count as inside.
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    let n = (last - first) as usize;
    (0..=n)
        .map(|i| (first + i as f64) * step)
        .map(|value| Tick {
            position: value,
            label: if value == 0.0 {
                "0".to_owned()
            } else if plain {
                format!("{value:.*}", (-exponent).max(0) as usize)
            } else {
                let digits = value.abs().log10().floor() as i32 - exponent;
                format!("{value:.*e}", digits.clamp(0, 15) as usize)
            },
        })
        .collect()
}

/// Returns ticks at powers of ten, and between them if the range holds few powers.
fn log_ticks(low: f64, high: f64, n_ticks: usize) -> Vec<Tick> {
    if high - low < 0.7 {
        let mut ticks = linear_ticks(10f64.powf(low), 10f64.powf(high), n_ticks, 0.0);
        ticks.retain(|tick| tick.position > 0.0);
        for tick in &mut ticks {
            tick.position = tick.position.log10();
        }
        return ticks;
    }
    let mantissas: &[u32] = if high - low < 2.0 { &[1, 2, 5] } else { &[1] };
    let decades = low.floor() as i32..=high.floor() as i32;
    let plain = low >= -2.5 && high <= 4.5;
    let stride = ((high - low) / n_ticks as f64).ceil().max(1.0) as i32;
    decades
        .filter(|exponent| exponent % stride == 0)
        .flat_map(|exponent| mantissas.iter().map(move |&mantissa| (mantissa, exponent)))
        .map(|(mantissa, exponent)| Tick {
            position: f64::from(mantissa).log10() + f64::from(exponent),
            label: if plain {
                let decimals = (-exponent).max(0) as usize;
                format!("{:.decimals$}", f64::from(mantissa) * 10f64.powi(exponent))
            } else {
                format!("{mantissa}e{exponent}")
            },
        })
        .filter(|tick| (low..=high).contains(&tick.position))
        .collect()
}

/// Returns the width of the widest label.
pub fn widest_label(axis: &Axis) -> f64 {
    let widths = axis.ticks.iter().map(|t| text_width(&t.label, FONT.2));
    widths.fold(0.0, f64::max)
}
