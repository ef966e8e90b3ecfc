//! The importance of each parameter.

use nalgebra::{Matrix3, Vector3};

use super::search::Tuning;

/// The fewest trials that carry information: a parabola goes through any three.
const FEWEST: usize = 8;

/// Returns how much of the differences between the trials each parameter explains by itself, in `[0, 1]`: the
/// explained share of the variance of the logarithm of the error at the first rung, fitted by a parabola in
/// the logarithm of the parameter. `None` where there are too few trials.
///
/// The trials are drawn around good ones, so parameters may share what they explain.
pub fn effects(tuning: &Tuning) -> Vec<Option<f64>> {
    let n = tuning.plan.n_validation as f64;
    let measured = tuning.trials.iter().filter_map(|trial| {
        let error = trial.at(0)?.error();
        let likely = match tuning.is_of_quantities() {
            false => (error * n + 0.5) / (n + 1.0),
            true => error.max(tuning.least_error()),
        };
        Some((&trial.values, likely.ln()))
    });
    let measured: Vec<(&Vec<f64>, f64)> = measured.collect();
    let parameters = tuning.space.parameters.iter().enumerate();
    let explained = parameters.map(|(index, parameter)| {
        let points = measured.iter();
        let points: Vec<(f64, f64)> = points
            .map(|(values, error)| (parameter.place(values[index]), *error))
            .collect();
        (points.len() >= FEWEST)
            .then(|| explained(&points))
            .flatten()
    });
    explained.collect()
}

/// Returns the share of the variance of `y` that a parabola in `x` explains, by least squares.
fn explained(points: &[(f64, f64)]) -> Option<f64> {
    let (mut left, mut right) = (Matrix3::zeros(), Vector3::zeros());
    for &(x, y) in points {
        let powers = Vector3::new(1.0, x, x * x);
        left += powers * powers.transpose();
        right += powers * y;
    }
    // Where `x` takes fewer than three values, several parabolas fit equally well.
    left += Matrix3::identity() * 1e-9;
    let fit = left.cholesky()?.solve(&right);
    let mean = points.iter().map(|(_, y)| y).sum::<f64>() / points.len() as f64;
    let all: f64 = points.iter().map(|(_, y)| (y - mean).powi(2)).sum();
    let rest: f64 = points
        .iter()
        .map(|(x, y)| (y - fit.dot(&Vector3::new(1.0, *x, x * x))).powi(2))
        .sum();
    (all > 0.0).then(|| (1.0 - rest / all).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::explained;

    #[test]
    fn a_parabola_explains_itself_and_nothing_else() {
        let x = |i: usize| i as f64 / 20.0;
        let parabola: Vec<_> = (0..20)
            .map(|i| (x(i), 3.0 - x(i) + 4.0 * x(i) * x(i)))
            .collect();
        assert!(explained(&parabola).expect("it varies") > 0.999_999);
        // A parabola does not fit alternating signs.
        let other: Vec<_> = (0..20)
            .map(|i| (x(i), if i % 2 == 0 { 1.0 } else { -1.0 }))
            .collect();
        assert!(explained(&other).expect("it varies") < 0.05);
        // Two values of x.
        let two: Vec<_> = (0..20).map(|i| (x(i % 2), x(i % 2))).collect();
        assert!(explained(&two).expect("it varies") > 0.999);
        assert_eq!(explained(&[(0.0, 1.0), (1.0, 1.0)]), None);
    }
}
