//! Updates that a GPU records once and repeats, against the same updates on a processor.

#![cfg(any(feature = "wgpu", feature = "cuda"))]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use eqprop_core::captured::{Captured, buffer, launches, overwrite};
use eqprop_core::nudging::Nudging;
use eqprop_testing::{config, digits, distance, named_parameters};
use eqprop_train::batch::{BatchLoader, Order};
use eqprop_train::config::{Schedule, TrainingConfig};
use eqprop_train::learner::{AnyEstimator, EquilibriumLearner, Recorded};
use eqprop_train::training::Training;

/// Launches are counted for the whole process: tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The GPUs of this build; see core's tests for the variable.
fn gpus() -> Vec<Device> {
    let named = std::env::var("EQPROP_TEST_DEVICES");
    let is_named = |name: &str| named.as_ref().map_or(true, |named| named.contains(name));
    let mut gpus = Vec::new();
    if cfg!(feature = "wgpu") && is_named("wgpu") {
        #[cfg(feature = "wgpu")]
        gpus.push(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice));
    }
    if cfg!(feature = "cuda") && is_named("cuda") {
        #[cfg(feature = "cuda")]
        gpus.push(Device::cuda(0));
    }
    gpus
}

/// A last batch that is smaller, and a learning rate that is another in every epoch.
fn trained(config: &TrainingConfig, device: &Device) -> Training {
    let mut training = Training::new(config.clone(), &digits(70, 40), device).expect("valid");
    for _ in 0..config.epochs {
        let epoch = training.run_epoch(|_| std::ops::ControlFlow::Continue(()));
        epoch.expect("it trains").expect("nothing stops it");
    }
    training
}

#[test]
fn recorded_updates_are_those_of_a_processor() {
    let _turn = turn();
    let nudgings = [
        Nudging::Centered { beta: 0.3 },
        Nudging::OneSided { beta: 0.5 },
    ];
    for nudging in nudgings {
        let mut config = config();
        config.phases.nudging = nudging;
        config.optimizer.schedule = Schedule::Exponential { decay: 0.9 };
        let config = TrainingConfig {
            batch_size: 20,
            epochs: 3,
            ..config
        };
        let flex = trained(&config, &Device::flex());
        for gpu in gpus() {
            let found = trained(&config, &gpu);
            let [found_parameters, expected] = [&found, &flex].map(|training| {
                let named = named_parameters(training.learner());
                named
                    .into_iter()
                    .flat_map(|(_, values)| values)
                    .collect::<Vec<f64>>()
            });
            // Some ten updates, each of which magnifies rounding by 1/β.
            let distance = distance(&found_parameters, &expected);
            assert!(distance < 1e-4, "{distance:e}");
            for (found, expected) in found.records().iter().zip(flex.records()) {
                assert!((found.train_cost - expected.train_cost).abs() < 1e-4);
                assert_eq!(found.train_error, expected.train_error);
                assert_eq!(found.update_ratios.len(), expected.update_ratios.len());
            }
        }
    }
}

/// The whole point of it: without a graph each of these takes longer to launch than to run.
#[test]
fn a_recorded_update_takes_few_launches() {
    let _turn = turn();
    for gpu in gpus() {
        let config = config();
        let network = config.network(&gpu);
        let estimator: AnyEstimator = Arc::new(config.estimator());
        let mut learner = EquilibriumLearner::new(network, estimator).train();
        let loader = BatchLoader::new(&digits(20, 0).train, 20, Order::Sequential, &gpu);
        let batch = loader
            .batches(0, 0)
            .next()
            .expect("there are 20")
            .expect("in memory");
        let mut scheduler = config.learning_rate(&learner.network, 1);
        let optimizer = config.optimizer();
        let mut recorded = Recorded::NotYet;
        let mut update = || {
            let kept =
                recorded.update(&mut learner, &optimizer, &mut scheduler, &batch, |output| {
                    output.cost
                });
            kept.expect("the device records")
        };
        let first = launches(&gpu, || drop(update())).expect("a GPU backend");
        let second = launches(&gpu, || drop(update())).expect("a GPU backend");
        // Three runs before it is recorded, what copies the parameters, and what feeds it.
        let per_update = (first.len() - second.len()) as f64 / 4.0;
        println!("{per_update} launches: {:?}", &first[first.len() - 40..]);
        assert!(per_update <= 46.0, "{per_update}: {first:?}");
        assert!(second.len() <= 4, "{second:?}");
    }
}

#[test]
fn what_is_recorded_computes_with_what_is_in_its_buffers() {
    let _turn = turn();
    for gpu in gpus() {
        let numbers = |value: f64| Tensor::<1>::full([5], value, &gpu);
        let input = buffer(&numbers(1.0)).expect("a GPU");
        let read = input.clone();
        let mut doubled = Captured::record(&gpu, move || read.clone() * 2.0);
        for value in [3.0, -4.0] {
            overwrite(&input, &numbers(value));
            let found: Vec<f64> = doubled.repeat().clone().into_data().iter::<f64>().collect();
            assert_eq!(found, vec![2.0 * value; 5]);
        }
    }
}
