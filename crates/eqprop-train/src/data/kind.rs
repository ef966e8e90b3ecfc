//! Which data set, and where it is found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The environment variable that names the data directory when the caller names none.
pub const DATA_DIR_VARIABLE: &str = "EQPROP_DATA";

/// The four files of a data set, as they are published.
pub(super) const IDX_FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The files, as they are published: five of the training split, then the test split.
pub(super) const CIFAR_FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

/// The archive of the binary version, on the page of the data set.
pub(super) const CIFAR_10_URL: &str = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";

/// Which data set.
///
/// The names `digits`, `mnist`, `fashion-mnist` and `cifar-10` are the same in text, on the command
/// line and in configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetKind {
    /// UCI optical handwritten digits: 1797 images of 8×8 pixels, part of this crate.
    Digits,
    /// MNIST: 60,000 training and 10,000 test images of 28×28 pixels.
    Mnist,
    /// Fashion-MNIST: pictures of clothes, in the format and the sizes of MNIST.
    FashionMnist,
    /// CIFAR-10: 50,000 training and 10,000 test photographs of 32×32 pixels in color.
    #[serde(rename = "cifar-10")]
    Cifar10,
}

impl DatasetKind {
    /// Every data set, the smallest first.
    pub const ALL: [Self; 4] = [Self::Digits, Self::Mnist, Self::FashionMnist, Self::Cifar10];

    /// Channels, height and width of an image; the channels of a color image are red, green and
    /// blue.
    pub fn image_shape(self) -> [usize; 3] {
        match self {
            Self::Digits => [1, 8, 8],
            Self::Mnist | Self::FashionMnist => [1, 28, 28],
            Self::Cifar10 => [3, 32, 32],
        }
    }

    /// Mean and deviation of each channel that [`Examples::normalized`](super::Examples::normalized) takes in a training: the
    /// usual ones of MNIST, Fashion-MNIST and the digits, and for CIFAR-10 those of Laborieux et
    /// al. (2021), whose deviations are three times the images'.
    pub fn normalization(self) -> (&'static [f32], &'static [f32]) {
        match self {
            Self::Digits => (&[0.3053], &[0.3760]),
            Self::Mnist => (&[0.1307], &[0.3081]),
            Self::FashionMnist => (&[0.2860], &[0.3530]),
            Self::Cifar10 => (&[0.4914, 0.4822, 0.4465], &[0.6069, 0.5982, 0.6030]),
        }
    }

    /// Number of classes; labels run from 0 to one less.
    pub fn n_classes(self) -> usize {
        10
    }

    /// Number of inputs: the pixels of an image in all channels.
    pub fn n_inputs(self) -> usize {
        self.image_shape().iter().product()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar-10",
        }
    }

    /// The files it is published in.
    pub(super) fn file_names(self) -> &'static [&'static str] {
        match self {
            Self::Digits => &[],
            Self::Mnist | Self::FashionMnist => &IDX_FILES,
            Self::Cifar10 => &CIFAR_FILES,
        }
    }
}

impl fmt::Display for DatasetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
