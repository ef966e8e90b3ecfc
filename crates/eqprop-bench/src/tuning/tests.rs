use std::ops::ControlFlow;

use burn::tensor::Device;
use eqprop_core::connection::InitializerConfig;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{Dataset, DatasetKind, Examples};
use eqprop_train::preset::Preset;
use tempfile::TempDir;

use super::*;

const GUESS: Guess = Guess {
    free_steps: 3,
    nudged_steps: 2,
    beta: 0.2,
};

/// A search on the digits in which nothing is trained.
fn search(seed: u64) -> Tuning {
    let start = Preset::Digits.config().with_seed(seed);
    let space = Space::of(&start, Some(&GUESS), 1400, &[]);
    let plan = Plan::new(&start, 1400, 40);
    Tuning::new(start, Some(GUESS), space, plan)
}

/// The position of the best value of a parameter in [`pretend`].
const BEST: f64 = 0.85;

/// Simulates an error that falls toward [`BEST`] in the rate, the gain and β, and with longer trainings, and
/// does not depend on the steps.
fn pretend(tuning: &Tuning, job: Job) -> Measured {
    let trial = &tuning.trials[job.trial];
    let parameters = tuning.space.parameters.iter().zip(&trial.values);
    let away = parameters.map(|(parameter, value)| match parameter.kind {
        ParameterKind::Rate | ParameterKind::Gain | ParameterKind::Beta => {
            (parameter.place(*value) - BEST).powi(2)
        }
        _ => 0.0,
    });
    let shorter = tuning.plan.rungs.len().saturating_sub(1 + job.rung);
    let error = 0.02 + 0.3 * away.sum::<f64>() + 0.05 * shorter as f64;
    let n = if job.rung == tuning.plan.last_rung() {
        3
    } else {
        1
    };
    Measured {
        rung: job.rung,
        errors: vec![error; n],
        costs: vec![error; n],
        seconds: 0.0,
    }
}

/// Runs up to `jobs` jobs, and returns the amount of training in full trainings.
fn go_on(tuning: &mut Tuning, trials: usize, jobs: usize) -> f64 {
    let mut trained = 0.0;
    for _ in 0..jobs {
        let Some(job) = tuning.next(Some(trials)).or_else(|| tuning.closing()) else {
            break;
        };
        let rungs = &tuning.plan.rungs;
        trained += match rungs.get(job.rung) {
            None => tuning.plan.more_seeds as f64,
            Some(part) => part - job.rung.checked_sub(1).map_or(0.0, |rung| rungs[rung]),
        };
        let measured = pretend(tuning, job);
        tuning.trials[job.trial].measured.push(measured);
    }
    trained
}

fn error_of(tuning: &Tuning, trial: &Trial) -> f64 {
    let whole = tuning.plan.rungs.len() - 1;
    pretend(
        tuning,
        Job {
            trial: trial.number,
            rung: whole,
        },
    )
    .error()
}

#[test]
fn the_start_and_what_fidelity_recommends_come_first() {
    let mut tuning = search(0);
    go_on(&mut tuning, 2, 100);
    let [start, guessed] = &tuning.trials[..] else {
        panic!("{:?}", tuning.trials)
    };
    assert_eq!(
        (start.origin, guessed.origin),
        (Origin::Start, Origin::Fidelity)
    );
    assert_eq!(
        tuning.space.apply(&tuning.start, &start.values),
        tuning.start
    );
    let config = tuning.space.apply(&tuning.start, &guessed.values);
    let phases = config.phases;
    assert_eq!((phases.free_steps, phases.nudged_steps), (3, 2));
    assert_eq!(phases.nudging.beta(), 0.2);
    assert_eq!(config.optimizer, tuning.start.optimizer);
    // The start is measured in full whatever the others show.
    assert!(start.at(tuning.plan.rungs.len() - 1).is_some());
}

