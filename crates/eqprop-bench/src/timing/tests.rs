use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use eqprop_train::config::{InitialState, TrainingConfig};
use eqprop_train::preset::Preset;

use super::{Spread, batch, measure, measure_observed, random_batch, turns};
use crate::method::{Method, MethodError};

fn config(free_steps: usize) -> TrainingConfig {
    let mut config = Preset::Digits.config();
    config.phases.free_steps = free_steps;
    config
}

#[test]
fn quartiles_lie_between_the_sorted_measurements() {
    let spread = |low, median, high| Spread { median, low, high };
    assert_eq!(
        Spread::of(&[5.0, 1.0, 4.0, 2.0, 3.0]),
        spread(2.0, 3.0, 4.0)
    );
    assert_eq!(Spread::of(&[4.0, 1.0, 3.0, 2.0]), spread(1.75, 2.5, 3.25));
    assert_eq!(Spread::of(&[1.0, 3.0]), spread(1.5, 2.0, 2.5));
    assert_eq!(Spread::of(&[7.0]), spread(7.0, 7.0, 7.0));
}

#[test]
#[should_panic(expected = "a spread needs a measurement")]
fn nothing_has_no_spread() {
    let _ = Spread::of(&[]);
}

#[test]
fn in_every_round_each_method_has_one_turn_and_another_begins() {
    let orders: Vec<Vec<usize>> = (0..4).map(|round| turns(3, round).collect()).collect();
    let expected = [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]];
    assert_eq!(orders, expected);
}

#[test]
fn inputs_look_like_images_and_targets_are_one_hot() {
    let mut config = config(5);
    config.batch_size = 400;
    let batch = random_batch(&config, &Device::flex());
    let values = |tensor: Tensor<2>| tensor.into_data().iter::<f64>().collect::<Vec<_>>();
    let input = values(batch.input.clone());
    assert_eq!(input.len(), 400 * 64);
    assert!(input.iter().all(|value| (0.0..=1.0).contains(value)));
    // 25,600 uniform values: the standard error of their mean is 0.002.
    let mean = input.iter().sum::<f64>() / input.len() as f64;
    assert!((mean - 0.5).abs() < 0.02, "{mean}");

    let target = values(batch.target.clone());
    assert!(target.iter().all(|&value| value == 0.0 || value == 1.0));
    assert!(
        target
            .chunks_exact(10)
            .all(|row| row.iter().sum::<f64>() == 1.0)
    );
    // 40 of each class expected; one in a million such batches has a class with fewer than 10.
    let count = |class: usize| target.iter().skip(class).step_by(10).sum::<f64>();
    assert!((0..10).all(|class| count(class) >= 10.0));
}

#[test]
fn the_free_phase_takes_the_time_when_it_has_the_steps() {
    let methods = [Method::Eqprop, Method::Rbp, Method::Backprop];
    let costs = measure(&config(6000), &methods, 5, None, &Device::flex()).unwrap();
    let found: Vec<Method> = costs.iter().map(|cost| cost.method).collect();
    assert_eq!(found, methods);
    for cost in &costs {
        assert_eq!((cost.batch_size, cost.free_steps), (8, 6000));
        assert_eq!(cost.samples_per_second, 8.0 / cost.step.median);
        // Only a program that installs the counting allocator counts.
        assert_eq!(cost.peak_memory, None);
        let phases = &cost.phases;
        let (low, high) = (cost.step.low, cost.step.high);
        assert!(low <= cost.step.median && cost.step.median <= high);
        assert!(phases.gradient.low > 0.0 && phases.optimizer.low > 0.0);
        let has_second_phase = cost.method != Method::Backprop;
        assert_eq!(phases.second_phase.high > 0.0, has_second_phase);
    }
    let [eqprop, rbp, backprop] = &costs[..] else {
        unreachable!("three methods were measured");
    };
    // 6000 steps, some of them a microsecond, against 6 with two signs each, and against the tenth of a
    // millisecond that backpropagation takes: tens to hundreds of times the work. Bounds are a tenth of
    // that and tenfold to either side, because single steps on a busy machine vary that much.
    let free = eqprop.phases.free_phase.median;
    assert!(free > 5.0 * eqprop.phases.second_phase.median);
    // Nearly all of the step is the free phase.
    let is_most = |free: f64, step: f64| free > 0.1 * step && free < 10.0 * step;
    assert!(is_most(free, eqprop.step.median));
    assert!(is_most(rbp.phases.free_phase.median, rbp.step.median));
    assert!(backprop.step.median < 0.2 * eqprop.step.median);
}

#[test]
fn particles_are_trained_as_a_training_would() {
    let mut config = config(5);
    config.phases.start = InitialState::Particles;
    let costs = measure(&config, &[Method::Eqprop], 1, None, &Device::flex()).unwrap();
    assert!(costs[0].step.median > 0.0);
}

#[test]
fn a_measurement_can_be_abandoned_after_any_step() {
    let mut seen = Vec::new();
    let methods = [Method::Eqprop, Method::Backprop];
    let costs = measure_observed(&config(5), &methods, 3, None, &Device::flex(), |progress| {
        seen.push((progress.n_done, progress.n_total));
        if seen.len() == 7 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(costs.unwrap().is_none());
    // Two methods, each with two steps of warm-up, three per round and one for its memory.
    let expected: Vec<_> = (1..=7)
        .map(|n_done| (n_done, 2 * (2 + 3 * 3 + 1)))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_method_that_cannot_run_is_refused_before_anything_is_timed() {
    let mut config = config(5);
    config.network.hidden = vec![2000.into()];
    let methods = [Method::Eqprop, Method::Exact];
    let result = measure_observed(&config, &methods, 1, None, &Device::flex(), |_| {
        panic!("a step was taken")
    });
    let error = result.unwrap_err();
    assert!(matches!(error, MethodError::TooManyUnits { n_units: 2010 }));
}

#[test]
fn steps_are_timed_on_the_first_examples_if_there_are_enough() {
    let config = config(5);
    let n = config.batch_size;
    let dataset = config.load_data(None).unwrap();
    let n_inputs = dataset.train.n_inputs();
    let input_of = |n_examples: usize| {
        let examples = dataset.train.clone().take(n_examples);
        batch(&config, Some(&examples), &Device::flex()).input
    };
    let found: Vec<f32> = input_of(n + 2).into_data().iter::<f32>().collect();
    assert!(found == dataset.train.inputs[..n * n_inputs]);
    let random: Vec<f32> = input_of(n - 1).into_data().iter::<f32>().collect();
    assert!(random.len() == found.len() && random != found);
}
