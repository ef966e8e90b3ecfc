//! Names and shapes of a network's parameters in files.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{DType, TensorData};

/// Prefix of the names given here to the tensors of a list: `parameters.0`, `parameters.1`, ….
pub(super) const LIST: &str = "parameters";

/// Name of a module's list of synapses.
pub(super) const SYNAPSES: &str = "synapses";

/// Arrangement of the parameters of a network in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Names and shapes that [`save_safetensors`](super::save_safetensors) writes.
    Named,
    /// The `state_dict` of a PyTorch module with a list of `synapses` from layer to layer, as in
    /// the code of Laborieux et al. (2021), <https://arxiv.org/abs/2006.03824>: `P_MLP` and
    /// `P_CNN`.
    ///
    /// Synapse `i` is a `torch.nn.Linear` (weight `[n_out, n_in]`) or a `torch.nn.Conv2d`, and
    /// its bias is that of the layer it leads to; if a file has no biases, they are 0. With
    /// the cross-entropy the last synapse is the readout.
    Synapses,
    /// A list of tensors, as in the code of Scellier et al. (2023),
    /// <https://arxiv.org/abs/2312.15103>: the biases of the free layers, then the weights.
    ///
    /// A dense weight has the shape of the layer below followed by that of the layer above, such as
    /// `[1, 28, 28, 1024]`. Readouts are not saved in this layout.
    List,
}

/// A parameter of a module.
#[derive(Debug)]
pub(super) struct Parameter {
    /// Path without the variants of enums.
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: DType,
}

/// Location of a parameter in a file.
#[derive(Debug)]
pub(super) struct Entry {
    pub tensor: String,
    /// Shape in the file.
    pub shape: Vec<usize>,
    /// Whether rows and columns are exchanged.
    pub is_transposed: bool,
    /// Whether it is 0 if the tensor is missing.
    pub is_optional: bool,
    is_spread: bool,
}

impl Layout {
    /// Detects the layout of a file with these tensors.
    pub(super) fn of(tensors: &BTreeMap<String, TensorData>) -> Self {
        let in_list = |name: &String| {
            let index = name.strip_prefix(LIST).and_then(|n| n.strip_prefix('.'));
            index.is_some_and(|index| index.parse::<usize>().is_ok())
        };
        let synapses = format!("{SYNAPSES}.");
        if tensors.keys().any(|name| name.starts_with(&synapses)) {
            Self::Synapses
        } else if tensors.keys().all(in_list) {
            Self::List
        } else {
            Self::Named
        }
    }

    /// Locates `parameters` in a file with tensors of these names.
    ///
    /// # Errors
    /// Describes the part of the network that the layout cannot represent.
    pub(super) fn entries(
        self,
        parameters: &[Parameter],
        names: &BTreeSet<&str>,
    ) -> Result<Vec<Entry>, String> {
        if self == Self::Named {
            return Ok(parameters.iter().map(Entry::as_it_is).collect());
        }
        let parts: Vec<_> = parameters.iter().map(Parameter::part).collect();
        let of_energy = |part: &&Part| part.index.is_some();
        let of_energy = parts.iter().flatten().filter(of_energy);
        let (biases, weights): (Vec<_>, Vec<_>) = of_energy.partition(|part| part.is_bias);
        let (n_layers, n_weights) = (biases.len(), weights.len());
        if n_weights != n_layers {
            return Err(format!(
                "only connections from each layer to the next, but the network has {n_weights} \
                 connections with weights between {} layers",
                n_layers + 1
            ));
        }
        let has_bias = names.iter().any(|name| name.ends_with(".bias"));
        let entries = parameters.iter().zip(parts).map(|(parameter, part)| {
            let part = part.ok_or_else(|| format!("no place for `{}`", parameter.name))?;
            match self {
                Self::Synapses => Ok(parameter.synapse(part, n_layers, has_bias)),
                _ => parameter.listed(part, n_layers),
            }
        });
        entries.collect()
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named => "file of named parameters",
            Self::Synapses => "PyTorch module of synapses",
            Self::List => "list of biases and weights",
        })
    }
}

/// Part of a network that a parameter belongs to.
struct Part {
    /// Index of the connection, or of the free layer of the biases, from 0; `None` for a readout.
    index: Option<usize>,
    is_bias: bool,
}

impl Parameter {
    /// Returns whether it belongs to a cost, at any depth in the module.
    pub fn is_of_cost(&self) -> bool {
        self.name.split('.').any(|segment| segment == "cost")
    }

    fn part(&self) -> Option<Part> {
        let segments: Vec<_> = self.name.split('.').collect();
        let (index, is_bias) = match segments[..] {
            ["energy", "connections", index, "weight" | "kernel"] => (Some(index), false),
            ["energy", "biases", index] => (Some(index), true),
            ["cost", "weight"] => (None, false),
            ["cost", "bias"] => (None, true),
            _ => return None,
        };
        let index = index.map(str::parse).transpose().ok()?;
        Some(Part { index, is_bias })
    }

    fn synapse(&self, part: Part, n_layers: usize, has_bias: bool) -> Entry {
        let index = part.index.unwrap_or(n_layers);
        let name = if part.is_bias { "bias" } else { "weight" };
        let mut entry = Entry {
            tensor: format!("{SYNAPSES}.{index}.{name}"),
            is_optional: part.is_bias && !has_bias,
            ..Entry::as_it_is(self)
        };
        if entry.shape.len() == 2 {
            entry.shape.reverse();
            entry.is_transposed = true;
        }
        entry
    }

    fn listed(&self, part: Part, n_layers: usize) -> Result<Entry, String> {
        let name = &self.name;
        let readout = || format!("no readout, but the network has `{name}`: use the squared error");
        let index = part.index.ok_or_else(readout)?;
        let index = if part.is_bias {
            index
        } else {
            n_layers + index
        };
        Ok(Entry {
            tensor: format!("{LIST}.{index}"),
            is_spread: true,
            ..Entry::as_it_is(self)
        })
    }
}

impl Entry {
    fn as_it_is(parameter: &Parameter) -> Self {
        Self {
            tensor: parameter.name.clone(),
            shape: parameter.shape.clone(),
            is_transposed: false,
            is_optional: false,
            is_spread: false,
        }
    }

    /// Returns whether a tensor of this shape can hold the parameter: the same shape, or in a list also one
    /// with each axis split into several, as for layers of feature maps.
    pub fn fits(&self, found: &[usize]) -> bool {
        if self.shape == found {
            return true;
        }
        let mut rest = found.iter().copied().peekable();
        let mut expected = self.shape.iter();
        let all = expected.all(|&size| {
            let mut product = 1;
            while product < size
                && let Some(next) = rest.next()
            {
                product *= next;
            }
            product == size
        });
        self.is_spread && all && rest.all(|size| size == 1)
    }
}
