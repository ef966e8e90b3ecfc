//! A field with any of its units clamped.

use burn::module::Module;
use burn::tensor::Tensor;

use super::field::{Energy, VectorField};
use super::held::HeldUnits;
use super::twin::{NoTwin, Twin};
use crate::activation::Activation;
use crate::gradients::Gradients;
use crate::layer::LayerConfig;
use crate::state::State;

/// A field with any part of its layers clamped, chosen for each example: known values are clamped, and
/// the rest relaxes. An energy has no direction, and no layer need be the input.
///
/// Some layers are visible. The input has a column for each of their units, in the order in which the layers
/// are named, followed by the columns of the field's own input, if it has any. A number clamps the unit; NaN
/// leaves it free:
///
/// ```text
/// s_i = v_i                        where the input v_i is a number
/// s_i relaxes as any other unit    where it is NaN
/// ```
///
/// An image is completed by clamping its known part, for example, and a class is imagined by clamping the
/// label alone. Free units are trained by equilibrium propagation like an output: make the visible layer the
/// last one, and the target its complete values. Units that are clamped to their target have no cost and no
/// nudge.
///
/// Every dynamics leaves clamped units unchanged, from a [start](VectorField::start) that has them at their
/// values, and every estimator that accepts any field accepts this one. It relaxes step by step, even where
/// the inner field would relax in one fused computation.
///
/// A graph without an input of its own has an input of a single value, which nothing is connected to
/// and which has no column here.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use eqprop_core::connection::{ConnectionConfig, ConnectionKind};
/// use eqprop_core::prelude::*;
///
/// // Four visible units, joined by three hidden ones.
/// let device = Device::default();
/// let layers = [3, 4].map(|n| LayerConfig::new(n, Activation::HardSigmoid));
/// let joined = ConnectionConfig {
///     from: 1,
///     to: 2,
///     kind: ConnectionKind::Dense,
///     initializer: InitializerConfig::Glorot,
/// };
/// let energy = HopfieldEnergyConfig::new(1.into(), layers.to_vec(), vec![joined]).init(&device);
/// let energy = PartlyClamped::new(energy, [1]);
///
/// // The first two units are known to be 1 and 0.
/// let seen = Tensor::from_data([[1.0, 0.0, f32::NAN, f32::NAN]], &device);
/// let clamped = energy.clamp(&seen);
/// let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
/// let start = energy.start(&seen, &clamped);
/// let relaxed = Relaxation::steps(Scheme::Asynchronous, 50).relax(&total, start);
/// let completed: Vec<f32> = relaxed.state.output().to_data().iter().collect();
/// assert_eq!(completed[..2], [1.0, 0.0]);
/// ```
///
/// # Reference
/// Scellier & Bengio (2017), §2.1: an energy with any symmetric connections, clamped anywhere,
/// <https://arxiv.org/abs/1602.05179>
#[derive(Module, Debug)]
pub struct PartlyClamped<E: VectorField> {
    /// The field that relaxes.
    pub field: E,
    #[module(skip)]
    visible: Vec<usize>,
}

/// A clamped input of a [`PartlyClamped`] field.
#[derive(Debug, Clone)]
pub struct ClampedUnits<C> {
    /// The field's own input.
    own: C,
    /// The clamped units of each visible layer.
    held: Vec<Option<HeldUnits>>,
}

impl<E: VectorField> PartlyClamped<E> {
    /// Creates a field in which these free layers are visible, counted from 0.
    ///
    /// # Panics
    /// If there is no such layer, or one is named twice, or is a softmax, whose units can only be clamped all
    /// together: by [`output_clamped`](super::TotalEnergy::output_clamped).
    pub fn new(field: E, visible: impl Into<Vec<usize>>) -> Self {
        let visible = visible.into();
        let n_layers = field.layers().len();
        for (index, layer) in visible.iter().enumerate() {
            assert!(
                *layer < n_layers,
                "there is no free layer {layer} to be visible: there are {n_layers}, counted from 0"
            );
            assert!(
                !visible[..index].contains(layer),
                "free layer {layer} is named twice as visible"
            );
            assert!(
                field.layers()[*layer].activation != Activation::Softmax,
                "free layer {layer} is a softmax, whose units are clamped all or none"
            );
        }
        Self { field, visible }
    }

    /// Returns the visible layers, counted from 0.
    pub fn visible(&self) -> &[usize] {
        &self.visible
    }

