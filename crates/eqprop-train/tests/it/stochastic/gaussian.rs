//! A network of identity units with the squared error, whose stationary densities are Gaussian:
//! every expectation in closed form.
//!
//! With `s = (hidden, output)`, `P` the projection on the output and `d` the drive by input and
//! biases,
//!
//! ```text
//! F = ½ sᵀ H_β s − (d + βPy)ᵀ s,   H_β = I − W + βP
//! p^β = N(μ_β, T H_β⁻¹),           μ_β = H_β⁻¹ (d + βPy)
//! J   = ½ |Pμ − y|² + ½ T tr(P H⁻¹)
//! ```

use super::{INPUT, TARGET, TEMPERATURE};

pub const N_IN: usize = 2;
pub const N_HIDDEN: usize = 3;
pub const N_OUT: usize = 2;
const N: usize = N_HIDDEN + N_OUT;

pub type Matrix = [[f64; N]; N];
pub type Vector = [f64; N];

/// The parameters in the order of the network's fields: weights into the hidden layer and into
/// the output, biases of both.
#[derive(Debug, Clone)]
pub struct Gaussian(pub [Vec<f64>; 4]);

impl Gaussian {
    pub fn new() -> Self {
        Self([
            vec![0.6, -0.4, 0.3, 0.2, 0.5, -0.7],
            vec![0.40, 0.20, -0.25, 0.35, 0.30, -0.25],
            vec![0.1, -0.2, 0.3],
            vec![0.2, -0.1],
        ])
    }

    pub fn hessian(&self, beta: f64) -> Matrix {
        let mut hessian = [[0.0; N]; N];
        for (i, row) in hessian.iter_mut().enumerate() {
            row[i] = if i < N_HIDDEN { 1.0 } else { 1.0 + beta };
        }
        for (index, weight) in self.0[1].iter().enumerate() {
            let (i, j) = (index / N_OUT, N_HIDDEN + index % N_OUT);
            hessian[i][j] = -weight;
            hessian[j][i] = -weight;
        }
        hessian
    }

    /// `μ_β` for one example.
    pub fn mean(&self, example: usize, beta: f64) -> Vector {
        let mut drive = [0.0; N];
        for (j, drive) in drive.iter_mut().enumerate() {
            *drive = if j < N_HIDDEN {
                let weights = (0..N_IN).map(|i| INPUT[example][i] * self.0[0][i * N_HIDDEN + j]);
                self.0[2][j] + weights.sum::<f64>()
            } else {
                let k = j - N_HIDDEN;
                self.0[3][k] + beta * TARGET[example][k]
            };
        }
        times(&inverse(&self.hessian(beta)), &drive)
    }

    /// Covariance of Langevin dynamics in steps of size ε, `T (H − εH²/2)⁻¹`.
    pub fn covariance(&self, beta: f64, step_size: f64) -> Matrix {
        let hessian = self.hessian(beta);
        let square = product(&hessian, &hessian);
        inverse(&from_fn(|i, j| {
            (hessian[i][j] - 0.5 * step_size * square[i][j]) / TEMPERATURE
        }))
    }

    /// `Pμ − y` of one example.
    pub fn error(&self, example: usize) -> Vector {
        let mean = self.mean(example, 0.0);
        let error = |i: usize| mean[i] - TARGET[example][i - N_HIDDEN];
        core::array::from_fn(|i| if i < N_HIDDEN { 0.0 } else { error(i) })
    }

    /// `J`, the mean over the batch of `E_{p⁰}[C]`.
    pub fn expected_cost(&self) -> f64 {
        let inverse = inverse(&self.hessian(0.0));
        let noise: f64 = (N_HIDDEN..N).map(|i| inverse[i][i]).sum();
        let squared = |example| self.error(example).iter().map(|e| e * e).sum::<f64>();
        0.5 * TEMPERATURE * noise + mean_over_batch(|example| 0.5 * squared(example))
    }

    /// `Var_{p⁰}(C) = ½ tr(S²) + eᵀ S e` of one example, with `S` the covariance of the output in
    /// steps of size ε, and `e = Pμ − y`.
    pub fn cost_variance(&self, example: usize, step_size: f64) -> f64 {
        let (s, error) = (self.covariance(0.0, step_size), self.error(example));
        let pairs = (N_HIDDEN..N).flat_map(|i| (N_HIDDEN..N).map(move |j| (i, j)));
        let terms = pairs.map(|(i, j)| 0.5 * s[i][j] * s[i][j] + error[i] * s[i][j] * error[j]);
        terms.sum()
    }

