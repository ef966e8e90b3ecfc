//! The total energy continued to complex states.

use burn::tensor::Tensor;

use crate::activation::{Activation, Complex};
use crate::cost::Cost;
use crate::energy::field::{Energy, VectorField, uniform};
use crate::state::State;

/// A complex nudge, with everything that belongs to the real part alone computed once.
///
/// Drives come from the energy as those of the stacked parts.
#[derive(Debug)]
pub(super) struct Holomorphic<'a, C, N> {
    cost: &'a C,
    target: Tensor<2>,
    /// The nudge with `β = 1`.
    unit: N,
    beta: Complex,
    /// The activation of each layer, and its drive in a state of zeros.
    layers: Vec<(Activation, Tensor<2>)>,
}

impl<'a, C: Cost<Nudge = N>, N> Holomorphic<'a, C, N> {
    /// See [`TotalEnergy::holomorphic`](super::TotalEnergy::holomorphic).
    pub fn new<E: VectorField>(
        energy: &E,
        clamped: &E::Clamped,
        cost: &'a C,
        target: &Tensor<2>,
        [re, im]: [Tensor<2>; 2],
    ) -> Self {
        assert!(
            cost.is_quadratic(),
            "a complex nudge needs a quadratic cost, such as the squared error"
        );
        for (index, layer) in energy.layers().iter().enumerate() {
            assert!(
                layer.activation.is_holomorphic(),
                "complex states need a holomorphic activation (sigmoid, tanh or identity), but a \
                 layer has {:?}",
                layer.activation
            );
            assert!(
                energy.curvature(index).is_none(),
                "complex states need an energy of curvature 1, such as Hopfield's"
            );
        }
        let [batch, _] = re.dims();
        let zeros = uniform(energy.layers(), 2 * batch, &re, |_| 0.0);
        let constant = |layer| energy.drive(layer, clamped, &zeros).narrow(0, batch, batch);
        let activations = energy.layers().iter().map(|layer| layer.activation);
        let layers: Vec<_> = activations.zip((0..).map(constant)).collect();
        let (output, _) = layers.last().expect("a network has a layer");
        let one = Tensor::ones([1, 1], (&re.device(), re.dtype()));
        Self {
            cost,
            target: target.clone(),
            unit: cost.nudge(target, one, *output),
            beta: Complex { re, im },
            layers,
        }
    }

    fn is_output(&self, layer: usize) -> bool {
        layer + 1 == self.layers.len()
    }

    /// `drive_k − β ∂C/∂s_k`.
    pub fn force(&self, layer: usize, drive: &Tensor<2>, state: &State) -> Complex {
        let (_, constant) = &self.layers[layer];
        let Complex { re, im } = Complex::split(drive);
        let im = im - constant.clone();
        let drive = Complex { re, im };
        if !self.is_output(layer) {
            return drive;
        }
        let output = Complex::split(state.output());
        let force = |output: &Tensor<2>| self.cost.force(&self.unit, output);
        let im = force(&output.im) - force(&output.im.zeros_like());
        let re = force(&output.re);
        drive.add(self.beta.clone().mul(Complex { re, im }))
    }

    /// `σ(drive)` for a layer before the output. The output takes the step of [`mirror_step`](crate::cost),
    /// with `γ` the nudge of the example if that leads to the stationary point at once, and the fixed-point
    /// step `γ = 0` otherwise.
    pub fn minimize(&self, layer: usize, drive: &Tensor<2>, state: &State) -> Tensor<2> {
        let (activation, _) = self.layers[layer];
        let mut force = self.force(layer, drive, state);
        if self.is_output(layer)
            && activation.is_quadratic()
            && let Some(unit) = self.cost.quadratic_nudge(&self.unit)
        {
            let Complex { re, im } = self.beta.clone();
            let [re, im] = [re, im].map(|part| part * unit.beta.clone());
            let gamma = Complex { re, im };
            let held = Complex::split(state.layer(layer)).mul(gamma.clone());
            force = force.add(held).div(gamma.affine(1.0, 1.0));
        }
        activation.apply_complex(force).stack()
    }

    /// The real part of `F`, up to a constant.
    pub fn value<E: Energy>(&self, energy: &E, clamped: &E::Clamped, state: &State) -> Tensor<1> {
        let batch = state.batch_size() / 2;
        // Apart from the potentials the energy is quadratic, and so is the cost:
        // Re p(a + ib) = p(a) − ½[p(b) + p(−b)] + p(0).
        let interactions = |state: &State| {
            let layers = energy.layers().iter().zip(state.layers());
            let potentials = layers.map(|(layer, s)| layer.activation.potential(s.clone()));
            let potential = potentials.reduce(|sum, term| sum + term);
            let both = energy.energy(clamped, state) - potential.expect("a network has a layer");
            [0, batch].map(|start| both.clone().narrow(0, start, batch))
        };
        let opposite = state.map(|layer| {
            let im = Complex::split(layer).im;
            Tensor::cat(vec![im.zeros_like(), im.neg()], 0)
        });
        let [at_re, at_im] = interactions(state);
        let [at_zero, at_minus_im] = interactions(&opposite);
        let mut value = at_re - (at_im + at_minus_im) * 0.5 + at_zero;
        for (layer, stacked) in energy.layers().iter().zip(state.layers()) {
            value = value + layer.activation.potential_complex(Complex::split(stacked));
        }

        let Complex { re, im } = Complex::split(state.output());
        let cost = |output: &Tensor<2>| self.cost.value(output, &self.target);
        let even = (cost(&im) + cost(&im.clone().neg())) * 0.5 - cost(&im.zeros_like());
        // Im C(a + ib) = b · ∂C/∂a, minus the force.
        let odd = (im * self.cost.force(&self.unit, &re)).sum_dim(1);
        let beta = self.beta.clone();
        let real = beta.re.squeeze_dim::<1>(1) * (cost(&re) - even);
        value + real + (beta.im * odd).squeeze_dim(1)
    }
}
