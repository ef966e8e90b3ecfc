//! Equilibrium blocks in models that Burn's autodiff trains, against autodiff through every step of
//! their relaxations, in `f64`.

use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Tensor};
use eqprop_core::gradients::Gradients;
use eqprop_testing::{
    Setup, custom, distance, filled, named_parameters, norm, relative_error, sines, values,
};
use eqprop_train::prelude::*;

const BATCH: usize = 4;

/// Input, digital layer, block, digital layer, loss: any part of it can be left out.
#[derive(Module, Debug)]
struct Model<E: VectorField> {
    below: Option<Linear>,
    first: EquilibriumBlock<E>,
    second: Option<EquilibriumBlock<E>>,
    above: Option<Linear>,
}

/// How a block finds its output.
type Forward<E> = fn(&EquilibriumBlock<E>, Tensor<2>) -> Tensor<2>;

impl<E: VectorField<Clamped: Send + 'static> + 'static> Model<E> {
    /// The mean cross-entropy.
    fn loss(&self, input: Tensor<2>, target: Tensor<2>, block: Forward<E>) -> Tensor<1> {
        let hidden = match &self.below {
            Some(below) => below.forward(input).tanh(),
            None => input,
        };
        let hidden = block(&self.first, hidden);
        let hidden = match &self.second {
            Some(second) => block(second, hidden),
            None => hidden,
        };
        let scores = match &self.above {
            Some(above) => above.forward(hidden),
            None => hidden,
        };
        // A factor: autodiff takes the reciprocal of a divisor in f32.
        (log_softmax(scores, 1) * target).sum() * (-1.0 / BATCH as f64)
    }
}

fn contrasting<E: VectorField<Clamped: Send + 'static> + 'static>(
    block: &EquilibriumBlock<E>,
    input: Tensor<2>,
) -> Tensor<2> {
    block.forward(input)
}

/// The same output, with every step of the free phase on the graph: far more than it needs to
/// converge.
fn through_time<E: VectorField<Clamped: Send + 'static> + 'static>(
    block: &EquilibriumBlock<E>,
    input: Tensor<2>,
) -> Tensor<2> {
    let network = EquilibriumNetwork::new(block.energy.clone(), SquaredError);
    let relaxation = Relaxation::steps(Scheme::Asynchronous, 100);
    let start = block.energy.rest(&input.clone().without_autodiff());
    let relaxed = network.relax(&relaxation, &input, Some(start));
    relaxed.state.output().clone()
}

fn method(beta: f64) -> EquilibriumPropagation {
    let phase = Relaxation::steps(Scheme::Asynchronous, 2000).with_tolerance(1e-14);
    EquilibriumPropagation::new(Nudging::Centered { beta }, phase.clone(), phase)
}

fn hopfield(sizes: &[usize], output: Activation) -> HopfieldEnergy {
    let weights = InitializerConfig::Glorot;
    HopfieldEnergyConfig::dense(sizes, Activation::Tanh, output, weights).init(&Device::flex())
}

