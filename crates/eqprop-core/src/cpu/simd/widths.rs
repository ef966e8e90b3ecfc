//! The fast path with other vectors than this machine's widest: for tests, and in no release.
//!
//! `EQPROP_LANES=4` in the environment of a process makes all its vectors four numbers wide. It is
//! read in unit tests, and where debug assertions are on.

use std::sync::LazyLock;

use pulp::{Scalar, Simd, WithSimd};

/// The environment variable.
pub const VARIABLE: &str = "EQPROP_LANES";

/// How many numbers a vector has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    One,
    Four,
    Eight,
    Sixteen,
}

impl Width {
    pub const ALL: [Self; 4] = [Self::One, Self::Four, Self::Eight, Self::Sixteen];

    pub fn lanes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Four => 4,
            Self::Eight => 8,
            Self::Sixteen => 16,
        }
    }

    /// Whether this machine can compute with vectors of the width, if need be in several parts.
    pub fn is_possible(self) -> bool {
        self == Self::One || self.is_possible_in_vectors()
    }

    #[cfg(target_arch = "x86_64")]
    fn is_possible_in_vectors(self) -> bool {
        pulp::x86::V3::try_new().is_some()
    }

    #[cfg(target_arch = "aarch64")]
    fn is_possible_in_vectors(self) -> bool {
        self == Self::Four
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn is_possible_in_vectors(self) -> bool {
        false
    }

    /// Runs `work` with such vectors.
    pub fn run<W: WithSimd>(self, work: W) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        if let Some(machine) = pulp::x86::V3::try_new() {
            use pulp::x86::{V3_128b, V3_512b};

            // Compiled for AVX2; what is wider is computed in halves.
            return match self {
                Self::One => Simd::vectorize(Scalar, work),
                Self::Four => Simd::vectorize(machine, With(V3_128b(machine), work)),
                Self::Eight => Simd::vectorize(machine, work),
                Self::Sixteen => Simd::vectorize(machine, With(V3_512b(machine), work)),
            };
        }
        #[cfg(target_arch = "aarch64")]
        if self == Self::Four {
            return pulp::Arch::new().dispatch(work);
        }
        Simd::vectorize(Scalar, work)
    }
}

/// Work with vectors of its own, whatever those it is compiled for.
struct With<V, W>(V, W);

impl<V: Simd, W: WithSimd> WithSimd for With<V, W> {
    type Output = W::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _compiled_for: S) -> W::Output {
        self.1.with_simd(self.0)
    }
}

/// The width that the environment asks for.
///
/// # Panics
/// If this machine has no such vectors: a test would pass without having run.
pub fn chosen() -> Option<Width> {
    static CHOSEN: LazyLock<Option<Width>> = LazyLock::new(|| {
        let lanes = std::env::var(VARIABLE).ok()?;
        let width = Width::ALL.into_iter().find(|width| {
            let is_it = width.lanes().to_string() == lanes;
            is_it && width.is_possible()
        });
        let width =
            width.unwrap_or_else(|| panic!("no vectors of {lanes} numbers on this machine"));
        Some(width)
    });
    *CHOSEN
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::cpu::panels::lanes;

    #[test]
    fn vectors_are_as_wide_as_the_environment_asks() {
        if let Some(width) = chosen() {
            assert_eq!(lanes(), width.lanes());
        }
    }

    /// This binary's tests of the kernels once more, in a process for each width.
    #[test]
    fn kernels_compute_the_same_with_vectors_of_every_width() {
        if chosen().is_some() {
            return;
        }
        for (width, n_threads) in Width::ALL.into_iter().zip([1, 2, 3, 2]) {
            if !width.is_possible() {
                println!("skipped: no vectors of {} numbers here", width.lanes());
                continue;
            }
            let program = std::env::current_exe().expect("a running test has a file");
            let output = Command::new(program)
                .arg("cpu::")
                .env(VARIABLE, width.lanes().to_string())
                .env("RAYON_NUM_THREADS", n_threads.to_string())
                .output()
                .expect("it runs already");
            let report = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{width:?}:\n{report}");
            assert!(report.contains("vectors_are_as_wide_as_the_environment_asks ... ok"));
        }
    }
}
