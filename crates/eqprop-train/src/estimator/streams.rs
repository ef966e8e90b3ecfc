//! Random numbers of estimates.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eqprop_core::nudging::Nudging;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Where random numbers come from: stream number `n` is a function of `seed` and `n`, so a run
/// that is resumed at stream `n` goes on with the same numbers.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub seed: u64,
    /// Shared by all clones: Burn's learner clones its model at every step.
    n_taken: Arc<AtomicU64>,
}

impl Streams {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            n_taken: Arc::default(),
        }
    }

    /// Takes a stream: its number.
    pub fn take(&self) -> u64 {
        self.n_taken.fetch_add(1, Ordering::Relaxed)
    }

    /// Goes on as if `n_taken` streams had been taken.
    pub fn resume(&self, n_taken: u64) {
        self.n_taken.store(n_taken, Ordering::Relaxed);
    }

    /// The numbers of a stream.
    pub fn numbers(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }

    /// The sign of β: from the next stream where `nudging` has a random one, and 1 elsewhere.
    pub fn sign(&self, nudging: Nudging) -> f64 {
        match nudging {
            Nudging::RandomSign { .. } if !self.numbers(self.take()).random::<bool>() => -1.0,
            _ => 1.0,
        }
    }
}
