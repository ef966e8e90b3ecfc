//! A task that requires long memory.

use eqprop_core::error::ConfigError;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Examples;

/// Delayed recall: a symbol, then noise, and at the end the question which symbol it was.
///
/// ```text
/// u_1 = one-hot of the symbol        u_2 … u_{1+delay}: uniform in ±noise
/// ```
///
/// The class of an example is its symbol. A row of inputs is a sequence, whose length is the
/// [height](Examples::shape) of the example: `[1, 1 + delay, n_symbols]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DelayedRecall {
    /// Number of symbols, 2 to 256.
    pub n_symbols: usize,
    /// Number of inputs between the symbol and the end.
    pub delay: usize,
    /// Largest magnitude of the noise inputs, at least 0.
    pub noise: f32,
}

impl DelayedRecall {
    /// Returns `n` sequences. Sequence `i` depends on the seed and on `i` alone.
    ///
    /// # Errors
    /// If the number of symbols is not 2 to 256, or the noise is negative or not finite.
    pub fn examples(&self, n: usize, seed: u64) -> Result<Examples, ConfigError> {
        let ok = (2..=256).contains(&self.n_symbols);
        ConfigError::in_range("n_symbols", "2 to 256", self.n_symbols as f64, ok)?;
        let (noise, ok) = (
            self.noise.into(),
            self.noise.is_finite() && self.noise >= 0.0,
        );
        ConfigError::in_range("noise", "a number of at least 0", noise, ok)?;
        let width = (1 + self.delay) * self.n_symbols;
        let (mut inputs, mut labels) = (Vec::with_capacity(n * width), Vec::with_capacity(n));
        for example in 0..n {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(example as u64);
            let symbol = rng.random_range(0..self.n_symbols);
            inputs.extend((0..self.n_symbols).map(|s| if s == symbol { 1.0 } else { 0.0 }));
            let noise =
                (self.n_symbols..width).map(|_| self.noise * (2.0 * rng.random::<f32>() - 1.0));
            inputs.extend(noise);
            labels.push(symbol as u8);
        }
        Ok(Examples {
            inputs,
            labels,
            shape: [1, 1 + self.delay, self.n_symbols],
            n_classes: self.n_symbols,
            targets: None,
            stream: None,
        })
    }
}
