//! Activation functions and their potentials.

mod clipped;
mod complex;
mod diode;
mod levels;
mod phase;
mod rule;
mod sigmoid;
mod softmax;
mod softplus;
mod tanh;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use self::clipped::Clipped;
pub(crate) use self::complex::Complex;
use self::diode::Diode;
pub use self::levels::Levels;
use self::phase::Phase;
pub(crate) use self::phase::{halves, pairs};
use self::rule::Rule;
use self::sigmoid::Sigmoid;
use self::softmax::Softmax;
use self::softplus::Softplus;
use self::tanh::Tanh;
use crate::error::{ConfigError, assert_valid};
use crate::fused::Response;

/// An activation function `σ`, together with the potential `G` that makes `σ(drive)` the exact
/// minimizer of the energy over a layer.
///
/// A layer with drive `u` and potential `G` minimizes `G(s) − u·s` at `s = σ(u)`, because
/// `∇G = σ⁻¹`:
///
/// ```text
///                 σ(u)                G(s), per unit
/// HardSigmoid     clip(u, 0, 1)       ½s²                               s in [0, 1]
/// Sigmoid         1/(1+e^{−4(u−½)})   ¼[s ln s + (1−s) ln(1−s)] + ½s    s in (0, 1)
/// Tanh            tanh u              ½[(1+s) ln(1+s) + (1−s) ln(1−s)]  s in (−1, 1)
/// Relu            max(u, 0)           ½s²                               s ≥ 0
/// ClippedRelu     clip(u, 0, max)     ½s²                               s in [0, max]
/// Identity        u                   ½s²
/// Softmax         e^u / Σ e^u         s ln s                            s on the simplex
/// Softplus        ln(1 + e^u)         ½s² + Li₂(e^{−s})                 s > 0
/// Diode           max(u, 0)           ½s²                               s ≥ 0, first half of the units
///                 min(u, 0)           ½s²                               s ≤ 0, second half
/// Phase           u/|u|, in pairs     0                                 |s| = 1, a cosine and a sine
/// ```
///
/// With the hard sigmoid this is the energy of Scellier & Bengio (2017),
/// <https://arxiv.org/abs/1602.05179>. `Sigmoid` is the `σ(4u − 2)` of the published code:
/// the smooth function closest to the hard sigmoid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Activation {
    /// `clip(u, 0, 1)`.
    HardSigmoid,
    /// `1 / (1 + e^{−4(u − ½)})`.
    Sigmoid,
    /// `tanh u`.
    Tanh,
    /// `max(u, 0)`.
    Relu,
    /// `clip(u, 0, max)`.
    ClippedRelu {
        /// Largest value of a unit, greater than 0.
        max: f64,
    },
    /// `u`, for output layers.
    Identity,
    /// `softmax(u)` over the units of the layer, for output layers.
    Softmax,
    /// `ln(1 + e^u)`.
    Softplus,
    /// `max(u, 0)` in the first half of the units and `min(u, 0)` in the second, which takes the extra
    /// unit if their number is odd: a diode between each unit and ground.
    Diode,
    /// `u/|u|` for each pair of units, the `(cos φ, sin φ)` of an oscillator: all cosines of a layer, then
    /// all sines. For a network of [oscillators](crate::energy::OscillatorNetwork).
    Phase,
}

impl Activation {
    /// Calls `with` with the rule of this activation. A new activation is a file beside the others, a variant
    /// above and a line here.
    fn rule<R>(self, with: impl FnOnce(&dyn Rule) -> R) -> R {
        match self {
            Self::HardSigmoid => with(&Clipped([0.0, 1.0])),
            Self::Sigmoid => with(&Sigmoid),
            Self::Tanh => with(&Tanh),
            Self::Relu => with(&Clipped([0.0, f64::INFINITY])),
            Self::ClippedRelu { max } => with(&Clipped([0.0, max])),
            Self::Identity => with(&Clipped([f64::NEG_INFINITY, f64::INFINITY])),
            Self::Softmax => with(&Softmax),
            Self::Softplus => with(&Softplus),
            Self::Diode => with(&Diode),
            Self::Phase => with(&Phase),
        }
    }

    /// Returns the response `σ(u)` to a drive `u`.
    ///
    /// # Shapes
    /// - `drive` and output: `[batch, n_units]`
    pub fn apply(self, drive: Tensor<2>) -> Tensor<2> {
        self.rule(|rule| rule.apply(drive))
    }

    /// Returns the drive `σ⁻¹(s) = ∇G(s)` that holds a layer at `s`.
    ///
    /// Where the inverse is infinite (at an end of an open range), returns a large finite value. Where
    /// a whole range of drives gives the same `s` (a clipped unit), returns the one nearest to `s`. The
    /// softmax determines its drive only up to a constant, which is taken as 0.
    pub fn inverse(self, state: Tensor<2>) -> Tensor<2> {
        self.rule(|rule| rule.inverse(state))
    }

    /// Returns `(∂σ/∂u)ᵀ · gradient` for a layer whose response is `response = σ(u)`: the gradient with
    /// respect to the drive, from the one with respect to the response. It is 0 for a unit clipped to
    /// an end of its range.
    ///
    /// # Shapes
    /// - `response`, `gradient` and output: `[batch, n_units]`
    ///
    /// # Panics
    /// For `Phase`, whose response does not determine the strength of the drive.
    pub fn pull_back(self, response: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        self.rule(|rule| rule.pull_back(response, gradient))
    }

