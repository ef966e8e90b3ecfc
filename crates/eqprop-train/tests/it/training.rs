//! Whole runs: learning, resuming, stopping, diverging.

use std::ops::ControlFlow;
use std::time::Duration;

use burn::tensor::Device;
use eqprop_testing::{config, digits, named_parameters, run, training, with};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;
use eqprop_train::error::TrainingError;
use eqprop_train::training::{EpochRecord, Progress, Training};

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Measurements of a run, without the times.
fn measured(training: &Training) -> Vec<EpochRecord> {
    let timeless = |record: &EpochRecord| EpochRecord {
        seconds: 0.0,
        seconds_estimating: 0.0,
        seconds_optimizing: 0.0,
        ..record.clone()
    };
    training.records().iter().map(timeless).collect()
}

/// Everything that carries state from one update to the next: momentum, random signs,
/// particles, a new order in each epoch, falling learning rates.
fn stateful() -> TrainingConfig {
    let changes = [
        ("momentum", "0.5"),
        ("nudging", "random_sign"),
        ("start", "particles"),
        ("learning_rate_decay", "0.9"),
    ];
    with(config(), &changes)
}

/// Through the disk into a new training.
fn reloaded(training: &Training, dataset: &Dataset) -> Training {
    let folder = tempfile::tempdir().expect("a temporary folder");
    training
        .checkpoint()
        .save(folder.path())
        .expect("room on the disk");
    let checkpoint = Checkpoint::load_latest(folder.path())
        .expect("whole")
        .expect("one");
    let config = checkpoint.state.config.clone();
    let fresh = eqprop_testing::training(config, dataset);
    fresh.restore(checkpoint).expect("the same network")
}

#[test]
fn two_epochs_lower_cost_and_error() {
    let mut training = training(config(), &digits(200, 50));
    run(&mut training, 2);
    let [first, second] = training.records() else {
        panic!("two epochs, two records");
    };
    // From one epoch to the next the cost falls by a fifth.
    assert!(
        second.train_cost < 0.95 * first.train_cost,
        "{first:?}\n{second:?}"
    );
    assert!(
        second.train_error < first.train_error,
        "{first:?}\n{second:?}"
    );
    assert_eq!((first.epoch, second.epoch), (1, 2));
    assert!(first.update_ratios.iter().any(|(_, ratio)| *ratio > 0.0));
    assert_eq!((second.free_steps, second.unconverged), (15.0, 0.0));
}

#[test]
fn a_resumed_run_ends_as_one_that_was_never_interrupted() {
    // 27 batches an epoch: every 50th update, whose ratio is measured, falls elsewhere in each.
    let dataset = digits(210, 50);
    let mut whole = training(stateful(), &dataset);
    run(&mut whole, 4);
    assert!(whole.is_finished());

    let mut first = training(stateful(), &dataset);
    run(&mut first, 2);
    assert_ne!(
        named_parameters(first.learner()),
        named_parameters(whole.learner())
    );
    let mut second = reloaded(&first, &dataset);
    assert!(!second.is_finished());
    run(&mut second, 2);
    assert_eq!(
        named_parameters(second.learner()),
        named_parameters(whole.learner())
    );
    assert_eq!(measured(&second), measured(&whole));
}

#[test]
fn a_resumed_run_ends_the_same_wherever_its_free_phases_start_and_however_they_relax() {
    // The last batch of an epoch is smaller, and the first of the next larger again.
    let dataset = digits(100, 20);
    for (start, dynamics) in [
        ("rest", "anderson"),
        ("previous", "asynchronous"),
        ("feedforward", "adaptive_flow"),
    ] {
        let config = with(
            config(),
            &[
                ("start", start),
                ("dynamics", dynamics),
                // Too few to forget where they started.
                ("free_steps", "3"),
            ],
        );
        let mut whole = training(config.clone(), &dataset);
        run(&mut whole, 3);
        let mut first = training(config.clone(), &dataset);
        run(&mut first, 1);
        let mut second = reloaded(&first, &dataset);
        run(&mut second, 2);
        assert_eq!(
            named_parameters(second.learner()),
            named_parameters(whole.learner())
        );
        assert_eq!(measured(&second), measured(&whole));

        // And the start and the dynamics do make a difference.
        let mut other = training(with(config, &[("start", "rest")]), &dataset);
        run(&mut other, 3);
        let is_same = named_parameters(other.learner()) == named_parameters(whole.learner());
        assert_eq!(is_same, start == "rest", "{start}");
    }
}