#[test]
fn a_search_finds_better_values_in_half_of_the_time_of_whole_trainings() {
    for seed in 0..5 {
        let mut tuning = search(seed);
        let trained = go_on(&mut tuning, 60, usize::MAX);
        assert_eq!(tuning.trials.len(), 60);
        let best = tuning.best().expect("it was measured");
        let [start, found] = [&tuning.trials[0], best].map(|trial| error_of(&tuning, trial));
        // Of what there was to gain.
        assert!(found - 0.02 < 0.25 * (start - 0.02), "{found} of {start}");
        assert!(trained < 60.0 / 2.0, "{trained}");
        // Of two that are equal otherwise the cheaper was taken.
        assert!(tuning.steps(best) < tuning.steps(&tuning.trials[0]));
        assert_eq!(best.last().map(|measured| measured.errors.len()), Some(3));
    }
}

#[test]
fn the_best_third_of_each_rung_goes_on() {
    let mut tuning = search(1);
    go_on(&mut tuning, 60, usize::MAX);
    for rung in 0..tuning.plan.rungs.len() - 1 {
        let there = tuning.trials.iter().filter_map(|trial| {
            let score = tuning.rank(trial, trial.at(rung)?);
            Some((score, trial.at(rung + 1).is_some()))
        });
        let (gone_on, left): (Vec<_>, Vec<_>) = there.partition(|(_, is_gone)| *is_gone);
        let n = gone_on.len() + left.len();
        // The first goes on whatever it shows, and so does one that nobody else of its rung did before the end.
        assert!(
            (n / 3..=n / 3 + 1).contains(&gone_on.len()),
            "rung {rung}: {} of {n}",
            gone_on.len()
        );
        let mean = |scores: &[(f64, bool)]| {
            scores.iter().map(|(score, _)| score).sum::<f64>() / scores.len() as f64
        };
        assert!(mean(&gone_on) < mean(&left), "rung {rung}");
    }
    let repeated = tuning
        .trials
        .iter()
        .filter(|trial| trial.at(tuning.plan.last_rung()).is_some());
    assert_eq!(repeated.count(), FINALISTS);
}

#[test]
fn a_search_that_is_read_back_goes_on_as_if_it_had_not_been_stopped() {
    let mut whole = search(2);
    go_on(&mut whole, 20, usize::MAX);
    for stopped_after in [0, 1, 7, 15] {
        let mut tuning = search(2);
        go_on(&mut tuning, 20, stopped_after);
        // A process may end after it has begun a trial.
        tuning.next(Some(20));
        let text = serde_json::to_string(&tuning).expect("plain");
        let mut tuning: Tuning = serde_json::from_str(&text).expect("as written");
        go_on(&mut tuning, 20, usize::MAX);
        assert_eq!(tuning, whole, "{stopped_after}");
    }
    let mut other = search(3);
    go_on(&mut other, 20, usize::MAX);
    assert_ne!(other.trials[5].values, whole.trials[5].values);
}

#[test]
fn a_trial_that_failed_is_left_alone() {
    let mut tuning = search(0);
    let mut failed_later = false;
    for _ in 0..60 {
        let Some(job) = tuning.next(Some(12)).or_else(|| tuning.closing()) else {
            break;
        };
        // Some at once, and the first that is to go on, because it did well.
        let goes_on = job.rung > 0 && job.trial > 0;
        if job.rung == 0 && job.trial % 4 == 1 || goes_on && !failed_later {
            failed_later |= goes_on;
            tuning.trials[job.trial].failure = Some("the cost is infinite".into());
        } else {
            let measured = pretend(&tuning, job);
            tuning.trials[job.trial].measured.push(measured);
        }
    }
    assert_eq!(tuning.trials.len(), 12);
    assert!(tuning.ranked().iter().all(|trial| trial.failure.is_none()));
    assert!(failed_later);
    assert_eq!(tuning.closing(), None);
}

