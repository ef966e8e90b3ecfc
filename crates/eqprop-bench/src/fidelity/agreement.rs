//! How two gradients agree, layer by layer.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::nudging::Nudging;
use eqprop_core::parameters::Parameter;
use eqprop_train::estimator::gradient_vectors;
use eqprop_train::network::EquilibriumNetwork;
use serde::Serialize;

/// Estimates smaller than this, relative to the exact gradient, count as 0.
const NOTHING: f64 = 1e-8;

/// Agreement of an estimate `ĝ` with the exact gradient `g`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Cosine similarity `ĝ·g / (‖ĝ‖ ‖g‖)`; 0 if only one of them is 0.
    pub cosine: f64,
    /// Relative error `‖ĝ − g‖ / ‖g‖`.
    pub relative_error: f64,
}

/// Agreement for each parameter, and for all together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreements {
    /// All parameters as one vector.
    pub whole: Agreement,
    /// Each parameter, in the order of [`Fidelity::parameters`](super::Fidelity::parameters).
    pub parameters: Vec<Agreement>,
}

/// One value per kind of nudging; none where the energy refuses −β.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByNudging<T> {
    /// Difference between the free state and the state at β.
    pub one_sided: T,
    /// One-sided with β and with −β: the mean over the two signs.
    pub random_sign: Option<T>,
    /// Difference between the states at −β and β.
    pub centered: Option<T>,
}

/// The kinds of nudging that are distinguished here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NudgingKind {
    /// See [`Nudging::OneSided`].
    OneSided,
    /// See [`Nudging::RandomSign`].
    RandomSign,
    /// See [`Nudging::Centered`]; higher orders count as centered.
    Centered,
}

impl NudgingKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::OneSided, Self::RandomSign, Self::Centered];
}

impl From<Nudging> for NudgingKind {
    fn from(nudging: Nudging) -> Self {
        match nudging {
            Nudging::OneSided { .. } => Self::OneSided,
            Nudging::RandomSign { .. } => Self::RandomSign,
            Nudging::Centered { .. } | Nudging::HigherOrder { .. } => Self::Centered,
        }
    }
}

impl<T> ByNudging<T> {
    /// Returns the value for `kind`.
    pub fn get(&self, kind: NudgingKind) -> Option<&T> {
        match kind {
            NudgingKind::OneSided => Some(&self.one_sided),
            NudgingKind::RandomSign => self.random_sign.as_ref(),
            NudgingKind::Centered => self.centered.as_ref(),
        }
    }
}

impl ByNudging<Agreements> {
    /// Returns the worst over batches.
    pub(super) fn worst(batches: &[Self]) -> Self {
        let worst = |part: &dyn Fn(&Self) -> Option<Agreements>| {
            let found: Vec<_> = batches.iter().filter_map(part).collect();
            Agreements::worst(&found)
        };
        Self {
            one_sided: worst(&|batch| Some(batch.one_sided.clone()))
                .expect("there is at least one batch"),
            random_sign: worst(&|batch| batch.random_sign.clone()),
            centered: worst(&|batch| batch.centered.clone()),
        }
    }
}

impl Agreement {
    fn of(product: f64, estimate: f64, exact: f64, difference: f64) -> Self {
        if estimate == 0.0 && exact == 0.0 {
            // The gradient is 0, and so is the estimate.
            return Self {
                cosine: 1.0,
                relative_error: 0.0,
            };
        }
        let (estimate, exact) = (estimate.sqrt(), exact.sqrt());
        // A layer that has moved only by rounding so far has no direction.
        let is_nothing = exact == 0.0 || estimate <= NOTHING * exact;
        Self {
            cosine: if is_nothing {
                0.0
            } else {
                product / (estimate * exact)
            },
            relative_error: difference.sqrt() / exact,
        }
    }

    fn combine(self, other: Self, f: impl Fn(f64, f64) -> [f64; 2]) -> Self {
        let [cosine, _] = f(self.cosine, other.cosine);
        let [_, relative_error] = f(self.relative_error, other.relative_error);
        Self {
            cosine,
            relative_error,
        }
    }
}

impl Agreements {
    /// Compares an estimate with the exact gradient.
    pub(super) fn between(estimate: &LayerGradients, exact: &LayerGradients) -> Self {
        let mut sums = [0.0; 4];
        let pairs = estimate.0.iter().zip(&exact.0);
        let parameters = pairs.map(|((_, a), (_, b))| {
            let moments = [
                dot(a, b),
                dot(a, a),
                dot(b, b),
                squared(a.clone() - b.clone()),
            ];
            for (sum, moment) in sums.iter_mut().zip(moments) {
                *sum += moment;
            }
            let [product, a, b, difference] = moments;
            Agreement::of(product, a, b, difference)
        });
        let parameters = parameters.collect();
        let [product, a, b, difference] = sums;
        Self {
            whole: Agreement::of(product, a, b, difference),
            parameters,
        }
    }

