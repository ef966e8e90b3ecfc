//! An energy with its cost: all that has parameters.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::error::ConfigError;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed};
use eqprop_core::state::State;

use crate::initial_state::InitialState;

/// A network that predicts by relaxing: an energy and the cost of its output.
#[derive(Module, Debug)]
pub struct EquilibriumNetwork<E: VectorField, C: Cost> {
    /// What the network relaxes.
    pub energy: E,
    /// What its output is judged by, with the readout if there is one.
    pub cost: C,
    /// Whether free phases start at the feedforward pass.
    #[module(skip)]
    starts_forward: bool,
}

/// How a network finds the state that it predicts with: a [`Relaxation`] with any dynamics, or
/// something in its place.
pub trait FreePhase<E: VectorField, C: Cost> {
    /// Takes a clamped input, without a nudge, from `start` or else from
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
    /// Puts an energy and a cost together.
    pub fn new(energy: E, cost: C) -> Self {
        Self {
            energy,
            cost,
            starts_forward: false,
        }
    }

    /// Starts free phases, those of predictions too, at rest or at the
    /// [feedforward](VectorField::feedforward) pass. States that a training keeps say nothing of
    /// where predictions start: with those, it stays as it is.
    pub fn with_start(mut self, start: InitialState) -> Self {
        match start {
            InitialState::Rest => self.starts_forward = false,
            InitialState::Feedforward => self.starts_forward = true,
            InitialState::Particles | InitialState::Previous => {}
        }
        self
    }

    /// Where a free phase starts that has no better state: at [`VectorField::start`], or at the
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

    /// Relaxes `input` without a nudge, from `start` or else from [`start`](Self::start).
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

    /// Checks every nudging factor that `nudging` uses, with the limits of the cost and the
    /// parameters as they are.
    ///
    /// # Errors
    /// As [`Nudging::validate_range`], and if a factor leaves the total energy without a lower
    /// bound.
    pub fn check_nudging(&self, nudging: Nudging) -> Result<(), ConfigError> {
        nudging.validate_by(|beta| self.check_beta(beta))
    }

    /// Refuses a `nudging` that cannot work, as far as that is known without reading back from the
    /// device: what an estimator can afford with every batch.
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

    /// Checks one nudging factor. Reads the curvature of the output back, if it is not 1.
    ///
    /// # Errors
    /// If it leaves the total energy without a lower bound.
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

    /// The scores of the classes at `state`; the largest is the prediction.
    ///
    /// # Shapes
    /// - result: `[batch, n_classes]`
    pub fn scores(&self, clamped: &E::Clamped, state: &State) -> Tensor<2> {
        let drive = self.output_drive(clamped, state);
        self.cost.scores(state.output(), &drive)
    }

    /// The drive of the output, `[batch, n_units]`.
    pub(crate) fn output_drive(&self, clamped: &E::Clamped, state: &State) -> Tensor<2> {
        self.energy.drive(self.output(), clamped, state)
    }

    fn output(&self) -> usize {
        self.energy.layers().len() - 1
    }
}