    /// `dJ/dθ`, without the part of the noise: that of the cost at the minimum.
    ///
    /// With `λ = H⁻¹ (Pμ − y)`: `dJ/dd = λ`, and `dJ = −λᵀ dH μ` for the weights between units.
    pub fn gradient_without_noise(&self) -> [Vec<f64>; 4] {
        let inverse = inverse(&self.hessian(0.0));
        let lambda = |example| times(&inverse, &self.error(example));
        let mean = |example| self.mean(example, 0.0);
        let input_weight = |index: usize| {
            let (i, j) = (index / N_HIDDEN, index % N_HIDDEN);
            mean_over_batch(|example| INPUT[example][i] * lambda(example)[j])
        };
        let weight = |index: usize| {
            let (i, j) = (index / N_OUT, N_HIDDEN + index % N_OUT);
            mean_over_batch(|example| {
                let (lambda, mean) = (lambda(example), mean(example));
                lambda[i] * mean[j] + lambda[j] * mean[i]
            })
        };
        let bias = |unit: usize| mean_over_batch(|example| lambda(example)[unit]);
        [
            (0..N_IN * N_HIDDEN).map(input_weight).collect(),
            (0..N_HIDDEN * N_OUT).map(weight).collect(),
            (0..N_HIDDEN).map(bias).collect(),
            (N_HIDDEN..N).map(bias).collect(),
        ]
    }

    /// `dJ/dθ`: the noise adds `½T d tr(P H⁻¹) = T (H⁻¹PH⁻¹)_ij` for the weight between units `i`
    /// and `j`.
    pub fn gradient(&self) -> [Vec<f64>; 4] {
        let inverse = inverse(&self.hessian(0.0));
        let mut gradient = self.gradient_without_noise();
        for (index, gradient) in gradient[1].iter_mut().enumerate() {
            let (i, j) = (index / N_OUT, N_HIDDEN + index % N_OUT);
            let noise: f64 = (N_HIDDEN..N).map(|k| inverse[i][k] * inverse[k][j]).sum();
            *gradient += TEMPERATURE * noise;
        }
        gradient
    }

    /// Limit of a centered estimate with steps of size ε: `−1/(2β)` times the difference of
    /// the second moments, or of the means for the biases.
    pub fn limit_of_estimates(&self, beta: f64, step_size: f64) -> [Vec<f64>; 4] {
        let moments = |beta: f64| {
            let covariance = self.covariance(beta, step_size);
            let mean = |example| self.mean(example, beta);
            let first = |i: usize| mean_over_batch(|example| mean(example)[i]);
            let with_input = |i: usize, j: usize| mean_over_batch(|e| INPUT[e][i] * mean(e)[j]);
            let second = |i: usize, j: usize| {
                covariance[i][j] + mean_over_batch(|e| mean(e)[i] * mean(e)[j])
            };
            let pairs = |n: usize, m: usize| (0..n * m).map(move |index| (index / m, index % m));
            [
                pairs(N_IN, N_HIDDEN)
                    .map(|(i, j)| with_input(i, j))
                    .collect::<Vec<_>>(),
                pairs(N_HIDDEN, N_OUT)
                    .map(|(i, j)| second(i, N_HIDDEN + j))
                    .collect(),
                (0..N_HIDDEN).map(first).collect(),
                (N_HIDDEN..N).map(first).collect(),
            ]
        };
        let (plus, minus) = (moments(beta), moments(-beta));
        core::array::from_fn(|list| {
            let pairs = plus[list].iter().zip(&minus[list]);
            pairs.map(|(p, m)| (m - p) / (2.0 * beta)).collect()
        })
    }
}

fn mean_over_batch(f: impl Fn(usize) -> f64) -> f64 {
    (0..INPUT.len()).map(f).sum::<f64>() / INPUT.len() as f64
}

fn from_fn(f: impl Fn(usize, usize) -> f64) -> Matrix {
    core::array::from_fn(|i| core::array::from_fn(|j| f(i, j)))
}

fn times(matrix: &Matrix, vector: &Vector) -> Vector {
    core::array::from_fn(|i| (0..N).map(|j| matrix[i][j] * vector[j]).sum())
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    from_fn(|i, j| (0..N).map(|k| a[i][k] * b[k][j]).sum())
}

/// Inverse of a positive definite matrix by elimination, which then needs no pivots.
fn inverse(matrix: &Matrix) -> Matrix {
    let mut left = *matrix;
    let mut right = from_fn(|i, j| f64::from(u8::from(i == j)));
    for pivot in 0..N {
        let scale = left[pivot][pivot];
        assert!(scale > 0.0, "not positive definite");
        left[pivot] = left[pivot].map(|v| v / scale);
        right[pivot] = right[pivot].map(|v| v / scale);
        for row in (0..N).filter(|&row| row != pivot) {
            let factor = left[row][pivot];
            for column in 0..N {
                left[row][column] -= factor * left[pivot][column];
                right[row][column] -= factor * right[pivot][column];
            }
        }
    }
    right
}