#[test]
fn a_search_goes_on_where_its_start_fails_later() {
    let mut tuning = search(0);
    for _ in 0..60 {
        let Some(job) = tuning.next(Some(12)).or_else(|| tuning.closing()) else {
            break;
        };
        if job.trial == 0 && job.rung > 0 {
            assert_eq!(tuning.trials[0].failure, None, "it is not tried again");
            tuning.trials[0].failure = Some("the cost is infinite".into());
        } else {
            let measured = pretend(&tuning, job);
            tuning.trials[job.trial].measured.push(measured);
        }
    }
    assert_eq!(tuning.trials.len(), 12);
    assert!(tuning.trials[0].failure.is_some());
    assert!(tuning.best().is_some_and(|best| best.number > 0));
    assert_eq!(tuning.closing(), None);
}

#[test]
fn every_value_is_within_its_limits_and_every_network_takes_them() {
    for preset in Preset::ALL {
        let start = preset.config();
        let space = Space::of(&start, None, 50_000, &[]);
        assert!(space.parameters.len() >= 5, "{}", preset.name());
        for parameter in &space.parameters {
            let Parameter {
                low,
                high,
                start: value,
                ..
            } = *parameter;
            assert!(
                (low..=high).contains(&value),
                "{} {parameter:?}",
                preset.name()
            );
        }
        assert_eq!(space.apply(&start, &space.start()), start);
        for place in [0.0, 0.2, 0.5, 0.9, 1.0] {
            let values = space.parameters.iter().map(|parameter| {
                let value = parameter.value(place);
                assert!(
                    (parameter.low..=parameter.high).contains(&value),
                    "{parameter:?}"
                );
                value
            });
            let config = space.apply(&start, &values.collect::<Vec<_>>());
            let rates = &config.optimizer.learning_rates;
            // A cosine takes none above 1.
            let valid = config.validate();
            assert!(
                valid.is_ok() || rates.iter().any(|rate| *rate > 1.0),
                "{} {valid:?}",
                preset.name()
            );
        }
    }
}

#[test]
fn each_example_moves_the_weights_as_far_in_batches_of_any_size() {
    let start = Preset::Digits.config();
    let space = Space::of(&start, None, 1400, &[ParameterKind::BatchSize]);
    let config = space.apply(&start, &[16.0]);
    assert_eq!(config.batch_size, 16);
    assert_eq!(config.optimizer.learning_rates, [0.2, 0.04]);
    let space = Space::of(
        &start,
        None,
        1400,
        &[ParameterKind::Rate, ParameterKind::RateRatio],
    );
    let config = space.apply(&start, &[2.0, 4.0]);
    // A half for the first and double for the last.
    assert_eq!(config.optimizer.learning_rates, [0.1, 0.08]);
}

#[test]
fn weights_are_scaled_however_they_are_drawn() {
    let only = [ParameterKind::Gain];
    let gain = |config: &TrainingConfig| {
        let space = Space::of(config, None, 1000, &only);
        space.apply(config, &[2.0]).network
    };
    let fan_in = gain(&Preset::Digits.config());
    assert_eq!(fan_in.initializer, InitializerConfig::FanIn { gain: 1.0 });
    let glorot = gain(&Preset::Paper1h.config());
    // Twice √(6/(784 + 500)) √784, and twice √(6/510) √500.
    assert_eq!(glorot.gains, [3.83, 4.85]);
    let listed = gain(&Preset::HopfieldResnet13.config());
    assert_eq!(listed.gains[..2], [1.2, 1.2]);
}

#[test]
fn the_steps_count_only_among_trials_that_cannot_be_told_apart() {
    let score = |error: f64, steps: usize| {
        let measured = Measured {
            rung: 0,
            errors: vec![error],
            costs: vec![0.1],
            seconds: 0.0,
        };
        measured.score(1000, [steps, 20])
    };
    // Two of 1000 examples more, at 30: a standard error is 5.
    assert!(score(0.032, 5) < score(0.030, 20));
    assert!(score(0.037, 5) > score(0.030, 20));
    assert!(score(0.030, 40) > score(0.030, 20));
    assert!(score(0.0, 10).is_finite());
}

