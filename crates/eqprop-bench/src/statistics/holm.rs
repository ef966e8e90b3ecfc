//! Corrects for several tests at once.

/// Returns p-values adjusted for several tests, so that the chance of any false claim is at most the level at
/// which each is judged: the smallest is multiplied by the number of tests, the next by one fewer, and so on,
/// and none falls below the one before it.
///
/// # Reference
/// Holm (1979), <https://www.jstor.org/stable/4615733>
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    let mut adjusted = vec![0.0; probabilities.len()];
    let mut least = 0f64;
    for (rank, index) in order.into_iter().enumerate() {
        let n_left = (probabilities.len() - rank) as f64;
        least = least.max((probabilities[index] * n_left).min(1.0));
        adjusted[index] = least;
    }
    adjusted
}
