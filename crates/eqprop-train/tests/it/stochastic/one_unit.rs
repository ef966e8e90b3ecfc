//! Estimates with one unit, of any range and cost, against integrals.

use burn::tensor::Device;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{Cost, CrossEntropy, CrossEntropyConfig, SquaredError};
use eqprop_core::nudging::Nudging;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::stochastic::Sampling;

use super::{
    Measured, TEMPERATURE, assert_told_apart, assert_within_errors, batch, estimates, negated,
    network, off, quadrature, stochastic,
};

/// A network of one unit, whose expectations are integrals, and how it is sampled.
struct OneUnit<C> {
    activation: Activation,
    cost: C,
    cost_of_state: quadrature::CostOfState,
    theta: Vec<f64>,
    batch: Batch,
    /// Small enough for a bias, of order ε, below the standard errors.
    step_size: f64,
    /// How long burn-in and sampling take each: `n` steps are a time of `nε`.
    time: f64,
    n_chains: usize,
}

impl OneUnit<SquaredError> {
    fn with_squared_error(
        activation: Activation,
        (step_size, time): (f64, f64),
        n_chains: usize,
    ) -> Self {
        Self {
            activation,
            cost: SquaredError,
            cost_of_state: quadrature::squared_error,
            theta: quadrature::UNIT.to_vec(),
            batch: batch(&quadrature::INPUT, &quadrature::SQUARED_ERROR_TARGET),
            step_size,
            time,
            n_chains,
        }
    }
}

impl OneUnit<CrossEntropy> {
    fn with_readout() -> Self {
        Self {
            activation: Activation::Identity,
            cost: CrossEntropyConfig::new(1, 2).init(&Device::flex()),
            cost_of_state: quadrature::cross_entropy,
            theta: [&quadrature::UNIT[..], &quadrature::READOUT].concat(),
            batch: batch(&quadrature::INPUT, &quadrature::CROSS_ENTROPY_TARGET),
            step_size: 0.01,
            time: 7.0,
            n_chains: 128,
        }
    }
}

impl<C: Cost> OneUnit<C> {
    fn measure(&self, nudging: Nudging) -> Vec<Measured> {
        let network = network(&[1, 1], self.activation, self.cost.clone(), &self.theta);
        let n_steps = (self.time / self.step_size).round() as usize;
        let sampling = Sampling::new(TEMPERATURE)
            .with_step_size(self.step_size)
            .with_n_chains(self.n_chains)
            .with_burn_in(n_steps)
            .with_n_samples(20)
            .with_thinning(n_steps / 20);
        let estimator = stochastic(nudging, sampling);
        Measured::columns(&estimates(&estimator, &network, &self.batch, 16))
    }

    fn exact(&self) -> Vec<f64> {
        quadrature::differences(&self.theta, |theta| {
            quadrature::expected_cost(self.activation, self.cost_of_state, theta)
        })
    }

    fn check(&self, nudging: Nudging) {
        let (measured, exact) = (self.measure(nudging), self.exact());
        let what = format!("{:?}, {nudging:?}", self.activation);
        assert_within_errors(&measured, &exact, &what);
        assert_told_apart(&measured, &negated(&exact), &what);
        let without_noise = quadrature::differences(&self.theta, |theta| {
            quadrature::cost_without_noise(self.activation, self.cost_of_state, theta)
        });
        let off = off(&measured, &without_noise);
        assert!(off.iter().any(|&off| off > 10.0), "{what}: {off:?}");
    }
}

#[test]
fn estimates_in_a_range_are_the_gradient_of_the_expected_cost() {
    // In a range of 1 the density relaxes in a time of 1/(π² T) = 0.2.
    let hard_sigmoid = Activation::HardSigmoid;
    OneUnit::with_squared_error(hard_sigmoid, (0.001, 1.0), 256)
        .check(Nudging::Centered { beta: 0.02 });
    // One-sided estimates are off by O(β).
    OneUnit::with_squared_error(Activation::Relu, (0.004, 7.0), 64)
        .check(Nudging::OneSided { beta: -0.002 });
}

#[test]
fn estimates_through_a_readout_are_the_gradient_of_the_expected_cost() {
    let unit = OneUnit::with_readout();
    unit.check(Nudging::Centered { beta: 0.02 });
    unit.check(Nudging::RandomSign { beta: 0.002 });

    // However strong the nudge, the readout learns from samples without one if there are some.
    let strong = unit.measure(Nudging::OneSided { beta: 1.0 });
    let exact = unit.exact();
    assert_within_errors(&strong[2..], &exact[2..], "readout");
    let off = off(&strong[..2], &exact[..2]);
    assert!(off.iter().all(|&off| off > 10.0), "{off:?}");
}
