//! Random numbers of estimates.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

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
    /// 0 or 1 for a sign that is the same for all, 1 for the negative one.
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
        match self.fixed.load(Ordering::Relaxed) {
            NOT_FIXED => {
                let sign = self.next_sign(nudging);
                self.pass_over(nudging);
                sign
            }
            negative => sign_of(negative == 1),
        }
    }

    /// The sign that comes next, without taking its stream.
    pub fn next_sign(&self, nudging: Nudging) -> f64 {
        match nudging {
            Nudging::RandomSign { .. } => {
                let next = self.n_taken.load(Ordering::Relaxed);
                sign_of(!self.numbers(next).random::<bool>())
            }
            _ => 1.0,
        }
    }

    /// Takes the stream of a sign, where there is one.
    pub fn pass_over(&self, nudging: Nudging) {
        if let Nudging::RandomSign { .. } = nudging {
            self.take();
        }
    }

    /// Gives this sign from now on, and takes no streams; those again after `None`.
    pub fn fix(&self, sign: Option<f64>) {
        let fixed = sign.map_or(NOT_FIXED, |sign| u8::from(sign < 0.0));
        self.fixed.store(fixed, Ordering::Relaxed);
    }
}

fn sign_of(negative: bool) -> f64 {
    if negative { -1.0 } else { 1.0 }
}