/// A digital layer below a head; a block between two digital layers; two blocks in a row, the
/// first at the input.
fn models(beta: f64) -> [(&'static str, Model<HopfieldEnergy>); 3] {
    let device = Device::flex();
    let linear = |from, to| Some(LinearConfig::new(from, to).init(&device));
    let block =
        |sizes: &[usize], output| EquilibriumBlock::new(hopfield(sizes, output), method(beta));
    let head = Model {
        below: linear(5, 6),
        first: block(&[6, 7, 3], Activation::Identity),
        second: None,
        above: None,
    };
    let between = Model {
        below: linear(5, 6),
        first: block(&[6, 7, 4], Activation::Tanh),
        second: None,
        above: linear(4, 3),
    };
    let chained = Model {
        below: None,
        first: block(&[5, 6, 4], Activation::Sigmoid),
        second: Some(block(&[4, 5, 3], Activation::Tanh)),
        above: linear(3, 3),
    };
    let models = [("head", head), ("between", between), ("chained", chained)];
    models.map(|(what, model)| (what, in_double(model)))
}

/// Every parameter replaced by numbers in ±0.6, in `f64`, on autodiff.
fn in_double<M: Module>(module: M) -> M {
    filled(module, &Setup::double(), sines(0.6)).train()
}

fn tensor<const N: usize>(rows: [[f64; N]; BATCH]) -> Tensor<2> {
    Setup::double().tensor(rows.concat(), [BATCH, N])
}

fn input() -> Tensor<2> {
    tensor([
        [0.3, -0.8, 0.5, 0.1, 0.9],
        [-0.6, 0.2, 0.7, -0.4, 0.0],
        [0.8, 0.8, -0.3, 0.6, -0.2],
        [0.1, -0.1, 0.4, 0.9, 0.5],
    ])
}

fn target() -> Tensor<2> {
    tensor([
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [0.0, 1.0, 0.0],
    ])
}

/// The gradient of every parameter that has one, and of the input.
fn gradients<E: VectorField<Clamped: Send + 'static> + 'static>(
    model: &Model<E>,
    block: Forward<E>,
) -> Vec<(String, Vec<f64>)> {
    struct Lists<'a> {
        gradients: &'a GradientsParams,
        path: Vec<String>,
        found: Vec<(String, Vec<f64>)>,
    }

    impl ModuleVisitor for Lists<'_> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.get::<D>(parameter.id) {
                assert_eq!(gradient.shape(), parameter.lazy_shape());
                self.found.push((self.path.join("."), values(&gradient)));
            }
        }
    }

    let input = input().autodiff().require_grad();
    let mut found = model.loss(input.clone(), target(), block).backward();
    let of_input = input.grad(&found).expect("a gradient of the input");
    let gradients = GradientsParams::from_module(&mut found, model);
    let mut lists = Lists {
        gradients: &gradients,
        path: Vec::new(),
        found: Vec::new(),
    };
    model.visit(&mut lists);
    lists.found.push(("input".to_string(), values(&of_input)));
    lists.found
}

/// The largest relative error of a parameter, and the lowest cosine; each parameter must have a
/// gradient that is not 0.
fn compare(found: &[(String, Vec<f64>)], expected: &[(String, Vec<f64>)]) -> (f64, f64) {
    assert_eq!(found.len(), expected.len());
    let (mut error, mut cosine) = (0.0_f64, 1.0_f64);
    for ((name, found), (other, expected)) in found.iter().zip(expected) {
        assert_eq!(name, other);
        let size = norm(expected);
        assert!(size > 1e-3, "{name}: nothing to compare");
        error = error.max(relative_error(found, expected));
        cosine = cosine.min(eqprop_testing::cosine(found, expected));
    }
    (error, cosine)
}

/// The error falls as β², to some 1e-5 at β = 0.001: rounding of states, 1e-14/β, is far below.
#[test]
fn gradients_through_blocks_are_those_of_autodiff_through_their_steps() {
    for (what, model) in models(0.1) {
        let n_parameters = named_parameters(&model).len();
        let expected = gradients(&model, through_time);
        assert_eq!(expected.len(), n_parameters + 1, "{what}");
        let at = |beta: f64| {
            let (_, model) = models(beta).into_iter().find(|m| m.0 == what).expect(what);
            gradients(&model, contrasting)
        };
        let (error, cosine) = compare(&at(0.1), &expected);
        println!("{what}, beta 0.1: lowest cosine {cosine:.5}, largest error {error:.1e}");
        assert!(cosine > 0.99, "{what}: cosine {cosine}");
        let (coarse, _) = compare(&at(0.01), &expected);
        let found = at(0.001);
        let (fine, cosine) = compare(&found, &expected);
        println!(
            "{what}, beta 0.001: 1 - cosine {:.1e}, error {fine:.1e}",
            1.0 - cosine
        );
        assert!(fine < 1e-4, "{what}: off by {fine:e}");
        assert!(1.0 - cosine < 1e-8, "{what}: cosine {cosine}");
        let order = (coarse / fine).log10();
        assert!((order - 2.0).abs() < 0.1, "{what}: order {order} in beta");
        // With any one of them of the other sign it would be far off.
        for index in 0..found.len() {
            let mut flipped = found.clone();
            flipped[index].1.iter_mut().for_each(|g| *g = -*g);
            let (error, cosine) = compare(&flipped, &expected);
            assert!(error > 1.9 && cosine < -0.99, "{what}: {index}");
        }
    }
}

