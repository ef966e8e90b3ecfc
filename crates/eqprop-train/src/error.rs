//! Errors of a training run.

use eqprop_core::error::ConfigError;
use eqprop_core::shape::LayerShape;

pub use crate::checkpoint::CheckpointError;
use crate::data::DataError;
use crate::suggestion::did_you_mean;

/// Error that keeps a training from starting or continuing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// A value of the configuration is invalid.
    #[error("the configuration cannot work")]
    Config(#[from] ConfigError),
    /// The number of learning rates does not match the network.
    #[error(
        "learning_rates needs one number per layer, from the first hidden layer to the \
         output (and one for a readout): {expected} here, but has {found}"
    )]
    LearningRates {
        /// Required number.
        expected: usize,
        /// Number found.
        found: usize,
    },
    /// The number of gains does not match the network.
    #[error(
        "gains needs one number per connection, those from layer to layer and then the skips, or \
         none: {expected} here, but has {found}"
    )]
    Gains {
        /// Required number, if not 0.
        expected: usize,
        /// Number found.
        found: usize,
    },
    /// A count is too large for any machine.
    #[error("{field} must be at most {most}, but is {found}")]
    TooMany {
        /// The field.
        field: &'static str,
        /// Largest count.
        most: usize,
        /// Count found.
        found: usize,
    },
    /// The training needs more memory than the machine has.
    #[error(
        "the {what} take at least {:.1} GB, but half of this machine's memory is {:.1} GB: use fewer or \
         smaller layers, a smaller batch_size, or less padding", needed / 1e9, there / 1e9
    )]
    Memory {
        /// Data that need the memory.
        what: &'static str,
        /// Least number of bytes needed.
        needed: f64,
        /// Bytes available.
        there: f64,
    },
    /// A convolutional layer does not fit onto the layer below.
    #[error(
        "hidden layer {layer} is convolutional and does not fit onto {below} units, to which images \
         of {}x{} with padding {padding} lead: it needs feature maps (channels×height×width) that its \
         kernel fits into, a stride of at least 1, and pooling windows that tile the result; change \
         the layers below or its kernel, stride, padding or pooling{}",
        image[0], image[1],
        fitting.map(|padding| format!(", or set the images' padding to {padding}")).unwrap_or_default()
    )]
    HiddenLayer {
        /// Number of the layer, from 1.
        layer: usize,
        /// Shape of the layer below.
        below: LayerShape,
        /// Height and width of an image.
        image: [usize; 2],
        /// Width of the frame of zeros around it.
        padding: usize,
        /// Nearest padding with which all layers fit, if there is one.
        fitting: Option<usize>,
    },
    /// The text of a configuration is not a JSON object, or repeats a key.
    #[error(
        "this is not a configuration: a JSON object is needed, as `eqprop presets digits` prints one"
    )]
    NotAConfiguration {
        /// Error of the parser.
        #[source]
        source: serde_json::Error,
    },
    /// A field without a default is missing.
    #[error("the configuration has no `{key}`, for which there is no default")]
    MissingKey {
        /// The field.
        key: &'static str,
    },
    /// The field does not exist.
    #[error(
        "unknown key `{key}`{}; the keys are: {}",
        did_you_mean(key.rsplit('.').next().unwrap_or_default(), known.iter().map(String::as_str)),
        known.join(", ")
    )]
    UnknownKey {
        /// Name given.
        key: String,
        /// All valid names.
        known: Vec<String>,
    },
    /// The option belongs to a choice that is not made.
    #[error(
        "`{key}` is an option of {choice} \"{needed}\", but {choice} is \"{found}\": set {choice} to \
         \"{needed}\" too, or leave `{key}` out"
    )]
    UnusedOption {
        /// The option.
        key: String,
        /// Field of the choice.
        choice: &'static str,
        /// Choice that has the option.
        needed: &'static str,
        /// Choice made.
        found: String,
    },
    /// The value is invalid for the field.
    #[error("`{value}` does not fit the key `{key}`; it is written like `{example}`")]
    UnfitValue {
        /// The field.
        key: String,
        /// Value given.
        value: String,
        /// A valid value.
        example: String,
        /// Position within the value, and expectation.
        #[source]
        source: serde_json::Error,
    },
    /// The value holds a number that is infinite or not a number.
    #[error("`{value}` does not fit the key `{key}`: numbers must be finite")]
    NotFinite {
        /// The field.
        key: String,
        /// Value given.
        value: String,
    },
    /// The preset does not exist.
    #[error(
        "unknown preset `{name}`{}; the presets are: {}",
        did_you_mean(name, known.iter().copied()),
        known.join(", ")
    )]
    UnknownPreset {
        /// Name given.
        name: String,
        /// All valid names.
        known: Vec<&'static str>,
    },
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// No training examples are left.
    #[error(
        "no training example is left: {n_validation} of {n_train} are held out for validation; \
         lower n_validation or raise n_train"
    )]
    NothingToTrainOn {
        /// Number of examples before holding out.
        n_train: usize,
        /// Number of examples held out.
        n_validation: usize,
    },
    /// The images do not have the size of the network's input.
    #[error(
        "the network takes {expected} inputs, but the images have {found}: load the data set with \
         this configuration, which pads them"
    )]
    InputSize {
        /// Number of inputs of the network.
        expected: usize,
        /// Number of pixels of an image.
        found: usize,
    },
    /// The number of classes of the images differs from that of the network.
    #[error(
        "the network tells {expected} classes apart, but the images are of {found}: choose the data \
         set in the configuration that they belong to"
    )]
    Classes {
        /// Number of classes of the network.
        expected: usize,
        /// Number of classes of the images.
        found: usize,
    },
    /// The class weights are invalid.
    #[error(
        "class_weights must be {expected} numbers of at least 0, not all 0, one for each class, but are {found:?}; \
         \"balanced\" finds them by the training examples"
    )]
    ClassWeights {
        /// Number of classes.
        expected: usize,
        /// Class weights found.
        found: Vec<f64>,
    },
    /// Class weights are given for data without classes.
    #[error("class_weights are for classes, but the data has {found}: set class_weights to null")]
    WeightsWithoutClasses {
        /// Targets of the data instead of classes.
        found: &'static str,
    },
    /// The targets of the examples differ from those of the configuration's data.
    #[error(
        "the examples have other targets than the data of the configuration: both need the same quantities, \
         the same labels, or classes"
    )]
    Targets,
    /// Oscillators need the phase-error cost, and that cost needs oscillators.
    #[error(
        "the model \"oscillators\" and the cost \"phase_error\" go together, but the cost is {cost} and the model {}: set \
         both, or neither", if *are_oscillators { "is \"oscillators\"" } else { "another" }
    )]
    CostOfPhases {
        /// Configured cost.
        cost: String,
        /// Whether the model is an oscillator network.
        are_oscillators: bool,
    },
    /// An oscillator network can learn only classes.
    #[error(
        "the phases of oscillators say which class an example is of, and the data has quantities or several labels to learn: \
         set model to \"hopfield\", cost to \"squared_error\" and the activations to such as \"hard_sigmoid\""
    )]
    TargetsOfPhases,
    /// The cost applies only to classes.
    #[error(
        "cost \"cross_entropy\" is for classes, but the data has quantities to learn: set cost to \
         \"squared_error\""
    )]
    CostOfQuantities,
    /// The output cannot represent quantities.
    #[error(
        "an output with the activation {activation} has no values below 0, which quantities have: they are \
         learned by their deviations from the mean; set output_activation to \"identity\""
    )]
    OutputOfQuantities {
        /// Activation of the output layer.
        activation: String,
    },
    /// The cost allows only one class per example.
    #[error(
        "cost \"cross_entropy\" is a readout of one class for each example (its scores are a softmax, and sum to 1), but \
         the data has several labels at once: set cost to \"squared_error\""
    )]
    CostOfLabels,
    /// The output cannot represent multiple labels.
    #[error(
        "an output with the activation {activation} cannot be 0 or 1 for each label by itself, and the data has several \
         labels at once: set output_activation to \"hard_sigmoid\""
    )]
    OutputOfLabels {
        /// Activation of the output layer.
        activation: String,
    },
    /// A label is not that of a class.
    #[error(
        "the label of example {example} is {label}, but those of {n_classes} classes are 0 to {}",
        n_classes - 1
    )]
    Label {
        /// Index of the example in its split, from 0.
        example: usize,
        /// Its label.
        label: u8,
        /// Number of classes.
        n_classes: usize,
    },
    /// There are no examples to evaluate the network on.
    #[error(
        "the data set has no test example to judge by: add some, or hold out training examples \
         with n_validation"
    )]
    NothingToJudgeBy,
    /// A predictive coding network must start its free phases at their equilibrium.
    #[error(
        "start \"{start}\" is of no use to model \"predictive_coding\", whose free phases start at \
         their equilibrium; set start to \"rest\""
    )]
    AwayFromEquilibrium {
        /// Configured start.
        start: String,
    },
    /// Error descent needs the prediction errors of a predictive coding network.
    #[error(
        "dynamics \"error_descent\" moves the errors of predictions, which only model \"predictive_coding\" has; \
         set dynamics to \"gradient_flow\" or \"asynchronous\", or model to \"predictive_coding\""
    )]
    ErrorDescent,
    /// μPC cannot be combined with a readout outside the state.
    #[error(
        "parametrization \"mu_pc\" needs an output layer, for which it has a factor of its own, but with cost \
         \"cross_entropy\" the last hidden layer is the output; set cost to \"squared_error\", or \
         parametrization to \"standard\""
    )]
    ReadoutOfMuPc,
    /// A cost of a layer that is none before the output.
    #[error(
        "intermediate.layers has {layer}, but {}",
        match (*last, *is_readout) {
            (0, true) => "there is no hidden layer before the output, which with the cost \"cross_entropy\" is the last \
                hidden layer: set intermediate.layers=[]".to_string(),
            (0, false) => "there is no hidden layer: set intermediate.layers=[]".to_string(),
            (last, true) => format!("the hidden layers before the output are 1 to {last}: with the cost \
                \"cross_entropy\" the last hidden layer is the output, and is nudged as it is"),
            (last, false) => format!("the hidden layers are 1 to {last}"),
        }
    )]
    IntermediateLayer {
        /// The layer.
        layer: usize,
        /// The last that there can be.
        last: usize,
        /// Whether the last hidden layer is the output.
        is_readout: bool,
    },
    /// Two costs of a layer.
    #[error(
        "intermediate.layers has layer {layer} twice: name it once, and give it a larger intermediate.weight"
    )]
    IntermediateTwice {
        /// The layer.
        layer: usize,
    },
    /// Costs of layers of oscillators.
    #[error(
        "intermediate.layers have readouts, which layers of oscillators have none of: set intermediate.layers=[], or model to \
         \"hopfield\" with its costs and activations"
    )]
    IntermediatePhases,
    /// Costs of hidden layers without classes.
    #[error(
        "intermediate.layers are judged by the class of an example, but the data has {found}: set intermediate.layers=[]"
    )]
    IntermediateWithoutClasses {
        /// The kind of targets found instead.
        found: &'static str,
    },
    /// Nesterov momentum needs a momentum greater than 0.
    #[error(
        "nesterov changes a momentum, but momentum is 0: set momentum above 0, or nesterov to false"
    )]
    NesterovWithoutMomentum,
    /// The cost became infinite or not a number.
    #[error(
        "the cost became infinite or not a number in epoch {epoch}: lower learning_rates, which are \
         {learning_rates:?}, to a fifth for instance, or beta, which is {beta}"
    )]
    Diverged {
        /// Epoch, counted from 1.
        epoch: usize,
        /// Learning rates of the layers.
        learning_rates: Vec<f64>,
        /// Nudging factor.
        beta: f64,
    },
    /// A checkpoint cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
