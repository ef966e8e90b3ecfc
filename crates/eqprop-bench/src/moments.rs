//! Second moments of points, for least-squares lines.

/// Sums of products of the deviations of `x` and `y` from their means: a least-squares line has the slope
/// `xy / xx`.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    pub xx: f64,
    pub xy: f64,
    pub yy: f64,
}

impl Moments {
    pub fn of(points: &[(f64, f64)]) -> Self {
        let mean = |part: fn(&(f64, f64)) -> f64| {
            points.iter().map(part).sum::<f64>() / points.len() as f64
        };
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |term: fn(f64, f64) -> f64| {
            let terms = points.iter().map(|point| term(point.0 - x, point.1 - y));
            terms.sum::<f64>()
        };
        Self {
            xx: sum(|x, _| x * x),
            xy: sum(|x, y| x * y),
            yy: sum(|_, y| y * y),
        }
    }
}
