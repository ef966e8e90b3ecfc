//! Trainings that learn nothing.

use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Examples;

/// Share of the error of chance above which nothing is learned: errors within an epoch are measured while it learns.
const AS_CHANCE: f64 = 0.97;

/// Returns the error of naming the most frequent class each time; `None` for targets that are not classes.
pub fn error(examples: &Examples) -> Option<f64> {
    let mut counts = vec![0usize; examples.n_classes];
    for &label in &examples.labels {
        counts[usize::from(label)] += 1;
    }
    let most = counts.into_iter().max()?;
    Some(1.0 - most as f64 / examples.len().max(1) as f64)
}

/// Returns whether a training error is that of chance.
pub fn is_reached(error: f64, chance: Option<f64>) -> bool {
    chance.is_some_and(|chance| error >= AS_CHANCE * chance)
}

/// Tells that nothing is learned, and what may help.
pub fn advice(config: &TrainingConfig) -> String {
    let rates = config.optimizer.learning_rates.iter();
    // Rounded to the digits that are typed.
    let fifths = rates.map(|rate| format!("{}", (rate * 2e5).round() / 1e6));
    let fifths = fifths.collect::<Vec<_>>().join(",");
    let mut ideas = vec![format!("--set 'learning_rates=[{fifths}]'")];
    if config.data.dataset.has_pixels() && !config.data.normalize {
        ideas.insert(0, "--set normalize=true".to_string());
    }
    format!(
        "nothing is learned: naming one class each time would be as good; try {}, or let `eqprop tune` search",
        ideas.join(", or ")
    )
}

#[cfg(test)]
mod tests {
    use eqprop_train::preset::Preset;

    use super::*;

    #[test]
    fn chance_names_the_most_frequent_class() {
        let mut examples = Examples {
            inputs: vec![0.0; 8],
            labels: vec![2, 0, 2, 2, 1, 2, 0, 2],
            shape: [1, 1, 1],
            n_classes: 3,
            targets: None,
            stream: None,
        };
        assert_eq!(error(&examples), Some(0.375));
        assert!(is_reached(0.375, error(&examples)) && !is_reached(0.36, error(&examples)));
        examples.n_classes = 0;
        examples.labels.clear();
        assert_eq!(error(&examples), None);
        assert!(!is_reached(0.9, None));
    }

    #[test]
    fn advice_is_a_fifth_of_the_learning_rates() {
        let mut config = Preset::Digits.config();
        config.optimizer.learning_rates = vec![0.05, 0.3];
        let said = advice(&config);
        assert!(said.contains("normalize=true") && said.contains("learning_rates=[0.01,0.06]"));
        config.data.normalize = true;
        assert!(!advice(&config).contains("normalize"));
    }
}
