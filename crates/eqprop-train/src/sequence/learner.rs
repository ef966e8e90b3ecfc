//! The learner: a sequence network and a gradient estimator as a model for Burn's training.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{ExecutionError, Tensor};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use eqprop_core::cost::Cost;
use eqprop_core::sequence::{HamiltonianEcho, Potential};

use super::estimator::{SequenceEstimate, SequenceEstimator};
use super::network::SequenceNetwork;
use crate::batch::Batch;

/// A sequence network with a gradient estimator: a model that Burn's `Learner` and `SupervisedTraining` train
/// like any other.
///
/// It must be on an autodiff device while it is trained, because Burn's optimizers require one; the echo
/// records nothing on it.
///
/// ```
/// use burn::optim::AdamConfig;
/// use eqprop_train::prelude::*;
/// use eqprop_core::sequence::*;
/// use eqprop_train::sequence::*;
///
/// let device = Device::default().autodiff();
/// let digits = Dataset::load(DatasetKind::Digits, None)?;
/// let oscillators = CoupledOscillatorsConfig::new(8, 32, 32).init(&device);
/// let system = HamiltonianSystem::new(oscillators, LeapfrogConfig::new(0.3, 3));
/// let readout = CrossEntropyConfig::new(32, 10).init(&device);
/// let network = SequenceNetwork::new(vec![system], readout);
/// let mut learner = SequenceLearner::new(network, HamiltonianEcho::new(1e-3));
///
/// // An image of 64 pixels is read as 8 rows of 8.
/// let mut optimizer: ModuleOptimizer = AdamConfig::new().init();
/// let loader = BatchLoader::new(&digits.train, 32, Order::Shuffled { seed: 0 }, &device);
/// for batch in loader.iter().take(3) {
///     let output = TrainStep::step(&learner, batch?);
///     learner = learner.optimize(&mut optimizer, 0.005.into(), output.grads);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Module, Debug)]
pub struct SequenceLearner<
    P: Potential,
    C: Cost,
    G: Clone + core::fmt::Debug + Send = HamiltonianEcho,
> {
    /// Network, which has all parameters.
    pub network: SequenceNetwork<P, C>,
    #[module(skip)]
    estimator: G,
}

impl<P, C, G> SequenceLearner<P, C, G>
where
    P: Potential,
    C: Cost,
    G: SequenceEstimator<P, C> + Clone,
{
    /// Creates a learner of `network` by `estimator`.
    pub fn new(network: SequenceNetwork<P, C>, estimator: G) -> Self {
        Self { network, estimator }
    }

    /// Computes the supervised positions and the class scores for `input`, outside autodiff.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_steps · n_inputs]`, output: `[rows, n_units]` and `[rows, n_classes]`
    pub fn infer(&self, input: &Tensor<2>) -> [Tensor<2>; 2] {
        let network = self.network.valid();
        let inputs = network.sequences(&input.clone().without_autodiff());
        let output = network.run(inputs).output;
        let scores = network.cost.scores(&output, &output);
        [output, scores]
    }
}

/// Measurements of one batch, for Burn's metrics and those of [`crate::metric`]. A row is an example, or one
/// of its inputs if every position is supervised.
#[derive(Debug, Clone)]
pub struct SequencePrediction {
    /// Cost of each row, `[rows]`.
    pub cost: Tensor<1>,
    /// Class scores, `[rows, n_classes]`.
    pub scores: Tensor<2>,
    /// Supervised positions, `[rows, n_units]`.
    pub output: Tensor<2>,
    /// Target output, `[rows, n_outputs]`.
    pub target: Tensor<2>,
    /// Distance by which the echo missed its start, `[batch]`; `None` without an echo.
    pub residual: Option<Tensor<1>>,
}

impl From<SequenceEstimate> for SequencePrediction {
    fn from(estimate: SequenceEstimate) -> Self {
        Self {
            cost: estimate.cost,
            scores: estimate.scores,
            output: estimate.output,
            target: estimate.target,
            residual: estimate.residual,
        }
    }
}

impl SequencePrediction {
    /// Returns 1 for each misclassified row and 0 for the others, `[rows]`.
    pub fn errors(&self) -> Tensor<1> {
        let predicted = self.scores.clone().argmax(1);
        let wanted = self.target.clone().argmax(1);
        predicted.not_equal(wanted).float().squeeze_dim(1)
    }
}

impl ItemLazy for SequencePrediction {
    fn sync(self) -> Result<Self, ExecutionError> {
        // As in Burn's own outputs: dispatch the pending work, read nothing back.
        self.cost.device().flush()?;
        Ok(self)
    }
}

impl<P, C, G> TrainStep for SequenceLearner<P, C, G>
where
    P: Potential,
    C: Cost,
    G: SequenceEstimator<P, C> + Clone,
{
    type Input = Batch;
    type Output = SequencePrediction;

    fn step(&self, batch: Batch) -> TrainOutput<SequencePrediction> {
        let mut estimate = self.estimator.estimate(&self.network, &batch);
        TrainOutput {
            grads: core::mem::take(&mut estimate.gradients),
            item: estimate.into(),
        }
    }
}

impl<P, C, G> InferenceStep for SequenceLearner<P, C, G>
where
    P: Potential,
    C: Cost,
    G: SequenceEstimator<P, C> + Clone,
{
    type Input = Batch;
    type Output = SequencePrediction;

    fn step(&self, batch: Batch) -> SequencePrediction {
        let network = self.network.valid();
        let inputs = network.sequences(&batch.input.without_autodiff());
        let target = network.targets(&batch.target, inputs.dims()[1]);
        let output = network.run(inputs).output;
        let none = GradientsParams::new();
        SequenceEstimate::new(none, &network.cost, output, target, None).into()
    }
}
