//! Arguments of `eqprop export` and `eqprop import`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{DeviceArguments, ModelArguments};

/// The weights to export.
#[derive(Debug, Args)]
#[command(after_help = "\
The file holds the tensors `energy.connections.N.weight` ([n_in, n_out]) or `.kernel`
([channels_out, channels_in, height, width]), `energy.biases.N` and, with a readout, `cost.weight`
and `cost.bias`; and the configuration as text, so that `eqprop import` needs nothing else.

Example:
  eqprop export runs/digits digits.safetensors")]
pub struct ExportArguments {
    /// Run folder of `eqprop train`.
    pub run: PathBuf,
    /// File to write; an existing one is replaced.
    pub file: PathBuf,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// The weights to import.
#[derive(Debug, Args)]
#[command(after_help = "\
The new run folder works with evaluate, predict, relax and watch; `eqprop train --resume --run DIR` trains
from these weights on.

Files:
  safetensors of `eqprop export`, with its configuration unless --preset or --dataset is given
  `torch.save` of a module, its state_dict or a checkpoint, with `synapses.N.weight` and `.bias`
    (P_MLP and P_CNN of github.com/Laborieux-Axel/Equilibrium-Propagation)
  `torch.save` of a list: biases of the free layers, then weights
    (github.com/rain-neuromorphics/energy-based-learning)
PyTorch files hold no configuration: --preset and --set have to name the same layers, activations
and cost. The activation 1/(1+exp(-4(x-0.5))) of published code is `sigmoid` here. For clip(x/2, 0, 1)
take `hard_sigmoid` in all layers, with --scale 0.5.

Examples:
  eqprop import digits.safetensors --run runs/copy
  eqprop import checkpoint.tar --preset paper-1h --set 'hidden=[512]' --set hidden_activation=sigmoid \
    --set output_activation=sigmoid")]
pub struct ImportArguments {
    /// File with the weights.
    pub file: PathBuf,
    #[command(flatten)]
    pub model: ModelArguments,
    /// Multiply weights and biases by this factor, except those of a readout.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    pub scale: f64,
    /// Run folder; must be new [default: a new folder in runs/].
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArguments,
}
