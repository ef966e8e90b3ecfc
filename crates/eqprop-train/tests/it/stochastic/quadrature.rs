//! A network of one unit, whose expected cost is an integral over one number.
//!
//! ```text
//! p⁰(s) ∝ exp(−(½s² − us)/T) on the range of the unit,   u = wx + b
//! J = E_{p⁰}[C(s)]
//! ```

use eqprop_core::activation::Activation;

use super::TEMPERATURE;

/// Two examples.
pub const INPUT: [[f64; 1]; 2] = [[1.0], [-0.5]];
/// Weight and bias of the unit.
pub const UNIT: [f64; 2] = [0.5, -0.05];
/// Readout weights and biases.
pub const READOUT: [f64; 4] = [1.5, -1.0, 0.2, -0.3];

/// The cost of state `s` in example `example`, with parameters `θ`.
pub type CostOfState = fn(theta: &[f64], example: usize, s: f64) -> f64;

pub fn squared_error(_theta: &[f64], example: usize, s: f64) -> f64 {
    let target = SQUARED_ERROR_TARGET[example][0];
    0.5 * (s - target) * (s - target)
}

pub const SQUARED_ERROR_TARGET: [[f64; 1]; 2] = [[2.0], [1.0]];

pub fn cross_entropy(theta: &[f64], example: usize, s: f64) -> f64 {
    let logits = [0, 1].map(|class| theta[2 + class] * s + theta[4 + class]);
    let log_sum = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
    let target = CROSS_ENTROPY_TARGET[example];
    (0..2)
        .map(|class| target[class] * (log_sum - logits[class]))
        .sum()
}

pub const CROSS_ENTROPY_TARGET: [[f64; 2]; 2] = [[1.0, 0.0], [0.0, 1.0]];

/// `J`, by the midpoint rule.
pub fn expected_cost(activation: Activation, cost: CostOfState, theta: &[f64]) -> f64 {
    let deviation = TEMPERATURE.sqrt();
    let integral = |example: usize, [x]: [f64; 1]| {
        let u = theta[0] * x + theta[1];
        let low = if activation == Activation::Identity {
            u - 10.0 * deviation
        } else {
            0.0
        };
        let high = activation.max().min(u.max(0.0) + 10.0 * deviation);
        let n = 4000;
        let states = (0..n).map(|i| low + (high - low) * (f64::from(i) + 0.5) / f64::from(n));
        let (mut sum, mut norm) = (0.0, 0.0);
        for s in states {
            let density = (-0.5 * (s - u) * (s - u) / TEMPERATURE).exp();
            sum += density * cost(theta, example, s);
            norm += density;
        }
        sum / norm
    };
    let costs = INPUT.into_iter().enumerate();
    costs.map(|(example, x)| integral(example, x)).sum::<f64>() / INPUT.len() as f64
}

/// The mean cost at the minimum, where there is no noise.
pub fn cost_without_noise(activation: Activation, cost: CostOfState, theta: &[f64]) -> f64 {
    let at_minimum = |(example, [x]): (usize, [f64; 1])| {
        let u = theta[0] * x + theta[1];
        let low = if activation == Activation::Identity {
            u
        } else {
            0.0
        };
        cost(theta, example, u.max(low).min(activation.max()))
    };
    let costs = INPUT.into_iter().enumerate();
    costs.map(at_minimum).sum::<f64>() / INPUT.len() as f64
}

/// `∂f/∂θ` by central differences.
pub fn differences(theta: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let epsilon = 1e-4;
    let moved = |index: usize, by: f64| {
        let mut theta = theta.to_vec();
        theta[index] += by;
        f(&theta)
    };
    let slope = |i| (moved(i, epsilon) - moved(i, -epsilon)) / (2.0 * epsilon);
    (0..theta.len()).map(slope).collect()
}
