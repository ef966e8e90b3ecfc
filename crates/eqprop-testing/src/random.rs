//! Reproducible random numbers.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::energy::LayerConfig;
use eqprop_core::state::State;

use crate::setup::Setup;

/// Returns lists of numbers in `±scale` in which no two neighbors are close: `sin 1`, `sin 4`, `sin 9`,
/// …
pub fn sines(scale: f64) -> impl FnMut(usize) -> Vec<f64> {
    let mut count = 0.0_f64;
    let mut number = move || {
        count += 1.0;
        scale * (count * count).sin()
    };
    move |n| (0..n).map(|_| number()).collect()
}

/// SplitMix64, with its seed. The random numbers of a Burn device are one stream for all threads, and
/// tests run in several.
pub struct Numbers(pub u64);

impl Numbers {
    /// Draws one number.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        low + (high - low) * (z >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Draws `n` numbers.
    pub fn list(&mut self, n: usize, low: f64, high: f64) -> Vec<f64> {
        (0..n).map(|_| self.uniform(low, high)).collect()
    }

    /// Draws a matrix of numbers.
    pub fn matrix(&mut self, setup: &Setup, shape: [usize; 2], low: f64, high: f64) -> Tensor<2> {
        setup.tensor(self.list(shape[0] * shape[1], low, high), shape)
    }

    /// Draws values inside the range of an activation, away from its ends.
    pub fn inside(
        &mut self,
        activation: Activation,
        setup: &Setup,
        shape: [usize; 2],
    ) -> Tensor<2> {
        let (low, high) = match activation.range() {
            _ if activation == Activation::Diode => (0.1, 1.5),
            [low, high] if low.is_infinite() && high.is_infinite() => (-1.5, 1.5),
            [low, high] if high.is_infinite() => (low + 0.1, low + 1.5),
            [low, high] => (0.9 * low + 0.1 * high, 0.1 * low + 0.9 * high),
        };
        let inside = self.matrix(setup, shape, low, high);
        match activation {
            Activation::Softmax => inside.clone() / inside.sum_dim(1),
            // Each unit on its own side of ground.
            Activation::Diode => activation.apply(inside.clone()) + activation.apply(inside.neg()),
            _ => inside,
        }
    }

    /// Draws a state with every layer [inside](Self::inside) its range.
    pub fn state(&mut self, layers: &[LayerConfig], setup: &Setup, batch: usize) -> State {
        let mut inside =
            |layer: &LayerConfig| self.inside(layer.activation, setup, [batch, layer.n_units()]);
        State::new(layers.iter().map(&mut inside).collect())
    }
}
