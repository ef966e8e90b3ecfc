use super::*;
use crate::kernel::simd::dispatch;

fn numbers(n: usize, seed: usize) -> Vec<f32> {
    let number = |index: usize| ((index * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0;
    (0..n).map(number).collect()
}

/// `W`, and `o`, its base, `h` and its base before the step.
struct Layers {
    n: usize,
    n_short: usize,
    weights: Vec<f32>,
    short: Vec<f32>,
    short_base: Vec<f32>,
    state: Vec<f32>,
    base: Vec<f32>,
}

const BOUNDS: [f32; 2] = [-0.3, 0.8];

impl Layers {
    fn new(rows: usize, n: usize, n_short: usize) -> Self {
        Self {
            n,
            n_short,
            weights: numbers(n * n_short, 1),
            short: numbers(rows * n_short, 2),
            short_base: numbers(rows * n_short, 3),
            state: numbers(rows * n, 4),
            base: numbers(rows * n, 5),
        }
    }

    /// The layer after a step, and the drive of the short one; with a step size, both at once.
    fn step(&self, step_size: Option<f32>) -> [Vec<f32>; 2] {
        let entry = |o: usize, h: usize| self.weights[h * self.n_short + o];
        let weights = Shallow::new(self.n_short, self.n, entry);
        let (mut out, mut short_out) =
            (vec![9.0; self.base.len()], vec![9.0; self.short_base.len()]);
        let state = &self.state;
        dispatch(Pair {
            weights: &weights,
            short: &self.short,
            base: &self.base,
            bounds: BOUNDS,
            order: match step_size {
                None => Order::InTurn,
                Some(step_size) => Order::AtOnce { state, step_size },
            },
            out: &mut out,
            short_base: &self.short_base,
            short_out: &mut short_out,
        });
        [out, short_out]
    }

    /// The same in `f64`, element by element.
    fn plain(&self, step_size: Option<f32>) -> [Vec<f64>; 2] {
        let (n, n_short) = (self.n, self.n_short);
        let weight = |h: usize, o: usize| f64::from(self.weights[h * n_short + o]);
        let unit = |index: usize| {
            let (row, h) = (index / n, index % n);
            let sent =
                (0..n_short).map(|o| f64::from(self.short[row * n_short + o]) * weight(h, o));
            let drive = f64::from(self.base[index]) + sent.sum::<f64>();
            let step_size = step_size.map_or(1.0, f64::from);
            let moved = (1.0 - step_size) * f64::from(self.state[index]) + step_size * drive;
            moved.clamp(f64::from(BOUNDS[0]), f64::from(BOUNDS[1]))
        };
        let units: Vec<f64> = (0..self.base.len()).map(unit).collect();
        let before: Vec<f64> = self.state.iter().map(|&x| f64::from(x)).collect();
        let driving = match step_size {
            None => &units,
            Some(_) => &before,
        };
        let drive = |index: usize| {
            let (row, o) = (index / n_short, index % n_short);
            let sent = (0..n).map(|h| driving[row * n + h] * weight(h, o));
            f64::from(self.short_base[index]) + sent.sum::<f64>()
        };
        let drives = (0..self.short.len()).map(drive).collect();
        [units, drives]
    }
}

#[test]
fn both_layers_take_a_step_in_turn_or_at_once() {
    for n in [1, 15, 16, 32, 33, 100, 500] {
        for (n_short, rows) in [(10, 3), (7, 1), (5, 2), (1, 2)] {
            let layers = Layers::new(rows, n, n_short);
            for step_size in [None, Some(1.0), Some(0.4)] {
                let (found, expected) = (layers.step(step_size), layers.plain(step_size));
                // Sums of up to 10 and 500 products of order 1 in f32.
                for (index, bar) in [(0, 1e-5), (1, 1e-4)] {
                    for (found, expected) in found[index].iter().zip(&expected[index]) {
                        let error = (f64::from(*found) - expected).abs();
                        let what = format!("{n} and {n_short} units, {step_size:?}, {index}");
                        assert!(error < bar, "{what}: {found} for {expected}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_not_a_number_reaches_the_layer_above() {
    for step_size in [None, Some(0.5)] {
        let mut layers = Layers::new(1, 20, 2);
        layers.base[18] = f32::NAN;
        layers.state[17] = f32::NAN;
        let [out, short_out] = layers.step(step_size);
        assert!(out[18].is_nan() && short_out.iter().all(|x| x.is_nan()));
        assert_eq!(out[17].is_nan(), step_size.is_some());
    }
}