/// Its drives are found by a backward pass within the backward pass.
#[test]
fn a_custom_energy_is_a_block_as_any_other() {
    for (what, model) in models(0.05) {
        let with_function = |block: EquilibriumBlock<HopfieldEnergy>| {
            EquilibriumBlock::new(custom(block.energy), method(0.05))
        };
        let expected = gradients(&model, contrasting);
        let model = Model {
            below: model.below,
            first: with_function(model.first),
            second: model.second.map(with_function),
            above: model.above,
        };
        let found = gradients(&model, contrasting);
        for ((name, found), (_, expected)) in found.iter().zip(&expected) {
            // States within 1e-14, answered tenfold and divided by β.
            let off = distance(found, expected);
            assert!(off < 1e-10, "{what}, {name}: off by {off:e}");
        }
    }
}

#[test]
fn one_optimizer_moves_all_parts_and_its_clipping_sees_all() {
    for (what, model) in models(0.1) {
        let clipping = GradientClippingConfig::Value(1e-3);
        let config = SgdConfig::new().with_gradient_clipping(Some(clipping));
        let mut optimizer: ModuleOptimizer = config.init();
        let before = named_parameters(&model);
        let slopes = gradients(&model, contrasting);
        let loss = model.loss(input(), target(), contrasting);
        let found = GradientsParams::from_grads(loss.backward(), &model);
        let model = optimizer.step(1.0, model, found);
        let after = named_parameters(&model);
        for (index, ((name, before), (_, after))) in before.iter().zip(&after).enumerate() {
            let moved = before.iter().zip(after).zip(&slopes[index].1);
            for ((before, after), slope) in moved {
                let expected = -slope.clamp(-1e-3, 1e-3);
                assert!((after - before - expected).abs() < 1e-9, "{what}, {name}");
            }
        }
        // Downhill.
        let lower = model
            .loss(input(), target(), contrasting)
            .into_scalar::<f64>();
        let higher = loss_of(what);
        assert!(
            lower < higher - 1e-4,
            "{what}: {lower} is not below {higher}"
        );
    }
}

fn loss_of(what: &str) -> f64 {
    let (_, model) = models(0.1).into_iter().find(|m| m.0 == what).expect(what);
    let loss = model.valid().loss(input(), target(), contrasting);
    loss.into_scalar::<f64>()
}

#[test]
fn a_frozen_part_gets_no_gradient_and_lets_it_pass() {
    let [(_, head), (_, between), _] = models(0.1);
    let all = gradients(&between, contrasting);
    let frozen = Model {
        first: between.first.clone().no_grad(),
        ..between
    };
    let found = gradients(&frozen, contrasting);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "below.weight",
        "below.bias",
        "above.weight",
        "above.bias",
        "input",
    ];
    assert_eq!(names, expected);
    for (name, gradient) in &found {
        let (_, expected) = all.iter().find(|other| other.0 == *name).expect(name);
        assert!(distance(gradient, expected) < 1e-12, "{name}");
    }

    // A frozen layer below: the block is where the graph begins.
    let frozen = Model {
        below: head.below.clone().map(Module::no_grad),
        ..head
    };
    let loss = frozen.loss(input(), target(), contrasting);
    let found = GradientsParams::from_grads(loss.backward(), &frozen);
    assert_eq!(found.len(), named_parameters(&frozen.first).len());
}

