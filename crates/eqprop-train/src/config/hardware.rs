//! Non-ideal devices of an analog machine.

use burn::config::Config;
use eqprop_core::activation::Levels;
use eqprop_core::error::ConfigError;

use crate::estimator::StateDefects;

/// Largest number of bits: leaves `f32`, which has 24, a few for rounding.
const MOST_BITS: usize = 20;

/// Imperfections of an analog machine: of the devices that store its weights, and of its units. Each is a
/// number that is 0 or null for an ideal one.
///
/// Whatever the model and the optimizer, an update of the weights by `Δ` results in
///
/// ```text
/// w ← round(clip(w + g (Δ + a|Δ|) + σξ))        g = max(0, 1 + mismatch · η),  ξ and η normal
/// ```
///
/// with the asymmetry `a` between increments and decrements, the write noise `σ`, a gain `g` per device, and
/// the levels and limits of the stored values. Stuck devices keep their initial values. Only connections are
/// such devices: weights, couplings, conductances and kernels, and readouts, those of hidden layers included. Biases,
/// fields and currents are ideal.
///
/// Units are disturbed and rounded after every step of a relaxation, see [`NonIdeal`](crate::estimator::NonIdeal).
///
/// Device patterns are functions of the seed and of a weight's index; noise is also a function of the update
/// number, so that a resumed run is the same as an uninterrupted one.
///
/// # Reference
/// Gower (2025), <https://arxiv.org/abs/2505.02103>, trains oscillators with few bits; the asymmetry is that
/// between potentiation and depression of memristive devices.
#[derive(Config, Debug, Copy, PartialEq)]
pub struct HardwareConfig {
    /// Bits of a weight, 2 to 20: `2^bits − 1` levels within ± its range; null for full precision. Values
    /// between two levels are rounded stochastically, without bias: rounded to the nearest level, small
    /// updates would have no effect.
    pub weight_bits: Option<usize>,
    /// Largest magnitude of a weight, in units of the connection's largest initial weight; null for no limit,
    /// or for 4 if weight_bits is set.
    pub weight_range: Option<f64>,
    /// Standard deviation of the devices' update gains, from device to device.
    #[config(default = 0.0)]
    pub mismatch: f64,
    /// Fraction of devices that are stuck, 0 to 1.
    #[config(default = 0.0)]
    pub stuck: f64,
    /// Asymmetry of updates, from −1 to 1: increments are scaled by 1 + this, decrements by 1 − this.
    #[config(default = 0.0)]
    pub update_asymmetry: f64,
    /// Standard deviation of the noise added to each weight in each update, in units of the connection's
    /// largest initial weight.
    #[config(default = 0.0)]
    pub update_noise: f64,
    /// Standard deviation of the noise on every unit after every step of a relaxation.
    #[config(default = 0.0)]
    pub state_noise: f64,
    /// Bits of the state of a unit after every step of a relaxation, 2 to 20; null for full precision. As for
    /// weights these are `2^bits − 1` levels in ± a range, and `2^bits` from 0 up and around the circle of a phase. What
    /// lies between two levels goes to the nearest, as a converter reads it; see
    /// [`Activation::round`](eqprop_core::activation::Activation::round).
    pub state_bits: Option<usize>,
    /// Largest size of the state of a unit whose activation has no such end of its own (identity, ReLU, most layers of
    /// predictive coding); null for no limit, which needs state_bits to be null too.
    pub state_range: Option<f64>,
}

impl HardwareConfig {
    /// Returns the same devices with ideal updates: only the defects that act on a gradient estimate.
    pub fn without_update_defects(self) -> Self {
        Self {
            mismatch: 0.0,
            stuck: 0.0,
            update_asymmetry: 0.0,
            update_noise: 0.0,
            ..self
        }
    }

    /// Returns whether every update is stored exactly, whatever the noise and levels of the states.
    pub fn holds_ideally(&self) -> bool {
        let held = Self {
            state_noise: 0.0,
            state_bits: None,
            state_range: None,
            ..*self
        };
        held == Self::new()
    }

    /// Defects of the units; `None` if they are ideal, whatever the weights.
    pub fn state_defects(&self) -> Option<StateDefects> {
        let defects = StateDefects {
            noise: self.state_noise,
            levels: self.levels(),
        };
        (defects != StateDefects::default()).then_some(defects)
    }

    /// Resolution and range of stored states.
    pub(super) fn levels(&self) -> Levels {
        Levels {
            bits: self.state_bits,
            range: self.state_range,
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the first invalid field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if let Some(bits) = self.weight_bits {
            let ok = (2..=MOST_BITS).contains(&bits);
            ConfigError::in_range("weight_bits", "2 to 20, or null", bits as f64, ok)?;
        }
        if let Some(range) = self.weight_range {
            ConfigError::positive_number("weight_range", range)?;
        }
        for (field, found) in [
            ("mismatch", self.mismatch),
            ("update_noise", self.update_noise),
            ("state_noise", self.state_noise),
        ] {
            let ok = found.is_finite() && found >= 0.0;
            ConfigError::in_range(field, "a number of at least 0", found, ok)?;
            ConfigError::single_precision(field, found)?;
        }
        self.levels().validate()?;
        let (field, found) = ("stuck", self.stuck);
        ConfigError::in_range(field, "from 0 to 1", found, (0.0..=1.0).contains(&found))?;
        let (field, found) = ("update_asymmetry", self.update_asymmetry);
        ConfigError::in_range(field, "from -1 to 1", found, found.abs() <= 1.0)
    }
}
