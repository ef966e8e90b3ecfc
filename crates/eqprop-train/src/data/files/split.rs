//! Random test split for files without one, and the order of the training examples.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::super::digits::shares;

/// Stream of a seed that determines the order of the training examples; those below are for the classes.
const ORDER: u64 = 1 << 32;

/// Marks a fraction of the examples of each class as test examples, drawn by `seed`. Shares of the classes
/// are rounded by largest remainder; at least one example of each class is left.
pub(super) fn choose_test(labels: &[u8], n_classes: usize, share: f64, seed: u64) -> Vec<bool> {
    let mut members = vec![Vec::new(); n_classes];
    for (i, &label) in labels.iter().enumerate() {
        members[usize::from(label)].push(i);
    }
    let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
    let most = sizes.iter().map(|size| size.saturating_sub(1)).sum();
    let n_test = (labels.len() as f64 * share).round() as usize;
    let n_test = n_test.max(1).min(most);

    let mut is_test = vec![false; labels.len()];
    let shares = shares(&sizes, n_test);
    for (class, (mut members, share)) in members.into_iter().zip(shares).enumerate() {
        members.shuffle(&mut stream(seed, class as u64));
        let n_chosen = share.min(members.len().saturating_sub(1));
        for &i in &members[..n_chosen] {
            is_test[i] = true;
        }
    }
    is_test
}

/// Returns a random order of the training examples if they come class by class, because the first and the
/// last of them would cover few classes; otherwise `None`.
pub(super) fn order(labels: &[u8], n_classes: usize, seed: u64) -> Option<Vec<usize>> {
    if !are_grouped(labels, n_classes) {
        return None;
    }
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(&mut stream(seed, ORDER));
    Some(order)
}

/// Returns a random order of examples with `n_quantities` quantities each if neighbors are similar, as when
/// they are sorted by one of them, and `None` otherwise.
pub(super) fn order_by_quantities(
    values: &[f64],
    n_quantities: usize,
    seed: u64,
) -> Option<Vec<usize>> {
    let are_alike = |quantity: usize| {
        let values = values.iter().skip(quantity).step_by(n_quantities);
        let values: Vec<f64> = values.copied().collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let pairs = values.windows(2);
        let steps: f64 = pairs.map(|pair| (pair[1] - pair[0]).powi(2)).sum();
        // In a random order the mean squared step is twice the variance.
        steps < variance
    };
    if !(0..n_quantities).any(are_alike) {
        return None;
    }
    let mut order: Vec<usize> = (0..values.len() / n_quantities).collect();
    order.shuffle(&mut stream(seed, ORDER));
    Some(order)
}

/// Returns whether neighbors are of different classes less than half as often as in a random order.
fn are_grouped(labels: &[u8], n_classes: usize) -> bool {
    let mut sizes = vec![0.0; n_classes];
    for &label in labels {
        sizes[usize::from(label)] += 1.0;
    }
    let n = labels.len() as f64;
    let same: f64 = sizes.iter().map(|size: &f64| (size / n).powi(2)).sum();
    let expected = (n - 1.0) * (1.0 - same);
    let changes = labels.windows(2).filter(|pair| pair[0] != pair[1]).count();
    (changes as f64) < 0.5 * expected
}

fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}
