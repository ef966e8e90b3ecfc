//! Whole trainings by every method, on the bundled digits.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use burn::tensor::Device;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::AnyField;
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;
use eqprop_train::estimator::{Estimate, GradientEstimator};
use eqprop_train::network::FreePhase;
use eqprop_train::training::{AnyEstimator, EpochRecord, Training};

use eqprop_bench::method::Method;
use eqprop_testing::{Lists, Network, config, digits, parameters, values};

use crate::setup::{options, suited};

/// An estimator that records its inputs.
#[derive(Debug, Clone)]
struct Remembering {
    inner: AnyEstimator,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Seen {
    /// The parameters at the first batch.
    first_parameters: Lists,
    /// The cost of each example of the first batch.
    first_cost: Vec<f64>,
    /// The examples of each batch.
    order: Vec<Vec<usize>>,
}

impl GradientEstimator<AnyField, AnyCost> for Remembering {
    fn free_phase(&self) -> &dyn FreePhase<AnyField, AnyCost> {
        self.inner.free_phase()
    }

    fn estimate(&self, network: &Network, batch: &Batch, start: Option<State>) -> Estimate {
        let estimate = self.inner.estimate(network, batch, start);
        let mut seen = self.seen.lock().expect("no test panics with the lock");
        if seen.order.is_empty() {
            seen.first_parameters = parameters(network);
            seen.first_cost = values(&estimate.cost);
        }
        seen.order
            .push(batch.indices.clone().expect("examples of a data set"));
        estimate
    }

    fn resume(&self, n_estimates: u64) {
        GradientEstimator::<AnyField, AnyCost>::resume(&self.inner, n_estimates);
    }
}

/// A training: the inputs of its estimator, its measurements, and its final parameters.
struct Run {
    seen: Seen,
    records: Vec<EpochRecord>,
    parameters: Lists,
}

fn run(method: Method, config: TrainingConfig, dataset: &Dataset) -> Run {
    let inner = method.estimator_with(&config, &options());
    let inner = inner.expect("possible");
    let seen = Arc::new(Mutex::new(Seen::default()));
    let estimator = Remembering {
        inner,
        seen: seen.clone(),
    };
    let training = Training::with_estimator(config, estimator, dataset, &Device::flex());
    let mut training = training.expect("a configuration that works");
    while !training.is_finished() {
        let record = training.run_epoch(|_| ControlFlow::Continue(()));
        record.expect("finite").expect("nothing breaks it");
    }
    let timeless = |record: &EpochRecord| EpochRecord {
        seconds: 0.0,
        seconds_estimating: 0.0,
        seconds_optimizing: 0.0,
        ..record.clone()
    };
    let seen = seen.lock().expect("no test panics with the lock").clone();
    Run {
        seen,
        records: training.records().iter().map(timeless).collect(),
        parameters: parameters(training.learner()),
    }
}

#[test]
fn every_method_learns() {
    let dataset = digits(600, 100);
    let config = TrainingConfig {
        epochs: 3,
        ..config()
    };
    for method in Method::ALL {
        let run = run(method, suited(config.clone(), method), &dataset);
        let errors: Vec<f64> = run
            .records
            .iter()
            .map(EpochRecord::held_out_error)
            .collect();
        // Chance is an error of 0.9, where a gradient of the other sign stays.
        assert!(errors[2] < 0.5, "{method}: {errors:?}");
    }
}

#[test]
fn all_methods_start_with_the_same_weights_and_see_the_same_order() {
    let dataset = digits(60, 10);
    let config = TrainingConfig {
        epochs: 2,
        ..config()
    };
    let run = |method, config: &TrainingConfig| run(method, config.clone(), &dataset).seen;
    let expected = run(Method::Eqprop, &config);
    assert_eq!(expected.order.len(), 16);
    assert_ne!(expected.order[..8], expected.order[8..], "shuffled anew");
    for method in Method::ALL {
        let suited = suited(config.clone(), method);
        let of_others = (suited != config).then(|| run(Method::Eqprop, &suited));
        let expected = of_others.as_ref().unwrap_or(&expected);
        let seen = run(method, &suited);
        assert_eq!(seen.first_parameters, expected.first_parameters, "{method}");
        assert_eq!(seen.order, expected.order, "{method}");
        let off = seen.first_cost.iter().zip(&expected.first_cost);
        let off = off.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        match method {
            // It relaxes a few steps more.
            Method::Tbp => assert!(off < 1e-3, "{off:e}"),
            // It is another function of the same weights.
            Method::Backprop => assert!(off > 1e-3, "{off:e}"),
            _ => assert_eq!(off, 0.0, "{method}"),
        }
    }
}

#[test]
fn a_run_repeats_itself_bit_for_bit() {
    let dataset = digits(60, 10);
    let config = TrainingConfig {
        epochs: 2,
        ..config()
    };
    for method in Method::ALL {
        let config = suited(config.clone(), method);
        let once = run(method, config.clone(), &dataset);
        let again = run(method, config.clone(), &dataset);
        assert_eq!(once.parameters, again.parameters, "{method}");
        assert_eq!(once.records, again.records, "{method}");
        // The weights do move, and depend on the seed.
        assert_ne!(once.parameters, once.seen.first_parameters, "{method}");
        let other = run(method, config.clone().with_seed(1), &dataset);
        assert_ne!(once.parameters, other.parameters, "{method}");
    }
}
