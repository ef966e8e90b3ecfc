//! Estimates how long a comparison will take.

use std::time::Duration;

use eqprop_bench::comparison::Run;

use super::data::ArmData;
use super::results::Results;

/// Returns the number of training examples per epoch of an arm, and the number of examples it is judged on.
pub fn n_examples(
    config: &eqprop_train::config::TrainingConfig,
    dataset: &eqprop_train::data::Dataset,
) -> [usize; 2] {
    let n_train = dataset
        .train
        .len()
        .min(config.data.n_train.unwrap_or(usize::MAX));
    let n_validation = config.data.n_validation.min(n_train);
    [n_train - n_validation, n_validation + dataset.test.len()]
}

/// Returns the time that the remaining epochs will take, from the time of a step; `None` if a step was not
/// timed.
pub fn remaining(results: &Results, data: &ArmData) -> Option<Duration> {
    let comparison = results.comparison();
    let mut seconds = 0.0;
    for arm in comparison.arms() {
        let done = |seed: &u64| {
            let run = comparison.run(&arm.name, *seed);
            run.map_or(0, |run: &Run| {
                if run.failure.is_some() {
                    arm.config.epochs
                } else {
                    run.epochs.len()
                }
            })
        };
        let epochs: usize = comparison
            .seeds
            .iter()
            .map(|seed| arm.config.epochs.saturating_sub(done(seed)))
            .sum();
        if epochs == 0 {
            continue;
        }
        let cost = &results.cost(&arm.name)?.cost;
        let [n_train, n_judged] = n_examples(&arm.config, data.of(arm));
        let batch = cost.batch_size.max(1);
        let training = n_train.div_ceil(batch) as f64 * cost.step.median;
        let judging = n_judged as f64 / batch as f64 * cost.phases.free_phase.median;
        seconds += epochs as f64 * (training + judging);
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Describes a time with no more precision than is useful.
pub fn words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (number, unit) = match seconds {
        ..1.5 => return "a second".to_string(),
        ..90.0 => (seconds, "seconds"),
        ..5400.0 => (seconds / 60.0, "minutes"),
        ..172_800.0 => (seconds / 3600.0, "hours"),
        _ => (seconds / 86400.0, "days"),
    };
    match number < 10.0 && unit != "seconds" {
        true => format!("{number:.1} {unit}"),
        false => format!("{number:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::words;

    #[test]
    fn a_time_is_told_in_a_unit_of_its_size() {
        for (seconds, expected) in [
            (0.2, "a second"),
            (42.4, "42 seconds"),
            (150.0, "2.5 minutes"),
            (3000.0, "50 minutes"),
            (7200.0, "2.0 hours"),
            (3e5, "3.5 days"),
        ] {
            assert_eq!(words(Duration::from_secs_f64(seconds)), expected);
        }
    }
}