/// Runs an epoch until `n_updates` of its updates are done, or until it is evaluated where it has no more.
fn pause(training: &mut Training, n_updates: usize) {
    let mut last = training.unfinished().map_or(0, |epoch| epoch.n_updates);
    let outcome = training.run_epoch(|progress| {
        let is_evaluated = progress.n_updates == last;
        last = progress.n_updates;
        if progress.n_updates >= n_updates || is_evaluated {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(outcome.expect("finite"), None);
}

#[test]
fn a_paused_epoch_goes_on_as_if_it_had_not_been_paused() {
    // 53 updates an epoch: the last batch is smaller, and the second measured update is the 51st.
    let dataset = digits(420, 20);
    for start in ["particles", "previous", "rest"] {
        let config = with(stateful(), &[("start", start)]);
        let mut whole = training(config.clone(), &dataset);
        run(&mut whole, 2);

        let mut paused = training(config, &dataset);
        run(&mut paused, 1);
        let before = named_parameters(paused.learner());
        // After the first update, in the middle, around the last ones, and in the evaluation.
        for n_updates in [1, 20, 52, 53, 54] {
            pause(&mut paused, n_updates);
            let unfinished = paused.unfinished().expect("paused");
            assert_eq!(unfinished.n_updates, n_updates.min(53), "{start}");
            assert_eq!(paused.records().len(), 1);
            assert_eq!(
                named_parameters(paused.learner()),
                before,
                "the last whole epoch's"
            );
            // From the disk, and from the disk of a training that went on from there.
            let mut resumed = reloaded(&paused, &dataset);
            pause(&mut resumed, n_updates.min(50) + 3);
            for mut resumed in [reloaded(&resumed, &dataset), reloaded(&paused, &dataset)] {
                run(&mut resumed, 1);
                assert_eq!(
                    named_parameters(resumed.learner()),
                    named_parameters(whole.learner())
                );
                assert_eq!(measured(&resumed), measured(&whole), "{start} {n_updates}");
            }
        }
        run(&mut paused, 1);
        assert_eq!(
            named_parameters(paused.learner()),
            named_parameters(whole.learner())
        );
        assert_eq!(measured(&paused), measured(&whole));
        assert!(paused.unfinished().is_none());
    }
}

#[test]
fn an_epoch_is_observed_after_every_update_and_while_it_is_evaluated() {
    let mut training = training(config(), &digits(80, 1200));
    let mut seen = Vec::new();
    let observe = |progress: Progress| {
        seen.push((progress.n_updates, progress.n_done));
        assert!(progress.n_total == 80 && progress.train_error.is_finite());
        ControlFlow::Continue(())
    };
    training.run_epoch(observe).expect("finite");
    let updates = (1..=10).map(|n| (n, 8 * n));
    // All 360 are one batch.
    let expected: Vec<_> = updates.chain([(10, 80)]).collect();
    assert_eq!(seen, expected);
}

#[test]
fn validation_and_test_examples_are_both_judged_by() {
    let dataset = digits(120, 40);
    let mut both = training(with(config(), &[("n_validation", "40")]), &dataset);
    run(&mut both, 2);
    let last = both.records().last().expect("two epochs");
    let (train, validation) = dataset.train.clone().split_tail(40);
    // The same training, judged by the one and by the other as test examples.
    for (examples, error, cost) in [
        (validation, last.validation_error, last.validation_cost),
        (dataset.test.clone(), last.test_error, last.test_cost),
    ] {
        let dataset = Dataset::new(&dataset.kind, train.clone(), examples);
        let mut alone = training(config(), &dataset);
        run(&mut alone, 2);
        let expected = alone.records().last().expect("two epochs");
        assert_eq!((error, cost), (expected.test_error, expected.test_cost));
        assert_eq!(
            (expected.validation_error, expected.validation_cost),
            (None, None)
        );
    }
    assert_ne!(last.validation_cost, last.test_cost);
    assert_eq!(Some(last.held_out_error()), last.validation_error);
}

#[test]
fn records_do_not_depend_on_when_measurements_are_read() {
    let dataset = digits(300, 20);
    let config = with(
        config(),
        &[("batch_size", "1"), ("learning_rates", "[0.01, 0.005]")],
    );
    let mut undisturbed = training(config.clone(), &dataset);
    run(&mut undisturbed, 1);

    // After a pause each batch is read back on its own instead of with some 256 others.
    let mut paused = training(config, &dataset);
    let mut n_pauses = 0;
    let observe = |_| {
        if n_pauses < 4 {
            n_pauses += 1;
            std::thread::sleep(Duration::from_millis(210));
        }
        ControlFlow::Continue(())
    };
    paused
        .run_epoch(observe)
        .expect("finite")
        .expect("nothing breaks it");
    assert!(n_pauses > 0);
    assert_eq!(measured(&paused), measured(&undisturbed));
}

#[test]
fn a_diverging_learning_rate_is_an_error() {
    // The first update of batch 1 already overflows the square of the output.
    let config = with(config(), &[("learning_rates", "[1e20, 1e20]")]);
    let mut training = training(config, &digits(40, 10));
    let error = training.run_epoch(go_on).expect_err("infinite");
    assert!(
        matches!(error, TrainingError::Diverged { epoch: 1, .. }),
        "{error:?}"
    );
    let told = error.to_string();
    assert!(told.contains("which are [1e20, 1e20]"), "{told}");
    assert!(training.records().is_empty());
}

#[test]
fn a_checkpoint_after_a_diverged_epoch_is_the_one_before_it() {
    let dataset = digits(40, 10);
    let diverging = with(stateful(), &[("learning_rates", "[1e20, 1e20]")]);
    let mut diverging = training(diverging, &dataset);
    let before = diverging.checkpoint();
    diverging.run_epoch(go_on).expect_err("infinite");
    // Where it leads with rates that converge.
    let end = |checkpoint: Checkpoint| {
        let fresh = training(stateful(), &dataset);
        let mut resumed = fresh.restore(checkpoint).expect("the same network");
        run(&mut resumed, 1);
        named_parameters(resumed.learner())
    };
    assert_eq!(end(diverging.checkpoint()), end(before));
}

#[test]
fn a_data_set_that_does_not_fit_is_refused_at_the_start() {
    let dataset = digits(20, 10);
    let refused = |config: &TrainingConfig, dataset: &Dataset| {
        let training = Training::new(config.clone(), dataset, &Device::flex());
        let error = training.err().expect("it does not fit");
        let text = error.to_string();
        (error, text)
    };

    let fewer = |mut dataset: Dataset| {
        dataset.test.n_classes = 9;
        dataset
    };
    let (error, text) = refused(&config(), &fewer(dataset.clone()));
    let (expected, found) = (10, 9);
    assert!(
        matches!(error, TrainingError::Classes { expected: e, found: f } if (e, f) == (expected, found)),
        "{error:?}"
    );
    assert!(
        text.contains("10 classes") && text.contains("of 9"),
        "{text}"
    );

    let mut unknown = dataset.clone();
    unknown.train.labels[3] = 10;
    let (error, text) = refused(&config(), &unknown);
    assert!(matches!(error, TrainingError::Label { .. }), "{error:?}");
    assert!(
        text.contains("example 3 is 10") && text.contains("0 to 9"),
        "{text}"
    );

    let (error, text) = refused(&with(config(), &[("padding", "1")]), &dataset);
    assert!(
        matches!(error, TrainingError::InputSize { .. }),
        "{error:?}"
    );
    assert!(
        text.contains("100 inputs") && text.contains("have 64"),
        "{text}"
    );

    let untested = digits(20, 0);
    let (error, text) = refused(&config(), &untested);
    assert!(
        matches!(error, TrainingError::NothingToJudgeBy),
        "{error:?}"
    );
    assert!(text.contains("n_validation"), "{text}");
    // Validation examples take the place of the test examples.
    run(
        &mut training(with(config(), &[("n_validation", "5")]), &untested),
        1,
    );
}

#[test]
fn validation_examples_are_held_out_of_the_training() {
    let dataset = digits(60, 10);
    let held_out = training(with(config(), &[("n_validation", "20")]), &dataset);
    assert_eq!(held_out.n_examples(), 40);
    assert_eq!(
        training(with(config(), &[("n_train", "30")]), &dataset).n_examples(),
        30
    );

    let config = with(config(), &[("n_validation", "60")]);
    let error = Training::new(config, &dataset, &Device::flex()).err();
    let error = error.expect("nothing left");
    assert!(
        matches!(
            error,
            TrainingError::NothingToTrainOn {
                n_train: 60,
                n_validation: 60
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_configuration_that_cannot_work_is_refused_at_the_start() {
    let error = Training::new(
        with(config(), &[("beta", "0.0")]),
        &digits(20, 10),
        &Device::flex(),
    );
    assert!(matches!(error.err(), Some(TrainingError::Config(_))));
}
