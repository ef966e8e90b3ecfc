//! Random numbers of the estimators.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use eqprop_core::nudging::Nudging;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of random numbers: stream `n` is a function of `seed` and `n`, so a run resumed at stream `n`
/// continues with the same numbers.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub seed: u64,
    /// Number of streams taken, shared by all clones: Burn's learner clones its model at every step.
    n_taken: Arc<AtomicU64>,
    /// Fixed sign of all draws, 0 for positive and 1 for negative; another value if it is not fixed.
    fixed: Arc<AtomicU8>,
}

const NOT_FIXED: u8 = 2;

impl Streams {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            n_taken: Arc::default(),
            fixed: Arc::new(AtomicU8::new(NOT_FIXED)),
        }
    }

    /// Takes a stream and returns its number.
    pub fn take(&self) -> u64 {
        self.n_taken.fetch_add(1, Ordering::Relaxed)
    }

    /// Continues as if `n_taken` streams had been taken.
    pub fn resume(&self, n_taken: u64) {
        self.n_taken.store(n_taken, Ordering::Relaxed);
    }

    /// Returns the generator of a stream.
    pub fn numbers(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }

    /// Returns the sign of β: drawn from the next stream if `nudging` has a random one, and 1 otherwise.
    pub fn sign(&self, nudging: Nudging) -> f64 {
        match self.fixed.load(Ordering::Relaxed) {
            NOT_FIXED => {
                let sign = self.next_sign(nudging);
                self.pass_over(nudging);
                sign
            }
            negative => sign_of(negative == 1),
        }
    }

    /// Returns the next sign without taking its stream.
    pub fn next_sign(&self, nudging: Nudging) -> f64 {
        match nudging {
            Nudging::RandomSign { .. } => {
                let next = self.n_taken.load(Ordering::Relaxed);
                sign_of(!self.numbers(next).random::<bool>())
            }
            _ => 1.0,
        }
    }

    /// Takes the stream of a sign, if there is one.
    pub fn pass_over(&self, nudging: Nudging) {
        if let Nudging::RandomSign { .. } = nudging {
            self.take();
        }
    }

    /// Fixes the sign from now on, without taking streams; `None` restores random signs.
    pub fn fix(&self, sign: Option<f64>) {
        let fixed = sign.map_or(NOT_FIXED, |sign| u8::from(sign < 0.0));
        self.fixed.store(fixed, Ordering::Relaxed);
    }
}

fn sign_of(negative: bool) -> f64 {
    if negative { -1.0 } else { 1.0 }
}
