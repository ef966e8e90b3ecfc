//! A network without layers: every unit is joined with every other.

use eqprop_testing::{digits, named_parameters, run, training, with};
use eqprop_train::config::TrainingConfig;
use eqprop_train::preset::Preset;

/// 64 hidden units and 10 outputs, all joined with each other and with the input.
fn unlayered() -> TrainingConfig {
    let skips = r#"[{"from": 0, "to": 2, "kind": "dense"},
                    {"from": 1, "to": 1, "kind": "dense"},
                    {"from": 2, "to": 2, "kind": "dense"}]"#;
    with(
        Preset::Digits.config(),
        &[
            ("hidden", "[64]"),
            ("skips", skips),
            ("output_activation", "hard_sigmoid"),
            ("initializer", r#"{"fan_in": {"gain": 0.3}}"#),
            ("free_steps", "25"),
            ("epochs", "12"),
        ],
    )
}

#[test]
fn a_network_whose_units_are_all_joined_learns_the_digits() {
    let mut training = training(unlayered(), &digits(usize::MAX, usize::MAX));
    let sizes = named_parameters(training.learner());
    let sizes: Vec<usize> = sizes.iter().map(|(_, list)| list.len()).collect();
    assert_eq!(sizes, [64 * 64, 64 * 10, 64 * 10, 64 * 64, 10 * 10, 64, 10]);
    run(&mut training, 12);
    let last = training.records().last().expect("twelve epochs");
    // Always naming one class makes 90 % errors.
    assert!(last.held_out_error() <= 0.08, "{last:?}");
    // The connections within the layers took part.
    let ratio = |path: &str| {
        let ratios = last.update_ratios.iter();
        let mut found = ratios.filter(|(other, _)| other.contains(path));
        found.next().expect(path).1
    };
    assert!(ratio("connections.3.") > 0.0 && ratio("connections.4.") > 0.0);
}