#[test]
fn outside_autodiff_a_block_only_relaxes() {
    let [(_, model), ..] = models(0.1);
    let plain = model.first.valid();
    let input = Tensor::cat(vec![input(), input().slice([0..BATCH, 0..1])], 1);
    let (output, relaxed) = plain.forward_relaxed(input.clone());
    assert!(!output.is_autodiff() && relaxed.info().residual <= 1e-14);
    let tracked = model.first.forward(input);
    assert!(tracked.is_tracked());
    assert_eq!(values(&tracked), values(&output));
    assert!(plain.last_nudged().is_none());
}

#[test]
fn the_nudged_phase_of_the_last_backward_pass_is_shown() {
    let [(_, model), ..] = models(0.1);
    // Burn's learner trains clones.
    let clone = model.clone();
    assert!(model.first.last_nudged().is_none());
    gradients(&clone, contrasting);
    let nudged = model.first.last_nudged().expect("a backward pass");
    assert_eq!(nudged.state.batch_size(), 2 * BATCH);
    assert!(nudged.info().residual <= 1e-14);
}

fn moved<const D: usize>(tensor: Tensor<D>, device: &Device) -> Tensor<D> {
    Tensor::from_data(tensor.into_data(), (device, DType::F64))
}

/// Every parameter made again on another device.
struct Move<'a>(&'a Device);

impl ModuleMapper for Move<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| moved(value, self.0).require_grad())
    }
}

/// Burn recomputes what is cheap on such a device; a block is not.
#[test]
fn blocks_work_under_gradient_checkpointing() {
    let [_, (_, model), _] = models(0.1);
    let expected = gradients(&model, contrasting);
    let device = Device::flex().autodiff().gradient_checkpointing();
    let model = model.map(&mut Move(&device));
    let on = |tensor: Tensor<2>| moved(tensor, &device);
    let input = on(input()).require_grad();
    let loss = model.loss(input.clone(), on(target()), contrasting);
    let found = input
        .grad(&loss.backward())
        .expect("a gradient of the input");
    let (_, expected) = expected.last().expect("the input");
    assert!(distance(&values(&found), expected) < 1e-14);
}

/// A Hopfield network that keeps its energy to itself.
#[derive(Module, Debug)]
struct Silent {
    hopfield: HopfieldEnergy,
}

/// A clamped input.
type Held = <HopfieldEnergy as VectorField>::Clamped;

impl VectorField for Silent {
    type Clamped = Held;

    fn layers(&self) -> &[LayerConfig] {
        self.hopfield.layers()
    }

    fn groups(&self) -> &[Vec<usize>] {
        self.hopfield.groups()
    }

    fn clamp(&self, input: &Tensor<2>) -> Held {
        self.hopfield.clamp(input)
    }

    fn repeat(&self, clamped: &Held, n: usize) -> Held {
        self.hopfield.repeat(clamped, n)
    }

    fn drive(&self, layer: usize, clamped: &Held, state: &State) -> Tensor<2> {
        self.hopfield.drive(layer, clamped, state)
    }

    fn contrast(&self, clamped: &Held, first: &State, second: &State, scale: f64) -> Gradients {
        self.hopfield.contrast(clamped, first, second, scale)
    }
}

fn silent() -> Model<Silent> {
    let [(_, head), ..] = models(0.1);
    let hopfield = head.first.energy;
    Model {
        below: head.below,
        first: EquilibriumBlock::new(Silent { hopfield }, method(0.1)),
        second: None,
        above: None,
    }
}

#[test]
#[should_panic(expected = "this field has no input contrast")]
fn training_below_a_field_without_input_contrast_is_refused() {
    gradients(&silent(), contrasting);
}

#[test]
fn a_field_without_input_contrast_can_be_the_first_block() {
    let model = silent();
    let model = Model {
        below: model.below.map(Module::no_grad),
        ..model
    };
    let loss = model.loss(input(), target(), contrasting);
    let found = GradientsParams::from_grads(loss.backward(), &model);
    assert_eq!(found.len(), named_parameters(&model.first).len());
}

#[test]
#[should_panic(expected = "beta must be a positive number, but is 0")]
fn a_block_that_would_divide_by_a_nudging_factor_of_0_is_refused() {
    EquilibriumBlock::new(hopfield(&[6, 3], Activation::Identity), method(0.0));
}
