//! Which tensors are on autodiff: the parameters of a network in training, and nothing of an estimate.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use eqprop_core::cost::CostConfig;
use eqprop_core::pullback::without_backward;
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{Estimate, GradientEstimator};

use eqprop_bench::method::Method;
use eqprop_testing::{COSTS, Lists, Network, batch, config, gradients_of, parameters, values};

use crate::setup::suited;

/// All numbers of an estimate, none of which may be on autodiff; `gradients_of` checks the gradients.
fn numbers(network: &Network, estimate: &Estimate) -> Lists {
    let second_phase = estimate.second_phase.iter();
    let phases = second_phase.chain([&estimate.free]);
    let mut lists = gradients_of(network, &estimate.gradients);
    let mut add = |tensor: Tensor<2>| {
        assert!(!tensor.is_autodiff() && !tensor.is_tracked() && !tensor.is_require_grad());
        lists.push(values(&tensor));
    };
    for phase in phases {
        phase.state.layers().iter().cloned().for_each(&mut add);
        add(phase.residual.clone().unsqueeze());
    }
    add(estimate.scores.clone());
    // Networks with weights of their own in each direction have none.
    let energy = estimate.energy.iter().cloned();
    energy.for_each(|energy| add(energy.unsqueeze()));
    add(estimate.cost.clone().unsqueeze());
    lists
}

/// Whether each parameter requires a gradient.
fn requirements(network: &Network) -> Vec<bool> {
    struct Visitor(Vec<bool>);

    impl ModuleVisitor for Visitor {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.push(parameter.val().is_require_grad());
        }
    }

    let mut visitor = Visitor(Vec::new());
    network.visit(&mut visitor);
    visitor.0
}

#[test]
fn estimates_on_and_off_autodiff_are_equal_and_lie_off_it() {
    let batch = batch(4);
    let on_autodiff = Batch::new(
        batch.input.clone().autodiff(),
        batch.target.clone().autodiff(),
    );
    for cost in COSTS {
        for method in Method::ALL {
            let mut config = suited(config(), method);
            config.network.cost = cost;
            let is_quadratic = cost == CostConfig::SquaredError;
            if method == Method::Holomorphic && !is_quadratic {
                assert!(method.estimator(&config).is_err());
                continue;
            }
            let plain = config.network(&Device::flex());
            let in_training = plain.clone().train();
            let before = parameters(&plain);
            assert!(
                requirements(&in_training)
                    .into_iter()
                    .all(|required| required)
            );
            let estimator = || method.estimator(&config).expect("possible");
            let expected = numbers(&plain, &estimator().estimate(&plain, &batch, None));
            for batch in [&batch, &on_autodiff] {
                let estimate = estimator().estimate(&in_training, batch, None);
                assert_eq!(
                    numbers(&in_training, &estimate),
                    expected,
                    "{method}, {cost:?}"
                );
            }

            // The network is as it was, and as trainable as it was.
            assert_eq!(parameters(&plain), before, "{method}");
            assert_eq!(parameters(&in_training), before, "{method}");
            assert!(
                requirements(&in_training)
                    .into_iter()
                    .all(|required| required)
            );
            assert!(!requirements(&plain).into_iter().any(|required| required));

            // The opposite case, which the checks above would detect: inference takes the parameters as
            // they are.
            let inferred = estimator().infer(&in_training, &batch.input, None);
            assert!(inferred.state.output().is_tracked(), "{method}");
        }
    }
}

/// A free phase continues from a given start state, but the feedforward pass has no start.
#[test]
fn a_free_phase_starts_where_it_is_told_to() {
    let batch = batch(4);
    let mut config = config();
    config.phases.free_steps = 1;
    for method in Method::ALL {
        let config = suited(config.clone(), method);
        let network = config.network(&Device::flex());
        let estimator = method.estimator(&config).expect("possible");
        let from = |start: Option<State>| {
            let infer = estimator.infer(&network, &batch.input, start.clone());
            let estimate = estimator.estimate(&network, &batch, start);
            [infer, estimate.free].map(|phase| values(phase.state.output()))
        };
        let rest = from(None);
        let other = estimator.infer(&network, &batch.input, None).state;
        let moved = from(Some(other));
        let is_feedforward = method == Method::Backprop;
        for (rest, moved) in rest.iter().zip(&moved) {
            assert_eq!(rest == moved, is_feedforward, "{method}");
        }
    }
}

/// Burn's distributed data parallelism, in which a backward pass waits for all devices, can train all other
/// methods.
#[test]
fn the_baselines_alone_run_backward_passes() {
    let batch = batch(4);
    for method in Method::ALL {
        let config = suited(config(), method);
        let network = config.network(&Device::flex()).train();
        let estimator = method.estimator(&config).expect("possible");
        let estimate = || drop(estimator.estimate(&network, &batch, None));
        let refused = catch_unwind(AssertUnwindSafe(|| without_backward("refused", estimate)));
        let is_baseline = matches!(
            method,
            Method::Bptt | Method::Tbp | Method::Rbp | Method::Exact | Method::Backprop
        );
        assert_eq!(refused.is_err(), is_baseline, "{method}");
    }
}
