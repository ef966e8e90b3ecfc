//! Systems that conserve energy: their trajectories, and the gradient from the echo.

mod course;
mod custom;
mod oscillators;
mod reference;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use eqprop_core::gradients::Gradients;
use eqprop_core::sequence::{
    CoupledOscillators, CoupledOscillatorsConfig, Course, Echo, HamiltonianEcho, HamiltonianSystem,
    LeapfrogConfig, LossSlopes, Potential,
};
use eqprop_testing::{Lists, Numbers, Setup, filled, gradients_in, values};

const N_INPUTS: usize = 3;
const N_UNITS: usize = 6;

fn leapfrog() -> LeapfrogConfig {
    LeapfrogConfig::new(0.2, 2)
}

/// Six oscillators with all parameters in ±0.8, in which no frequency is near 0.
fn oscillators(setup: &Setup) -> CoupledOscillators {
    let mut numbers = Numbers(7);
    let config = CoupledOscillatorsConfig::new(N_INPUTS, N_UNITS, 5);
    filled(config.init(&Device::flex()), setup, |n| {
        match n == N_UNITS {
            true => numbers.list(n, 0.5, 1.5),
            false => numbers.list(n, -0.8, 0.8),
        }
    })
}

fn inputs(setup: &Setup, batch: usize, n_steps: usize) -> Tensor<3> {
    let numbers = Numbers(11).list(batch * n_steps * N_INPUTS, -1.0, 1.0);
    setup.tensor(numbers, [batch, n_steps, N_INPUTS])
}

/// The echo of a trajectory from the initial motion, whose loss is `½│y_T│²` for each example.
fn echo<P: Potential>(system: &HamiltonianSystem<P>, inputs: &Tensor<3>, epsilon: f64) -> Echo {
    let start = system.rest(inputs);
    let end = system.run(inputs, start.clone());
    let slopes = LossSlopes::AtEnd(end.position.clone());
    let course = Course { inputs, start, end };
    HamiltonianEcho::new(epsilon).retrace_with_inputs(system, &course, &slopes)
}

/// The gradient of the same loss by backpropagation through the steps, and its slope in the inputs.
fn through_time<P: Potential>(system: &HamiltonianSystem<P>, inputs: &Tensor<3>) -> Lists {
    let system = system.clone().train();
    let inputs = inputs.clone().autodiff().require_grad();
    let end = system.run(&inputs, system.rest(&inputs));
    let loss = end.position.square().sum() * 0.5;
    let n_examples = inputs.dims()[0] as f64;
    let found = loss.backward();
    let of_inputs = inputs.grad(&found).expect("a gradient of the inputs");

    struct Tracked<'a>(&'a burn::tensor::Gradients, Gradients, f64);
    impl burn::module::ModuleVisitor for Tracked<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &burn::module::Param<Tensor<D>>) {
            let gradient = parameter.val().grad(self.0).expect("a gradient");
            self.1.register(parameter.id, gradient * (1.0 / self.2));
        }
    }
    let mut tracked = Tracked(&found, Gradients::new(), n_examples);
    system.visit(&mut tracked);
    let mut lists = gradients_in(&system, &tracked.1);
    lists.push(values(&of_inputs));
    lists
}

/// The gradient of every parameter, and the slopes of the inputs.
fn lists<P: Potential>(system: &HamiltonianSystem<P>, echo: &Echo) -> Lists {
    let mut lists = gradients_in(system, &echo.gradients);
    lists.push(values(echo.input_slopes.as_ref().expect("asked for")));
    lists
}
