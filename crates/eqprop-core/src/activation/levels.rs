//! States of few bits.

use burn::tensor::Tensor;

use crate::error::ConfigError;

/// Resolution and range of a converter that stores the state of a unit; see [`Activation::round`](super::Activation::round).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Levels {
    /// Bits per unit, 2 to 20; `None` for full precision.
    pub bits: Option<usize>,
    /// Largest magnitude stored for a unit whose activation does not bound it; `None` for no limit.
    pub range: Option<f64>,
}

impl Levels {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the first field that cannot work.
    pub fn validate(self) -> Result<(), ConfigError> {
        // 20 leave `f32`, which has 24, a few for rounding; a single one of ± a range has no level but 0.
        if let Some(bits) = self.bits {
            let ok = (2..=20).contains(&bits);
            ConfigError::in_range("state_bits", "2 to 20, or null", bits as f64, ok)?;
        }
        match self.range {
            Some(range) => ConfigError::positive_number("state_range", range),
            None => Ok(()),
        }
    }

    /// The least and the largest value that is held of a unit of this range.
    fn ends(self, [low, high]: [f64; 2]) -> [f64; 2] {
        let limit = self.range.unwrap_or(f64::INFINITY);
        [
            if low.is_finite() { low } else { -limit },
            if high.is_finite() { high } else { limit },
        ]
    }

    /// Whether units of this range have levels, or need none.
    pub(super) fn fit(self, range: [f64; 2]) -> bool {
        self.bits.is_none() || self.ends(range).iter().all(|end| end.is_finite())
    }

    /// `state`, of units of this range, at the nearest level.
    pub(super) fn round(self, state: Tensor<2>, range: [f64; 2]) -> Tensor<2> {
        let [low, high] = self.ends(range);
        let has_ends = low.is_finite() && high.is_finite();
        let held = match has_ends {
            true => state.clamp(low, high),
            false => state,
        };
        let Some(bits) = self.bits else { return held };
        assert!(
            has_ends,
            "levels need a range to be spread over, and this activation has none"
        );
        let n_bits_above = if low < 0.0 { bits - 1 } else { bits };
        let n_above = ((1_u64 << n_bits_above) - 1) as f64;
        // In this order 0 and both ends are levels to the last digit.
        (held * (n_above / high)).round() / n_above * high
    }
}
