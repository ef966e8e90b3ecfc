//! Growth of memory with the number of steps.

use serde::Serialize;

use crate::moments::Moments;

/// The peak memory of a training step as a function of the steps of its free phase: a least-squares line,
///
/// ```text
/// bytes ≈ b + m·steps,   m = Σ (steps − ⟨steps⟩)(bytes − ⟨bytes⟩) / Σ (steps − ⟨steps⟩)²
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MemoryGrowth {
    /// The fewest steps measured.
    pub fewest_steps: usize,
    /// The most steps measured.
    pub most_steps: usize,
    /// The slope `m`, in bytes per step.
    pub bytes_per_step: f64,
    /// Growth of the peak from the fewest to the most steps, relative to the former.
    pub growth: f64,
    /// Share of the variance of the bytes that the line explains; `None` if they do not vary, or if there are
    /// only two points, through which a line always goes.
    pub r_squared: Option<f64>,
}

impl MemoryGrowth {
    /// Growth above this share exceeds the variation between measurements.
    pub const NOTABLE: f64 = 0.05;

    /// Fits the growth through `peaks`, pairs of steps and bytes; `None` unless they include two different
    /// numbers of steps.
    pub fn of(peaks: &[(usize, usize)]) -> Option<Self> {
        let fewest = peaks.iter().min_by_key(|(steps, _)| steps)?;
        let most = peaks.iter().max_by_key(|(steps, _)| steps)?;
        if fewest.0 == most.0 {
            return None;
        }
        let points = peaks
            .iter()
            .map(|&(steps, bytes)| (steps as f64, bytes as f64));
        let Moments { xx, xy, yy } = Moments::of(&points.collect::<Vec<_>>());
        Some(Self {
            fewest_steps: fewest.0,
            most_steps: most.0,
            bytes_per_step: xy / xx,
            growth: most.1 as f64 / fewest.1 as f64 - 1.0,
            r_squared: (peaks.len() > 2 && yy > 0.0).then(|| xy * xy / (xx * yy)),
        })
    }

    /// Whether the peak stays within [`NOTABLE`](Self::NOTABLE) of the peak at the fewest steps.
    pub fn is_flat(&self) -> bool {
        self.growth.abs() <= Self::NOTABLE
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryGrowth;

    #[test]
    fn a_line_is_found() {
        let peaks = [(1000, 502_000), (10, 7_000), (100, 52_000)];
        let growth = MemoryGrowth::of(&peaks).unwrap();
        assert_eq!((growth.fewest_steps, growth.most_steps), (10, 1000));
        // Sums of numbers below 2^53, so only the divisions round.
        assert!((growth.bytes_per_step - 500.0).abs() < 1e-9);
        assert!((growth.growth - 495.0 / 7.0).abs() < 1e-12);
        assert!((growth.r_squared.unwrap() - 1.0).abs() < 1e-12);
        assert!(!growth.is_flat());
    }

    #[test]
    fn what_does_not_grow_is_flat() {
        let growth = MemoryGrowth::of(&[(10, 1000), (100, 1040), (1000, 1010)]).unwrap();
        assert!(growth.is_flat());
        assert!(growth.r_squared.unwrap() < 0.1);
        assert!(growth.bytes_per_step.abs() < 0.1);
        let same = MemoryGrowth::of(&[(10, 1000), (20, 1000), (30, 1000)]).unwrap();
        assert_eq!((same.bytes_per_step, same.r_squared), (0.0, None));
        let shrinking = MemoryGrowth::of(&[(10, 1000), (20, 900)]).unwrap();
        assert_eq!(shrinking.bytes_per_step, -10.0);
        assert_eq!(shrinking.r_squared, None, "two points are always on a line");
        assert!(!shrinking.is_flat());
    }

    #[test]
    fn one_number_of_steps_shows_no_growth() {
        assert_eq!(MemoryGrowth::of(&[]), None);
        assert_eq!(MemoryGrowth::of(&[(10, 7)]), None);
        assert_eq!(MemoryGrowth::of(&[(10, 7), (10, 9)]), None);
    }
}