    /// Returns the lowest cosine of any parameter; NaN if any is NaN.
    pub fn lowest_cosine(&self) -> f64 {
        lowest_cosine(&self.parameters)
    }

    /// Returns the lowest cosines and largest errors; `None` if `all` is empty.
    pub(super) fn worst(all: &[Self]) -> Option<Self> {
        let worst = |a: Self, b: &Self| a.combine(b, ordered);
        let (first, rest) = all.split_first()?;
        Some(rest.iter().fold(first.clone(), worst))
    }

    /// Returns the mean of two.
    pub(super) fn mean(&self, other: &Self) -> Self {
        self.combine(other, |a, b| [0.5 * (a + b); 2])
    }

    fn combine(&self, other: &Self, f: impl Fn(f64, f64) -> [f64; 2]) -> Self {
        let pairs = self.parameters.iter().zip(&other.parameters);
        Self {
            whole: self.whole.combine(other.whole, &f),
            parameters: pairs.map(|(a, b)| a.combine(*b, &f)).collect(),
        }
    }
}

/// Returns the lowest cosine of some parameters; NaN if any is NaN.
pub(super) fn lowest_cosine<'a>(all: impl IntoIterator<Item = &'a Agreement>) -> f64 {
    let cosines = all.into_iter().map(|parameter| parameter.cosine);
    cosines.fold(1.0, |a, b| ordered(a, b)[0])
}

/// Returns the smaller and the larger of two numbers; both NaN if either is.
pub(super) fn ordered(a: f64, b: f64) -> [f64; 2] {
    if a.is_nan() || b.is_nan() {
        [f64::NAN; 2]
    } else {
        [a.min(b), a.max(b)]
    }
}

pub(super) fn dot(a: &Tensor<1>, b: &Tensor<1>) -> f64 {
    (a.clone() * b.clone()).sum().into_scalar::<f64>()
}

pub(super) fn squared(a: Tensor<1>) -> f64 {
    dot(&a, &a)
}

/// The gradient of each parameter as a vector, by name.
#[derive(Debug, Clone)]
pub(super) struct LayerGradients(pub Vec<(String, Tensor<1>)>);

impl LayerGradients {
    /// Collects the gradients of all parameters of a network. A missing gradient counts as 0.
    pub fn of<E: VectorField, C: Cost>(
        network: &EquilibriumNetwork<E, C>,
        gradients: &GradientsParams,
    ) -> Self {
        let Self(mut found) = Self::of_energy(&network.energy, gradients);
        let locals = network.cost.locals();
        let name = |parameter: &Parameter| {
            let name = if is_bias(parameter) {
                "readout bias"
            } else {
                "readout"
            };
            let local = locals.iter().find(|local| {
                [local.readout.weight.id, local.readout.bias.id].contains(&parameter.id)
            });
            match local {
                Some(local) => format!("{name} of layer {}", local.layer() + 1),
                None => name.to_string(),
            }
        };
        found.extend(collect(&network.cost, gradients, name));
        Self(found)
    }

    /// Collects the gradients of the parameters of an energy.
    pub fn of_energy<E: VectorField>(energy: &E, gradients: &GradientsParams) -> Self {
        let (mut n_weights, mut n_biases) = (0, 0);
        let name = |parameter: &Parameter| {
            let mut path = parameter
                .path
                .split('.')
                .skip_while(|name| *name != "feedback");
            if let Some(connection) = path.nth(1).and_then(|index| index.parse::<usize>().ok()) {
                return format!("feedback {}", connection + 1);
            }
            let (what, count) = if is_bias(parameter) {
                ("bias", &mut n_biases)
            } else {
                ("weights", &mut n_weights)
            };
            *count += 1;
            format!("{what} {count}")
        };
        Self(collect(energy, gradients, name))
    }

    /// Collects the gradients of the parameters of any module, by their paths in it.
    pub fn by_path<M: Module>(module: &M, gradients: &GradientsParams) -> Self {
        Self(collect(module, gradients, |parameter| {
            parameter.path.clone()
        }))
    }

    /// Returns the names.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Collects the gradients of the parameters of a module.
fn collect<M: Module>(
    module: &M,
    gradients: &GradientsParams,
    mut name: impl FnMut(&Parameter) -> String,
) -> Vec<(String, Tensor<1>)> {
    let found = gradient_vectors(module, gradients).into_iter();
    let named = found.map(|(parameter, gradient)| {
        let values = gradient.unwrap_or_else(|| parameter.values.zeros_like());
        (name(&parameter), values.without_autodiff())
    });
    named.collect()
}

/// A vector counts as a bias.
fn is_bias(parameter: &Parameter) -> bool {
    parameter.rank == 1
}
