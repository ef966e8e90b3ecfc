//! Errors of reading and writing weights.

use std::io;
use std::path::{Path, PathBuf};

use burn::store::SafetensorsStoreError;
use burn::store::burn_pack;
use burn::store::pytorch_reader::PytorchError;
use burn::tensor::DType;

use super::layout::Layout;

/// Error of reading weights from a file or writing them to one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Error of the operating system, and advice.
        #[source]
        source: io::Error,
    },
    /// The file violates the safetensors format.
    #[error("`{}` is not a whole safetensors file", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// Error of Burn's reader.
        #[source]
        source: SafetensorsStoreError,
    },
    /// The file is neither safetensors nor a readable one written by `torch.save`.
    #[error(
        "`{}` is neither a safetensors file nor one that `torch.save` wrote and that can be read",
        path.display()
    )]
    Pytorch {
        /// The file.
        path: PathBuf,
        /// Error of the reader.
        #[source]
        source: PytorchError,
    },
    /// A PyTorch file holds something other than tensors.
    #[error(
        "`{}` holds {found}, but a dictionary or a list of tensors is needed, such as \
         `model.state_dict()`", path.display()
    )]
    Root {
        /// The file.
        path: PathBuf,
        /// Python type found.
        found: String,
    },
    /// The contents take much more memory than the file.
    #[error(
        "what `{}` holds takes {needed} bytes, but the file has only {size}: save tensors with numbers \
         of their own, by `tensor.clone()`, and do not compress the file", path.display()
    )]
    Expansion {
        /// The file.
        path: PathBuf,
        /// Size of the file in bytes.
        size: u64,
        /// Size of the contents in bytes.
        needed: u64,
    },
    /// The file has no tensors.
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
        /// Error of Burn's reader.
        #[source]
        source: burn_pack::Error,
    },
    /// The file holds several modules, each of which could be meant.
    #[error(
        "`{}` holds several networks, under {}: save the one to read alone", path.display(),
        modules.join(", ")
    )]
    Several {
        /// The file.
        path: PathBuf,
        /// Prefixes of their names.
        modules: Vec<String>,
    },
    /// The layout cannot represent a part of the network.
    #[error("`{}` is a {layout}, which has {reason}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// Layout of the file.
        layout: Layout,
        /// Reason.
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
        /// Expected shape.
        expected: Vec<usize>,
        /// Names of the tensors in the file.
        known: Vec<String>,
    },
    /// A tensor matches no parameter of the network.
    #[error(
        "tensor `{tensor}` of `{}`, of shape {shape:?}, is no parameter of the network: choose a \
         configuration with the layers of the file", path.display()
    )]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Shape of the tensor.
        shape: Vec<usize>,
    },
    /// A tensor has another shape than the parameter.
    #[error(
        "tensor `{tensor}` of `{}` has shape {found:?}, but the network needs {expected:?}: choose \
         a configuration with the layers of the file", path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Shape that the network needs.
        expected: Vec<usize>,
        /// Shape of the tensor.
        found: Vec<usize>,
    },
    /// A tensor does not consist of floats.
    #[error("tensor `{tensor}` of `{}` is of {found:?}, but weights are floats", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Type of its numbers.
        found: DType,
    },
    /// A weight that is infinite or not a number.
    #[error("tensor `{tensor}` of `{}` holds {value}: all weights must be finite", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// First such value.
        value: f64,
    },
    /// A weight overflows in the network's number type.
    #[error(
        "tensor `{tensor}` of `{}` holds a number too large for {dtype:?}, in which the network \
         computes", path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Number type of the network.
        dtype: DType,
    },
    /// A weight overflows when it is scaled.
    #[error(
        "tensor `{tensor}` of `{}`, scaled by {factor:e}, holds numbers too large to compute with: \
         choose a smaller scale", path.display()
    )]
    Overscaled {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Scale factor.
        factor: f64,
    },
}

/// Constructors of errors of a file.
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