    /// Returns the potential `Σ_i G(s_i)` of each example.
    ///
    /// # Shapes
    /// - `state`: `[batch, n_units]`, output: `[batch]`
    pub fn potential(self, state: Tensor<2>) -> Tensor<1> {
        let per_unit = self.rule(|rule| rule.potential(state));
        per_unit.sum_dim(1).squeeze_dim(1)
    }

    /// Returns whether `G(s) = ½s²`, so that the layer's energy is a quadratic on a box.
    pub fn is_quadratic(self) -> bool {
        self.rule(|rule| rule.is_quadratic())
    }

    /// Returns whether `σ` has kinks, where a unit reaches an end of its range.
    pub fn has_kinks(self) -> bool {
        self.rule(|rule| rule.has_kinks())
    }

    /// Returns whether `σ` is the restriction of a holomorphic function to the real line. The sigmoid
    /// and tanh are, up to the nearest poles; clipped activations are not.
    pub fn is_holomorphic(self) -> bool {
        self.rule(|rule| rule.continuation().is_some())
    }

    /// Returns the smallest and the largest value of a unit, infinite if there is none. For a layer
    /// without a largest value the energy has no lower bound if other terms outweigh its potential.
    pub fn range(self) -> [f64; 2] {
        self.rule(|rule| rule.range())
    }

    /// Returns the largest value of a unit: the upper end of the [range](Self::range).
    pub fn max(self) -> f64 {
        let [_, max] = self.range();
        max
    }

    /// Reflects values into the range of each unit, like a particle that bounces off its ends, for a
    /// [quadratic](Self::is_quadratic) potential.
    ///
    /// # Panics
    /// If the potential is not quadratic.
    pub fn reflect(self, value: Tensor<2>) -> Tensor<2> {
        self.rule(|rule| rule.reflect(value))
    }

    /// Returns the initial value of every unit in a layer of `n_units`, before any drive: the start of
    /// the first free phase.
    pub fn rest(self, n_units: usize) -> f64 {
        self.rule(|rule| rule.rest(n_units))
    }

    /// The nearest level to the state of each unit, as a converter of few bits holds it:
    ///
    /// ```text
    /// of [0, m]     2^bits levels       0, m/n, 2m/n, …, m              n = 2^bits − 1
    /// of [−m, m]    2^bits − 1 levels   −m, …, −m/n, 0, m/n, …, m       n = 2^(bits−1) − 1
    /// of a phase    2^bits levels       φ = 0, 2π/2^bits, …, once around the circle
    /// ```
    ///
    /// so that 0 and the ends of every range are levels. What is beyond `levels.range`, where a unit has no end of its
    /// own, is held there.
    ///
    /// # Shapes
    /// - `state` and output: `[batch, n_units]`
    ///
    /// # Panics
    /// If `levels` are invalid, or units of this activation have none, as [`check_levels`](Self::check_levels) says.
    pub fn round(self, state: Tensor<2>, levels: Levels) -> Tensor<2> {
        assert_valid(levels.validate());
        self.rule(|rule| rule.round(state, levels))
    }

    /// Checks that the units of layer `layer`, counted from the input as 0, have `levels`.
    ///
    /// # Errors
    /// If they are to be of few bits and have no range.
    pub fn check_levels(self, levels: Levels, layer: usize) -> Result<(), ConfigError> {
        match levels.fit(self.range()) {
            true => Ok(()),
            false => Err(ConfigError::NoRange {
                layer,
                activation: format!("{self:?}"),
            }),
        }
    }

    /// Of all drives that move a layer at `state` in the same way, returns the one nearest to the drive [that
    /// holds it](Self::inverse): the drive itself, but for a `Phase` with its radial component replaced by
    /// the state.
    ///
    /// # Shapes
    /// - `state`, `drive` and output: `[batch, n_units]`
    pub(crate) fn along(self, state: &Tensor<2>, drive: Tensor<2>) -> Tensor<2> {
        self.rule(|rule| rule.along(state, drive))
    }

    /// Checks the options.
    ///
    /// # Errors
    /// If one is out of its range.
    pub(crate) fn validate(self) -> Result<(), ConfigError> {
        match self {
            Self::ClippedRelu { max } => ConfigError::positive_number("clipped_relu max", max),
            _ => Ok(()),
        }
    }

    /// The response as fast code knows it.
    pub(crate) fn response(self) -> Option<Response> {
        self.rule(|rule| rule.response())
    }

    /// `σ` of complex drives.
    ///
    /// # Panics
    /// If it is not [holomorphic](Self::is_holomorphic); the same holds for the functions below.
    pub(crate) fn apply_complex(self, drive: Complex) -> Complex {
        self.rule(|rule| rule.holomorphic().apply(drive))
    }

    /// `σ⁻¹` of complex states.
    pub(crate) fn inverse_complex(self, state: Complex) -> Complex {
        self.rule(|rule| rule.holomorphic().inverse(state))
    }

    /// The real part of the potential of each example, up to a constant.
    pub(crate) fn potential_complex(self, state: Complex) -> Tensor<1> {
        let per_unit = self.rule(|rule| rule.holomorphic().potential(state));
        per_unit.re.sum_dim(1).squeeze_dim(1)
    }
}
