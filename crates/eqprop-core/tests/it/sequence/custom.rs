//! A user-defined potential, against backpropagation through the same steps.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use eqprop_core::gradients::Gradients;
use eqprop_core::sequence::{HamiltonianSystem, Pair, Potential, Visit};
use eqprop_testing::{Numbers, Setup, assert_agrees, order_of, relative_error};

use super::{N_INPUTS, echo, inputs, leapfrog, lists, oscillators, through_time};

/// Pendulums of stiffness `k`, each with an input that turns its rest position:
/// `V = Σ k (1 − cos(y − u)) + ½ y²`.
#[derive(Module, Debug)]
struct Pendulums {
    stiffness: Param<Tensor<1>>,
}

impl Potential for Pendulums {
    type Prepared = Tensor<2>;
    type Held = Tensor<2>;
    type Slopes = ();

    fn n_inputs(&self) -> usize {
        self.stiffness.dims()[0]
    }

    fn n_units(&self) -> usize {
        self.stiffness.dims()[0]
    }

    fn prepare(&self) -> Tensor<2> {
        self.stiffness.val().unsqueeze()
    }

    fn hold(&self, _stiffness: &Tensor<2>, input: &Tensor<2>) -> Tensor<2> {
        input.clone()
    }

    fn value(&self, stiffness: &Tensor<2>, input: &Tensor<2>, y: &Tensor<2>) -> Tensor<1> {
        let turned = (y.clone() - input.clone()).cos().neg() + 1.0;
        (turned * stiffness.clone() + y.clone().square() * 0.5)
            .sum_dim(1)
            .squeeze_dim(1)
    }

    fn force(&self, stiffness: &Tensor<2>, input: &Tensor<2>, y: &Tensor<2>) -> Tensor<2> {
        ((y.clone() - input.clone()).sin() * stiffness.clone() + y.clone()).neg()
    }

    fn force_pair(&self, stiffness: &Tensor<2>, input: &Tensor<2>, pair: &Pair) -> (Pair, ()) {
        (pair.map(|y| self.force(stiffness, input, &y)), ())
    }

    fn contrast(&self, _stiffness: &Tensor<2>, visits: &[Visit<()>], scale: f64) -> Gradients {
        let cosines = visits.iter().map(
            |Visit {
                 input, positions, ..
             }| {
                let of = |y: Tensor<2>| (y - input.clone()).cos().sum_dim(0).squeeze_dim::<1>(0);
                (of(positions.second()) - of(positions.first())) * scale
            },
        );
        let mut gradients = Gradients::new();
        let sum = cosines.reduce(|sum, term| sum + term).expect("visits");
        gradients.register(self.stiffness.id, sum);
        gradients
    }

    fn input_contrast(&self, stiffness: &Tensor<2>, visit: &Visit<()>, scale: f64) -> Tensor<2> {
        let of = |y: Tensor<2>| (y - visit.input.clone()).sin() * stiffness.clone();
        (of(visit.positions.second()) - of(visit.positions.first())) * scale
    }
}

#[test]
fn any_potential_has_the_gradient_of_backpropagation_through_its_steps() {
    let setup = Setup::double();
    let stiffness = setup.tensor(Numbers(1).list(N_INPUTS, 0.5, 2.0), [N_INPUTS]);
    let stiffness = Param::from_tensor(stiffness);
    let system = HamiltonianSystem::new(Pendulums { stiffness }, leapfrog());
    let inputs = inputs(&setup, 4, 25);
    let expected = through_time(&system, &inputs);
    let epsilons = [0.04, 0.02, 0.01];
    let errors = epsilons.map(|epsilon| {
        let found = lists(&system, &echo(&system, &inputs, epsilon));
        relative_error(&found.concat(), &expected.concat())
    });
    let order = order_of(&epsilons, &errors);
    assert!((order - 2.0).abs() < 0.1, "{order} of {errors:?}");
    // Differences by subtraction: ε² and 1e-16/ε.
    let found = lists(&system, &echo(&system, &inputs, 1e-5));
    assert_agrees(&found, &expected, 1e-9, "pendulums");
}

/// The steps that the echo takes are those that `run` records.
#[test]
fn oscillators_have_the_gradient_of_backpropagation_through_their_steps() {
    for (setup, epsilon, tolerance) in [
        (Setup::double(), 1e-7, 1e-11),
        (Setup::single(), 1e-4, 1e-5),
    ] {
        let system = HamiltonianSystem::new(oscillators(&setup), leapfrog());
        let inputs = inputs(&setup, 4, 40);
        let expected = through_time(&system, &inputs);
        let found = lists(&system, &echo(&system, &inputs, epsilon));
        assert_agrees(&found, &expected, tolerance, setup.name);
    }
}
