//! The fast path with vectors other than this machine's widest: for tests only, and in no release.
//!
//! `EQPROP_LANES=4` in the environment of a process makes all its vectors four numbers wide. It is
//! read in unit tests, and where debug assertions are on.

use std::sync::LazyLock;

use pulp::{Arch, Scalar, Simd, WithSimd};

/// The environment variable.
pub const VARIABLE: &str = "EQPROP_LANES";

/// Number of lanes of a vector.
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

    /// Whether this machine has vectors of this width.
    pub fn is_possible(self) -> bool {
        let widest = Arch::new().dispatch(Lanes);
        // x86-64 has AVX2's vectors, whole or half, and AVX-512's; elsewhere there is one width.
        let narrower = cfg!(target_arch = "x86_64") && self.lanes() < widest;
        self == Self::One || self.lanes() == widest || narrower
    }

    /// Runs `work` with vectors of this width.
    pub fn run<W: WithSimd>(self, work: W) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        if let Some(machine) = pulp::x86::V3::try_new() {
            match self {
                Self::Four => {
                    let four = pulp::x86::V3_128b(machine);
                    return Simd::vectorize(machine, With(four, work));
                }
                Self::Eight => return Simd::vectorize(machine, work),
                Self::One | Self::Sixteen => {}
            }
        }
        match self {
            Self::One => Simd::vectorize(Scalar, work),
            _ => Arch::new().dispatch(work),
        }
    }
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _simd: S) -> usize {
        S::F32_LANES
    }
}

/// Work with the given vectors, whichever it is compiled for.
#[cfg(target_arch = "x86_64")]
struct With<V, W>(V, W);

#[cfg(target_arch = "x86_64")]
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
/// If this machine has no such vectors: otherwise a test would pass without having run.
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
    use crate::kernel::panels::lanes;

    #[test]
    fn vectors_are_as_wide_as_the_environment_asks() {
        if let Some(width) = chosen() {
            assert_eq!(lanes(), width.lanes());
        }
    }

    /// Reruns the kernel tests of this binary, in one process per width.
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
                .arg("kernel::")
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
