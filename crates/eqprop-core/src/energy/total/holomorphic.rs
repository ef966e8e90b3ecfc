//! The total energy continued to complex states.

use burn::tensor::Tensor;

use crate::activation::Complex;
use crate::cost::Cost;
use crate::energy::field::{Energy, VectorField};
use crate::state::State;

/// A complex nudge, with what belongs to the real part alone computed once.
#[derive(Debug)]
pub(super) struct Holomorphic<'a, C, N> {
    cost: &'a C,
    target: Tensor<2>,
    /// The nudge with `β = 1`.
    unit: N,
    beta: Complex,
    /// The drive of each layer in a state of zeros.
    constant: Vec<Tensor<2>>,
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
        let like = (&re.device(), re.dtype());
        let layers = energy.layers().iter();
        let zeros = layers.map(|layer| Tensor::zeros([2 * batch, layer.n_units()], like));
        let zeros = State::new(zeros.collect());
        let constant = |layer| energy.drive(layer, clamped, &zeros).narrow(0, batch, batch);
        let output = energy.layers().last().expect("a network has a layer");
        let one = Tensor::ones([1, 1], like);
        Self {
            cost,
            target: target.clone(),
            unit: cost.nudge(target, one, output.activation),
            beta: Complex { re, im },
            constant: (0..energy.layers().len()).map(constant).collect(),
        }
    }

    /// `drive_k − β ∂C/∂s_k`.
    fn force<E: VectorField>(
        &self,
        energy: &E,
        clamped: &E::Clamped,
        layer: usize,
        state: &State,
    ) -> Complex {
        let Complex { re, im } = Complex::split(&energy.drive(layer, clamped, state));
        let im = im - self.constant[layer].clone();
        let drive = Complex { re, im };
        if layer + 1 < energy.layers().len() {
            return drive;
        }
        let output = Complex::split(state.output());
        let force = |output: &Tensor<2>| self.cost.force(&self.unit, output);
        let im = force(&output.im) - force(&output.im.zeros_like());
        let re = force(&output.re);
        drive.add(self.beta.clone().mul(Complex { re, im }))
    }

    /// `σ(drive)` for a layer before the output. The output takes the step of
    /// [`mirror_step`](crate::cost), with `γ = β` where that leads to the stationary point at once,
    /// and the fixed-point step `γ = 0` elsewhere.
    pub fn minimize<E: VectorField>(
        &self,
        energy: &E,
        clamped: &E::Clamped,
        layer: usize,
        state: &State,
    ) -> Tensor<2> {
        let activation = energy.layers()[layer].activation;
        let mut drive = self.force(energy, clamped, layer, state);
        if layer + 1 == energy.layers().len() && activation.is_quadratic() {
            let held = Complex::split(state.layer(layer)).mul(self.beta.clone());
            drive = drive.add(held).div(self.beta.clone().affine(1.0, 1.0));
        }
        activation.apply_complex(drive).stack()
    }

    /// See [`TotalEnergy::descend`](super::TotalEnergy::descend).
    pub fn descend<E: VectorField>(
        &self,
        energy: &E,
        clamped: &E::Clamped,
        layer: usize,
        state: &State,
        step_size: f64,
    ) -> Tensor<2> {
        let activation = energy.layers()[layer].activation;
        let held = activation.inverse_complex(Complex::split(state.layer(layer)));
        let drive = self.force(energy, clamped, layer, state);
        let moved = held
            .affine(1.0 - step_size, 0.0)
            .add(drive.affine(step_size, 0.0));
        activation.apply_complex(moved).stack()
    }

    /// See [`TotalEnergy::velocity`](super::TotalEnergy::velocity).
    pub fn velocity<E: VectorField>(
        &self,
        energy: &E,
        clamped: &E::Clamped,
        layer: usize,
        state: &State,
    ) -> Tensor<2> {
        let activation = energy.layers()[layer].activation;
        let held = activation.inverse_complex(Complex::split(state.layer(layer)));
        let drive = self.force(energy, clamped, layer, state);
        drive.add(held.affine(-1.0, 0.0)).stack()
    }

    /// The real part of `F`, up to a constant.
    pub fn value<E: Energy>(&self, energy: &E, clamped: &E::Clamped, state: &State) -> Tensor<1> {
        let [re, im] = [0, 1].map(|part| {
            let batch = state.batch_size() / 2;
            state.narrow(part * batch, batch)
        });
        let parts = |first: &State, second: &State| {
            let pairs = first.layers().iter().zip(second.layers());
            let layers = pairs.map(|(a, b)| Tensor::cat(vec![a.clone(), b.clone()], 0));
            State::new(layers.collect())
        };
        let times = |state: &State, factor: f64| state.map(|layer| layer.clone() * factor);
        // The energy but for the potentials is quadratic, and so is the cost:
        // Re p(a + ib) = p(a) − ½[p(b) + p(−b)] + p(0).
        let interactions = |state: &State| {
            let layers = energy.layers().iter().zip(state.layers());
            let potentials = layers.map(|(layer, s)| layer.activation.potential(s.clone()));
            let potential = potentials.reduce(|sum, term| sum + term);
            energy.energy(clamped, state) - potential.expect("a network has a layer")
        };
        let halves = |both: Tensor<1>| {
            let [rows] = both.dims();
            let half = rows / 2;
            (both.clone().narrow(0, 0, half), both.narrow(0, half, half))
        };
        let (at_re, at_im) = halves(interactions(state));
        let (at_zero, at_minus_im) =
            halves(interactions(&parts(&times(&im, 0.0), &times(&im, -1.0))));
        let mut value = at_re - (at_im + at_minus_im) * 0.5 + at_zero;
        for (layer, stacked) in energy.layers().iter().zip(state.layers()) {
            value = value + layer.activation.potential_complex(Complex::split(stacked));
        }

        let (re, im) = (re.output(), im.output());
        let cost = |output: &Tensor<2>| self.cost.value(output, &self.target);
        let even = (cost(im) + cost(&im.clone().neg())) * 0.5 - cost(&im.zeros_like());
        // Im C(a + ib) = b · ∂C/∂a, minus the force.
        let odd = (im.clone() * self.cost.force(&self.unit, re)).sum_dim(1);
        let beta = self.beta.clone();
        let real = beta.re.squeeze_dim::<1>(1) * (cost(re) - even);
        value + real + (beta.im * odd).squeeze_dim(1)
    }
}