    /// Splits the input into the columns of each visible layer and those of the field's own input.
    ///
    /// # Panics
    /// If there are fewer columns than visible units.
    fn columns(&self, input: &Tensor<2>) -> (Vec<Tensor<2>>, Option<Tensor<2>>) {
        let sizes = self.visible.iter();
        let sizes = sizes.map(|&layer| self.field.layers()[layer].n_units());
        let n_visible: usize = sizes.clone().sum();
        let [_, n_columns] = input.dims();
        assert!(
            n_columns >= n_visible,
            "an input has a value or NaN for each of the {n_visible} visible units, but has {n_columns} \
             values"
        );
        let mut start = 0;
        let columns = sizes.map(|n_units| {
            start += n_units;
            input.clone().narrow(1, start - n_units, n_units)
        });
        let columns = columns.collect();
        let n_own = n_columns - n_visible;
        let own = (n_own > 0).then(|| input.clone().narrow(1, n_visible, n_own));
        (columns, own)
    }
}

impl<E: VectorField> VectorField for PartlyClamped<E> {
    type Clamped = ClampedUnits<E::Clamped>;

    fn layers(&self) -> &[LayerConfig] {
        self.field.layers()
    }

    fn groups(&self) -> &[Vec<usize>] {
        self.field.groups()
    }

    /// # Panics
    /// If the input has fewer columns than there are visible units.
    fn clamp(&self, input: &Tensor<2>) -> Self::Clamped {
        let (columns, own) = self.columns(input);
        let mut held = vec![None; self.layers().len()];
        for (&layer, values) in self.visible.iter().zip(columns) {
            held[layer] = Some(HeldUnits::known(values));
        }
        let nothing = || {
            let like = (&input.device(), input.dtype());
            Tensor::zeros([input.dims()[0], 1], like)
        };
        ClampedUnits {
            own: self.field.clamp(&own.unwrap_or_else(nothing)),
            held,
        }
    }

    fn repeat(&self, clamped: &Self::Clamped, n: usize) -> Self::Clamped {
        let held = clamped.held.iter();
        let held = held.map(|held| held.as_ref().map(|held| held.repeat(n)));
        ClampedUnits {
            own: self.field.repeat(&clamped.own, n),
            held: held.collect(),
        }
    }

    fn held<'a>(&self, layer: usize, clamped: &'a Self::Clamped) -> Option<&'a HeldUnits> {
        clamped.held[layer].as_ref()
    }

    fn drive(&self, layer: usize, clamped: &Self::Clamped, state: &State) -> Tensor<2> {
        self.field.drive(layer, &clamped.own, state)
    }

    fn curvature(&self, layer: usize) -> Option<Tensor<2>> {
        self.field.curvature(layer)
    }

    fn contrast(
        &self,
        clamped: &Self::Clamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        self.field.contrast(&clamped.own, first, second, scale)
    }

    fn drive_contrast(
        &self,
        clamped: &Self::Clamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        let own = &clamped.own;
        self.field.drive_contrast(own, first, second, scale)
    }

    fn adjoint(&self, clamped: &Self::Clamped, state: &State) -> Option<Self::Clamped> {
        Some(ClampedUnits {
            own: self.field.adjoint(&clamped.own, state)?,
            held: clamped.held.clone(),
        })
    }

    /// `∂E/∂v_i = a_i (σ⁻¹(s_i) − drive_i)` for clamped units, 0 for free ones.
    fn input_contrast(
        &self,
        input: &Tensor<2>,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Option<Tensor<2>> {
        let clamped = self.clamp(input);
        // Without an energy a drive is not a slope of anything.
        self.field.energy_of(&clamped.own, first)?;
        let slope = |&layer: &usize| {
            let drive = |state| self.drive(layer, &clamped, state);
            let mut slope = (drive(second) - drive(first)) * scale;
            if let Some(curvature) = self.curvature(layer) {
                slope = slope * curvature;
            }
            match self.held(layer, &clamped) {
                Some(held) => held.of_held(slope),
                None => slope,
            }
        };
        let mut slopes: Vec<_> = self.visible.iter().map(slope).collect();
        if let (_, Some(own)) = self.columns(input) {
            slopes.push(self.field.input_contrast(&own, first, second, scale)?);
        }
        Some(Tensor::cat(slopes, 1))
    }

    fn energy_of(&self, clamped: &Self::Clamped, state: &State) -> Option<Tensor<1>> {
        self.field.energy_of(&clamped.own, state)
    }

    fn project(self) -> Self {
        Self {
            field: self.field.project(),
            ..self
        }
    }

    fn twin(&self, _input: &Tensor<2>) -> Result<Twin, NoTwin> {
        Err(NoTwin::Never {
            field: "a partly clamped field",
            reason: "which units are clamped differs from example to example",
        })
    }
}

impl<E: Energy> Energy for PartlyClamped<E> {
    fn energy(&self, clamped: &Self::Clamped, state: &State) -> Tensor<1> {
        self.field.energy(&clamped.own, state)
    }
}
