//! Gradient descent in one pass against Burn's.

use core::ops::Range;

use burn::module::Param;
use burn::nn::{Linear, LinearConfig};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use eqprop_core::descent::Descent;
use eqprop_testing::{distance, named_parameters, values};
use eqprop_train::optimizer::FusedSgdConfig;

/// Large enough for several threads, and not a multiple of their share.
const N: [usize; 2] = [431, 301];
const RATE: f64 = 0.05;

fn descents() -> impl Iterator<Item = Descent> {
    [(0.0, false), (0.9, false), (0.9, true)]
        .into_iter()
        .flat_map(|(momentum, nesterov)| {
            [0.0, 0.01].map(|weight_decay| Descent {
                momentum,
                nesterov,
                weight_decay,
            })
        })
}

/// The optimizer of Burn that takes the same steps.
fn of_burn(descent: Descent) -> ModuleOptimizer {
    let momentum = (descent.momentum > 0.0).then(|| {
        MomentumConfig::new()
            .with_momentum(descent.momentum)
            .with_dampening(0.0)
            .with_nesterov(descent.nesterov)
    });
    let decay = descent.weight_decay;
    let decay = (decay > 0.0).then(|| WeightDecayConfig::new(decay as f32));
    let config = SgdConfig::new().with_momentum(momentum);
    config.with_weight_decay(decay).init()
}

fn fused(descent: Descent) -> ModuleOptimizer {
    FusedSgdConfig::new()
        .with_momentum(descent.momentum)
        .with_nesterov(descent.nesterov)
        .with_weight_decay(descent.weight_decay)
        .init()
}

fn layer(device: &Device) -> Linear {
    LinearConfig::new(N[0], N[1]).init(device)
}

/// Some numbers in ±1 as the gradient of a parameter.
fn gradient<const D: usize>(parameter: &Param<Tensor<D>>, seed: u32) -> Tensor<D> {
    let shape = parameter.dims();
    let like = (&parameter.device().inner(), parameter.dtype());
    let n = shape.iter().product();
    let numbers = (0..n).map(|index: usize| (index as f64 + 0.3 * f64::from(seed)).sin());
    Tensor::from_data(TensorData::new(numbers.collect(), shape), like)
}

fn steps(mut layer: Linear, optimizer: &mut ModuleOptimizer, seeds: Range<u32>) -> Linear {
    for seed in seeds {
        let mut gradients = GradientsParams::new();
        let bias = layer.bias.as_ref().expect("it has one");
        gradients.register(layer.weight.id, gradient(&layer.weight, seed));
        gradients.register(bias.id, gradient(bias, seed + 1));
        layer = optimizer.step(RATE, layer, gradients);
    }
    layer
}

#[test]
fn a_fused_step_is_that_of_burn_to_the_last_bit() {
    let layer = layer(&Device::flex().autodiff());
    for descent in descents() {
        let expected = steps(layer.clone(), &mut of_burn(descent), 0..3);
        let found = steps(layer.clone(), &mut fused(descent), 0..3);
        assert!(
            named_parameters(&found) == named_parameters(&expected),
            "{descent:?}"
        );
        assert!(
            named_parameters(&found) != named_parameters(&layer),
            "{descent:?}"
        );
    }
}

/// Tensors that the single pass does not support take the same steps one by one.
#[test]
fn steps_in_double_precision_follow_the_equations() {
    let tensor = |x: [f64; 2]| Tensor::<1>::from_data(x, (&Device::flex(), DType::F64));
    for descent in descents() {
        let Descent {
            momentum,
            nesterov,
            weight_decay,
        } = descent;
        let (mut x, mut v) = ([0.5, -1.25], [0.0; 2]);
        let (mut parameter, mut velocity) = (tensor(x), None);
        for gradient in [[1.0, 3.0], [-0.25, 0.5], [2.0, -1.0]] {
            let step = descent.step(RATE, parameter, tensor(gradient), velocity);
            (parameter, velocity) = step;
            for i in 0..2 {
                let g = gradient[i] + weight_decay * x[i];
                v[i] = momentum * v[i] + g;
                x[i] -= RATE * if nesterov { g + momentum * v[i] } else { v[i] };
            }
        }
        let error = distance(&values(&parameter), &x);
        assert!(error < 1e-15, "{descent:?}: {error:e}");
        assert_eq!(velocity.is_some(), momentum > 0.0);
    }
}

/// Clones of a model share its tensors until one of them changes.
#[test]
fn a_fused_step_leaves_clones_as_they_are() {
    let layer = layer(&Device::flex().autodiff());
    let kept = layer.clone();
    let before = named_parameters(&kept);
    let after = steps(layer, &mut FusedSgdConfig::new().init(), 0..1);
    assert!(named_parameters(&kept) == before && named_parameters(&after) != before);
}

#[test]
fn a_run_begun_with_burns_optimizer_goes_on_with_the_fused_one() {
    let layer = layer(&Device::flex().autodiff());
    for descent in descents() {
        let (mut first, mut second) = (of_burn(descent), fused(descent));
        let burns = steps(layer.clone(), &mut first, 0..2);
        let ours = steps(layer.clone(), &mut second, 0..2);
        let on = |optimizer: ModuleOptimizer, record| optimizer.load_record(record);
        let mut there = on(fused(descent), first.to_record());
        let mut back = on(of_burn(descent), second.to_record());
        let expected = named_parameters(&steps(burns.clone(), &mut first, 2..4));
        assert!(
            named_parameters(&steps(burns, &mut there, 2..4)) == expected,
            "{descent:?}"
        );
        assert!(
            named_parameters(&steps(ours, &mut back, 2..4)) == expected,
            "{descent:?}"
        );
    }
}
