//! Random signs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eqprop_core::nudging::Nudging;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Where random signs come from: sign number `n` is a function of `seed` and `n`, so a run
/// that is resumed at sign `n` goes on with the same signs.
#[derive(Debug, Clone)]
pub(super) struct Signs {
    seed: u64,
    /// Shared by all clones: Burn's learner clones its model at every step.
    drawn: Arc<AtomicU64>,
}

impl Signs {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: Arc::default(),
        }
    }

    /// The sign of β: drawn where `nudging` has a random one, and 1 elsewhere.
    pub fn sign(&self, nudging: Nudging) -> f64 {
        match nudging {
            Nudging::RandomSign { .. } => self.draw(),
            _ => 1.0,
        }
    }

    fn draw(&self) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.drawn.fetch_add(1, Ordering::Relaxed));
        if rng.random() { 1.0 } else { -1.0 }
    }

    /// Goes on as if `n_drawn` signs had been drawn.
    pub fn resume(&self, n_drawn: u64) {
        self.drawn.store(n_drawn, Ordering::Relaxed);
    }
}
