//! A network: an energy and its cost, which hold all parameters.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::error::ConfigError;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed};
use eqprop_core::state::State;

use crate::initial_state::InitialState;

/// A network that predicts by relaxation: an energy and the cost of its output.
#[derive(Module, Debug)]
pub struct EquilibriumNetwork<E: VectorField, C: Cost> {
    /// Energy, or other field, that the network relaxes.
    pub energy: E,
    /// Cost of the output, with the readout if there is one.
    pub cost: C,
    /// Whether free phases start at the feedforward pass.
    #[module(skip)]
    starts_forward: bool,
}

/// A way to find the state that a network predicts with: a [`Relaxation`] with any dynamics, or a
/// substitute.
pub trait FreePhase<E: VectorField, C: Cost> {
    /// Relaxes a clamped input without nudging, from `start` or else from
    /// [`EquilibriumNetwork::start`].
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`
    fn run(
        &self,
        network: &EquilibriumNetwork<E, C>,
        input: &Tensor<2>,
        clamped: &E::Clamped,
        start: Option<State>,
    ) -> Relaxed;
}

impl<E: VectorField, C: Cost, D: Dynamics> FreePhase<E, C> for Relaxation<D> {
    fn run(
        &self,
        network: &EquilibriumNetwork<E, C>,
        input: &Tensor<2>,
        clamped: &E::Clamped,
        start: Option<State>,
    ) -> Relaxed {
        let start = start.unwrap_or_else(|| network.start(input, clamped));
        self.relax(&TotalEnergy::<E, C>::free(&network.energy, clamped), start)
    }
}

impl<E: VectorField, C: Cost> EquilibriumNetwork<E, C> {
    /// Creates a network from an energy and a cost.
    pub fn new(energy: E, cost: C) -> Self {
        Self {
            energy,
            cost,
            starts_forward: false,
        }
    }

    /// Sets the start of free phases, also for predictions, to rest or to the
    /// [feedforward](VectorField::feedforward) pass. The states that a training stores do not determine the
    /// start of predictions: with those, it is unchanged.
    pub fn with_start(mut self, start: InitialState) -> Self {
        match start {
            InitialState::Rest => self.starts_forward = false,
            InitialState::Feedforward => self.starts_forward = true,
            InitialState::Particles | InitialState::Previous => {}
        }
        self
    }

    /// Returns the start of a free phase without a stored state: [`VectorField::start`], or the
    /// [feedforward](VectorField::feedforward) pass.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`
    pub fn start(&self, input: &Tensor<2>, clamped: &E::Clamped) -> State {
        if self.starts_forward {
            self.energy.feedforward(input, clamped)
        } else {
            self.energy.start(input, clamped)
        }
    }

    /// Relaxes `input` without nudging, from `start` or else from [`start`](Self::start).
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`
    pub fn relax(
        &self,
        phase: &dyn FreePhase<E, C>,
        input: &Tensor<2>,
        start: Option<State>,
    ) -> Relaxed {
        phase.run(self, input, &self.energy.clamp(input), start)
    }

    /// Checks every nudging factor that `nudging` uses, within the limits of the cost and the
    /// current parameters.
    ///
    /// # Errors
    /// As for [`Nudging::validate_range`], and if a factor leaves the total energy without a lower
    /// bound.
    pub fn check_nudging(&self, nudging: Nudging) -> Result<(), ConfigError> {
        nudging.validate_by(|beta| self.check_beta(beta))
    }

    /// Checks `nudging` as far as possible without reading back from the device, as an estimator can afford
    /// to for every batch.
    ///
    /// # Panics
    /// If β is out of range or, unless the output has a [curvature](VectorField::curvature), leaves
    /// the total energy without a lower bound.
    pub(crate) fn assert_nudging(&self, nudging: Nudging) {
        let checked = match self.energy.curvature(self.output()) {
            Some(_) => nudging.validate_range(),
            None => self.check_nudging(nudging),
        };
        if let Err(error) = checked {
            panic!("{error}");
        }
    }

    /// Checks one nudging factor. Reads the curvature of the output back from the device, if it is not 1.
    ///
    /// # Errors
    /// If the factor leaves the total energy without a lower bound.
    pub fn check_beta(&self, beta: f64) -> Result<(), ConfigError> {
        let output = self.output();
        let activation = self.energy.layers()[output].activation;
        let Some(curvature) = self.energy.curvature(output) else {
            return self.cost.check_beta(beta, activation);
        };
        let curvature = curvature.min().into_scalar::<f64>();
        let checked = self.cost.check_beta(beta / curvature, activation);
        checked.map_err(|_| ConfigError::Outweighed { beta, curvature })
    }

    /// Returns the class scores at `state`; the largest is the prediction.
    ///
    /// # Shapes
    /// - result: `[batch, n_classes]`
    pub fn scores(&self, clamped: &E::Clamped, state: &State) -> Tensor<2> {
        let drive = self.output_drive(clamped, state);
        self.cost.scores(state.output(), &drive)
    }

    /// Returns the drive of the output, `[batch, n_units]`.
    pub(crate) fn output_drive(&self, clamped: &E::Clamped, state: &State) -> Tensor<2> {
        self.energy.drive(self.output(), clamped, state)
    }

    fn output(&self) -> usize {
        self.energy.layers().len() - 1
    }
}