#[test]
fn of_quantities_the_steps_count_in_any_unit_alike() {
    let score = |error: f64, steps: usize, unit: f64| {
        let measured = Measured {
            rung: 0,
            errors: vec![unit * error],
            costs: vec![0.1],
            seconds: 0.0,
        };
        measured.score_of_distances(1000, [steps, 20]) / unit
    };
    for unit in [1e-3, 1.0, 1e6] {
        // A standard error is 2.4 % of the mean error, and a quarter of the steps worth half of one.
        assert!(score(5.05, 5, unit) < score(5.0, 20, unit), "{unit}");
        assert!(score(5.2, 5, unit) > score(5.0, 20, unit), "{unit}");
        assert!(score(5.0, 40, unit) > score(5.0, 20, unit), "{unit}");
        assert_eq!(score(5.0, 20, unit), unit * 5.0 / unit);
    }
    assert_eq!(score(0.0, 10, 1.0), 0.0);
}

#[test]
fn the_examples_that_are_held_out_are_drawn_and_never_those_of_the_test() {
    let dataset = Dataset::load(DatasetKind::Digits, None).expect("it is built in");
    let mut tuning = search(4);
    let searched = tuning.searched(dataset.clone());
    assert!(searched.test.is_empty());
    assert_eq!(searched.train.len(), dataset.train.len());
    assert_ne!(searched.train, dataset.train);
    let key = |examples: &Examples, example: usize| {
        let bits = examples.input(example).iter().map(|pixel| pixel.to_bits());
        (examples.labels[example], bits.collect::<Vec<_>>())
    };
    let sorted = |examples: &Examples| {
        let mut keys: Vec<_> = (0..examples.len())
            .map(|example| key(examples, example))
            .collect();
        keys.sort();
        keys
    };
    assert_eq!(sorted(&searched.train), sorted(&dataset.train));
    assert_eq!(tuning.searched(dataset.clone()), searched);
    // Who holds out some has chosen which.
    tuning.start.data.n_validation = 100;
    assert_eq!(tuning.searched(dataset.clone()).train, dataset.train);
}

#[test]
fn a_trial_in_rungs_learns_what_it_would_in_one_go() {
    let mut start = Preset::Digits.config();
    start.data.n_train = Some(260);
    let space = Space::of(&start, None, 260, &[]);
    let mut plan = Plan::new(&start, 260, 3);
    let mut tuning = Tuning::new(start, None, space, plan.clone());
    let dataset = Dataset::load(DatasetKind::Digits, None).expect("it is built in");
    let dataset = tuning.searched(dataset);
    let device = Device::flex();
    tuning.next(None);
    let train = |tuning: &Tuning, rung: usize, folder: &TempDir, stop_at: f64| {
        let trainer = Trainer::new(&dataset, &device, folder.path().join("trials"));
        let job = Job { trial: 0, rung };
        let trained = trainer.run(tuning, job, |part| match part >= stop_at {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        trained.expect("it can be kept")
    };
    let folders = [(); 2].map(|()| TempDir::new().expect("a folder"));

    plan.rungs = vec![0.23, 0.5, 1.0];
    tuning.plan = plan.clone();
    let mut found = Vec::new();
    for rung in 0..3 {
        assert_eq!(train(&tuning, rung, &folders[0], 0.4), Trained::Interrupted);
        let Trained::Done(measured) = train(&tuning, rung, &folders[0], f64::INFINITY) else {
            panic!("rung {rung} was not reached");
        };
        found.push(measured.errors[0]);
    }
    tuning.plan.rungs = vec![1.0];
    let Trained::Done(whole) = train(&tuning, 0, &folders[1], f64::INFINITY) else {
        panic!("it was not reached");
    };
    assert_eq!(found[2], whole.errors[0]);
    assert!(found[0] > found[2], "{found:?}");

    // Two more seeds, and the first one's.
    tuning.trials[0].measured.push(whole.clone());
    let Trained::Done(repeated) = train(&tuning, 1, &folders[1], f64::INFINITY) else {
        panic!("it was not reached");
    };
    assert_eq!(repeated.errors.len(), 3);
    assert_eq!(repeated.errors[0], whole.errors[0]);
    assert_ne!(repeated.costs[1], repeated.costs[0]);
}
