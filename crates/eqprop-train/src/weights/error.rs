//! Why weights cannot be read or written.

use std::io;
use std::path::{Path, PathBuf};

use burn::store::SafetensorsStoreError;
use burn::store::burn_pack;
use burn::store::pytorch_reader::PytorchError;
use burn::tensor::DType;

use super::layout::Layout;

/// Why weights cannot be read from a file or written to one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says, and what to do.
        #[source]
        source: io::Error,
    },
    /// Not what the safetensors format allows.
    #[error("`{}` is not a whole safetensors file", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What Burn's reader says.
        #[source]
        source: SafetensorsStoreError,
    },
    /// Neither safetensors nor what `torch.save` writes.
    #[error(
        "`{}` is neither a safetensors file nor one that `torch.save` wrote and that can be read",
        path.display()
    )]
    Pytorch {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        #[source]
        source: PytorchError,
    },
    /// A PyTorch file with something else than tensors.
    #[error(
        "`{}` holds {found}, but a dictionary or a list of tensors is needed, such as \
         `model.state_dict()`", path.display()
    )]
    Root {
        /// The file.
        path: PathBuf,
        /// The Python type found.
        found: String,
    },
    /// Contents that take much more memory than the file is long.
    #[error(
        "what `{}` holds takes {needed} bytes, but the file has only {size}: save tensors with numbers \
         of their own, by `tensor.clone()`, and do not compress the file", path.display()
    )]
    Expansion {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// What its contents take.
        needed: u64,
    },
    /// No tensor at all.
    #[error("`{}` holds no tensors", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The numbers of a tensor cannot be read.
    #[error("tensor `{tensor}` of `{}` cannot be read", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// What Burn's reader says.
        #[source]
        source: burn_pack::Error,
    },
    /// Several modules of which each could be meant.
    #[error(
        "`{}` holds several networks, under {}: save the one to read alone", path.display(),
        modules.join(", ")
    )]
    Several {
        /// The file.
        path: PathBuf,
        /// What their names begin with.
        modules: Vec<String>,
    },
    /// The layout has no place for a part of the network.
    #[error("`{}` is a {layout}, which has {reason}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// How it is arranged.
        layout: Layout,
        /// What it has no place for.
        reason: String,
    },
    /// A parameter of the network is not in the file.
    #[error(
        "`{}` has no tensor `{tensor}` of shape {expected:?}, which the network needs; its tensors \
         are: {}", path.display(), known.join(", ")
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The shape that it should have.
        expected: Vec<usize>,
        /// The tensors that there are.
        known: Vec<String>,
    },
    /// A tensor that no parameter of the network takes.
    #[error(
        "tensor `{tensor}` of `{}`, of shape {shape:?}, is no parameter of the network: choose a \
         configuration with the layers of the file", path.display()
    )]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A tensor of another shape.
    #[error(
        "tensor `{tensor}` of `{}` has shape {found:?}, but the network needs {expected:?}: choose \
         a configuration with the layers of the file", path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The shape that the network needs there.
        expected: Vec<usize>,
        /// The shape of the tensor.
        found: Vec<usize>,
    },
    /// A tensor that is not of floats.
    #[error("tensor `{tensor}` of `{}` is of {found:?}, but weights are floats", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The type of its numbers.
        found: DType,
    },
    /// A weight that is infinite or not a number.
    #[error("tensor `{tensor}` of `{}` holds {value}: all weights must be finite", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The first such value.
        value: f64,
    },
    /// A weight that is infinite in the numbers of the network.
    #[error(
        "tensor `{tensor}` of `{}` holds a number too large for {dtype:?}, in which the network \
         computes", path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The type of the network's numbers.
        dtype: DType,
    },
    /// A weight that is infinite when it is scaled.
    #[error(
        "tensor `{tensor}` of `{}`, scaled by {factor:e}, holds numbers too large to compute with: \
         choose a smaller scale", path.display()
    )]
    Overscaled {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// What it was multiplied by.
        factor: f64,
    },
}

/// Errors of a file, from what was found there.
impl WeightsError {
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        |source| Self::Read { path, source }
    }

    pub(super) fn safetensors(path: &Path) -> impl FnOnce(SafetensorsStoreError) -> Self {
        let path = path.to_path_buf();
        |source| Self::Safetensors { path, source }
    }

    pub(super) fn tensor(path: &Path, tensor: &str) -> impl FnOnce(burn_pack::Error) -> Self {
        let (path, tensor) = (path.to_path_buf(), tensor.to_string());
        |source| Self::Tensor {
            path,
            tensor,
            source,
        }
    }
}
