//! How files name and shape the parameters of a network.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{DType, TensorData};

/// Under which the tensors of a list are known here: `parameters.0`, `parameters.1`, ….
pub(super) const LIST: &str = "parameters";

/// Under which a module has them as a list.
pub(super) const SYNAPSES: &str = "synapses";

/// How a file arranges the parameters of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Under the names and in the shapes that [`save_safetensors`](super::save_safetensors)
    /// writes.
    Named,
    /// The `state_dict` of a PyTorch module with a list of `synapses` from layer to layer, as in
    /// the code of Laborieux et al. (2021), <https://arxiv.org/abs/2006.03824>: `P_MLP` and
    /// `P_CNN`.
    ///
    /// Synapse `i` is a `torch.nn.Linear` (weight `[n_out, n_in]`) or a `torch.nn.Conv2d`, and
    /// its bias is that of the layer it leads to; a file without any bias has biases of 0. With
    /// the cross-entropy the last synapse is the readout.
    Synapses,
    /// A list of tensors, as in the code of Scellier et al. (2023),
    /// <https://arxiv.org/abs/2312.15103>: the biases of the free layers, then the weights.
    ///
    /// A dense weight has the shape of the layer below followed by that of the layer above, such as
    /// `[1, 28, 28, 1024]`. A readout is not saved there.
    List,
}

/// A parameter of a module.
#[derive(Debug)]
pub(super) struct Parameter {
    /// Its path without the variants of enums.
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: DType,
}

/// Where a parameter is in a file.
#[derive(Debug)]
pub(super) struct Entry {
    pub tensor: String,
    /// The shape there.
    pub shape: Vec<usize>,
    /// Whether rows and columns are exchanged.
    pub is_transposed: bool,
    /// Whether it is 0 if there is no such tensor.
    pub is_optional: bool,
    is_spread: bool,
}

impl Layout {
    /// The layout of a file with these tensors.
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

    /// Where each of `parameters` is in a file with tensors of these names.
    ///
    /// # Errors
    /// Says in words what the layout has no place for.
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

/// Which part of a network a parameter is.
struct Part {
    /// The connection, or the free layer of the biases, from 0; none for a readout.
    index: Option<usize>,
    is_bias: bool,
}

impl Parameter {
    /// Whether it belongs to a cost, wherever in the module that is.
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

    /// Whether a tensor of this shape holds the parameter: the shape there, or in a list also with
    /// each axis spread over several, as layers of maps are.
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
