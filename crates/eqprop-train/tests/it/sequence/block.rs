//! Blocks in models that Burn's autodiff trains, against autodiff through every step, in `f64`.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use eqprop_core::sequence::{
    CoupledOscillators, CoupledOscillatorsConfig, HamiltonianEcho, HamiltonianSystem,
    LeapfrogConfig,
};
use eqprop_testing::{Setup, filled, norm, order_of, relative_error, sines, values};
use eqprop_train::sequence::HamiltonianBlock;

const BATCH: usize = 4;
const STEPS: usize = 7;

/// Digital layer, two blocks in a row, digital layer, loss.
#[derive(Module, Debug)]
struct Model {
    below: Linear,
    first: HamiltonianBlock<CoupledOscillators>,
    second: HamiltonianBlock<CoupledOscillators>,
    above: Linear,
}

type Block = HamiltonianBlock<CoupledOscillators>;

/// All positions by the echo, or by steps that lie on the graph.
type Forward = fn(&Block, Tensor<3>) -> Tensor<3>;

fn echoing(block: &Block, inputs: Tensor<3>) -> Tensor<3> {
    block.forward(inputs)
}

fn through_time(block: &Block, inputs: Tensor<3>) -> Tensor<3> {
    let mut positions = Vec::new();
    let start = block.system.rest(&inputs);
    block.system.run_observed(&inputs, start, |motion| {
        positions.push(motion.position.clone());
    });
    Tensor::stack(positions, 1)
}

impl Model {
    fn new(epsilon: f64) -> Self {
        let device = Device::flex();
        let block = |n_inputs, n_units| {
            let config = CoupledOscillatorsConfig::new(n_inputs, n_units, 5);
            let leapfrog = LeapfrogConfig::new(0.3, 2);
            let system = HamiltonianSystem::new(config.init(&device), leapfrog);
            HamiltonianBlock::new(system, HamiltonianEcho::new(epsilon))
        };
        let linear = |from, to| LinearConfig::new(from, to).init(&device);
        let model = Self {
            below: linear(2, 3),
            first: block(3, 6),
            second: block(6, 4),
            above: linear(4, 3),
        };
        filled(model, &Setup::double(), sines(0.6)).train()
    }

    /// The mean cross-entropy of the positions at the end, or of those after every input.
    fn loss(
        &self,
        inputs: Tensor<3>,
        target: Tensor<2>,
        block: Forward,
        at_end: bool,
    ) -> Tensor<1> {
        let hidden = block(&self.first, self.below.forward(inputs).tanh());
        let output = match at_end {
            true => {
                let all = block(&self.second, hidden);
                all.narrow(1, STEPS - 1, 1).squeeze_dim::<2>(1)
            }
            false => block(&self.second, hidden).mean_dim(1).squeeze_dim::<2>(1),
        };
        let scores = self.above.forward(output);
        (log_softmax(scores, 1) * target).sum() * (-1.0 / BATCH as f64)
    }
}

fn inputs() -> Tensor<3> {
    let numbers = sines(1.0)(BATCH * STEPS * 2);
    Setup::double()
        .tensor(numbers, [BATCH, STEPS, 2])
        .autodiff()
        .require_grad()
}

fn target() -> Tensor<2> {
    Setup::double().one_hot(&[0, 1, 2, 1], 3)
}

/// The gradient of every parameter, and of the inputs.
fn lists(model: &Model, inputs: &Tensor<3>, loss: Tensor<1>) -> Vec<(String, Vec<f64>)> {
    struct Lists<'a>(&'a GradientsParams, Vec<String>, Vec<(String, Vec<f64>)>);

    impl ModuleVisitor for Lists<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.1.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.1.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(parameter.id).expect("every one has one");
            self.2.push((self.1.join("."), values(&gradient)));
        }
    }

    let mut found = loss.backward();
    let of_inputs = inputs.grad(&found).expect("a gradient of the inputs");
    let gradients = GradientsParams::from_module(&mut found, model);
    let mut lists = Lists(&gradients, Vec::new(), Vec::new());
    model.visit(&mut lists);
    lists.2.push(("inputs".to_string(), values(&of_inputs)));
    lists.2
}

fn largest_error(found: &[(String, Vec<f64>)], expected: &[(String, Vec<f64>)]) -> f64 {
    assert_eq!(found.len(), 2 + 4 + 4 + 2 + 1);
    let pairs = found.iter().zip(expected);
    let errors = pairs.map(|((name, found), (_, expected))| {
        assert!(norm(expected) > 1e-4, "{name}: nothing to compare");
        relative_error(found, expected)
    });
    errors.fold(0.0, f64::max)
}

#[test]
fn gradients_through_blocks_are_those_of_autodiff_through_their_steps() {
    for at_end in [true, false] {
        let of = |epsilon, block| {
            let (model, inputs) = (Model::new(epsilon), inputs());
            let loss = model.loss(inputs.clone(), target(), block, at_end);
            lists(&model, &inputs, loss)
        };
        let expected = of(1.0, through_time);
        let epsilons = [0.04, 0.02, 0.01];
        let errors = epsilons.map(|epsilon| largest_error(&of(epsilon, echoing), &expected));
        let order = order_of(&epsilons, &errors);
        assert!((order - 2.0).abs() < 0.1, "{order} of {errors:?}");
        let error = largest_error(&of(1e-6, echoing), &expected);
        assert!(error < 1e-9, "{error:e}");
    }
}

#[test]
fn the_last_positions_alone_have_the_same_gradients() {
    let model = Model::new(1e-6);
    let inputs = inputs();
    let expected = {
        let loss = model.loss(inputs.clone(), target(), through_time, true);
        lists(&model, &inputs, loss)
    };
    let hidden = model
        .first
        .forward(model.below.forward(inputs.clone()).tanh());
    let scores = model.above.forward(model.second.forward_last(hidden));
    let loss = (log_softmax(scores, 1) * target()).sum() * (-1.0 / BATCH as f64);
    let error = largest_error(&lists(&model, &inputs, loss), &expected);
    assert!(error < 1e-9, "{error:e}");
}

#[test]
fn without_autodiff_a_block_runs_and_records_nothing() {
    let model = Model::new(1e-3).valid();
    let inputs = inputs().without_autodiff();
    let hidden = model
        .first
        .forward(model.below.forward(inputs.clone()).tanh());
    assert!(!hidden.is_autodiff());
    let expected = through_time(&model.first, model.below.forward(inputs).tanh());
    assert_eq!(values(&hidden), values(&expected));
}
