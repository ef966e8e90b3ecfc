//! Named data sets: their files, shapes and classes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Environment variable with the data directory to use if the caller gives none.
pub const DATA_DIR_VARIABLE: &str = "EQPROP_DATA";

/// Published names of the four files of a data set.
pub(super) const IDX_FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Published names of the files of CIFAR-10: five of the training split, then the test split.
pub(super) const CIFAR_FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

/// Files of CIFAR-100 in its binary version.
pub(super) const CIFAR_100_FILES: [&str; 2] = ["train.bin", "test.bin"];

/// Files of QMNIST, whose labels have eight numbers each.
pub(super) const QMNIST_FILES: [&str; 4] = [
    "qmnist-train-images-idx3-ubyte",
    "qmnist-train-labels-idx2-int",
    "qmnist-test-images-idx3-ubyte",
    "qmnist-test-labels-idx2-int",
];

/// Names of the four files of a split of EMNIST.
macro_rules! emnist_files {
    ($split:literal) => {
        [
            concat!("emnist-", $split, "-train-images-idx3-ubyte"),
            concat!("emnist-", $split, "-train-labels-idx1-ubyte"),
            concat!("emnist-", $split, "-test-images-idx3-ubyte"),
            concat!("emnist-", $split, "-test-labels-idx1-ubyte"),
        ]
    };
}

const EMNIST_BALANCED_FILES: [&str; 4] = emnist_files!("balanced");
const EMNIST_BY_CLASS_FILES: [&str; 4] = emnist_files!("byclass");
const EMNIST_BY_MERGE_FILES: [&str; 4] = emnist_files!("bymerge");
const EMNIST_DIGITS_FILES: [&str; 4] = emnist_files!("digits");
const EMNIST_LETTERS_FILES: [&str; 4] = emnist_files!("letters");
const EMNIST_MNIST_FILES: [&str; 4] = emnist_files!("mnist");

/// URL of the archive of the binary version, from the page of the data set.
pub(super) const CIFAR_10_URL: &str = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";

/// A data set known by its name.
///
/// The names, such as `mnist` and `cifar-10`, are the same in text, on the command line and in
/// configuration files. For the user's own data see [`DataSource`](super::DataSource).
///
/// The digits come with the crate; MNIST, Fashion-MNIST and CIFAR-10 are downloaded if no folder is
/// given; the files of the others must be supplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetKind {
    /// UCI optical handwritten digits: 1797 images of 8×8 pixels, built into this crate.
    Digits,
    /// MNIST: 60,000 training and 10,000 test images of 28×28 pixels.
    Mnist,
    /// Fashion-MNIST: images of clothing, in the format and the sizes of MNIST.
    FashionMnist,
    /// CIFAR-10: 50,000 training and 10,000 test color images of 32×32 pixels.
    #[serde(rename = "cifar-10")]
    Cifar10,
    /// Kuzushiji-MNIST: ten characters of old Japanese handwriting, in the format and the sizes of MNIST
    /// (arXiv:1812.01718).
    Kmnist,
    /// QMNIST: MNIST reconstructed with 60,000 test images (arXiv:1905.10498).
    Qmnist,
    /// EMNIST "balanced": 47 classes of digits and letters (arXiv:1702.05373).
    EmnistBalanced,
    /// EMNIST "by class": 62 classes, in their natural frequencies.
    #[serde(rename = "emnist-byclass")]
    EmnistByClass,
    /// EMNIST "by merge": 47 classes, with lower-case letters only where they look different from capitals.
    #[serde(rename = "emnist-bymerge")]
    EmnistByMerge,
    /// EMNIST digits: 240,000 training and 40,000 test images.
    EmnistDigits,
    /// EMNIST letters: 26 classes that merge capital and lower-case letters.
    EmnistLetters,
    /// EMNIST in the sizes of MNIST.
    EmnistMnist,
    /// CIFAR-100: images like those of CIFAR-10, of 100 fine classes.
    #[serde(rename = "cifar-100")]
    Cifar100,
}

impl DatasetKind {
    /// All data sets, the smallest first.
    pub const ALL: [Self; 13] = [
        Self::Digits,
        Self::Mnist,
        Self::FashionMnist,
        Self::Cifar10,
        Self::Kmnist,
        Self::Qmnist,
        Self::EmnistBalanced,
        Self::EmnistByClass,
        Self::EmnistByMerge,
        Self::EmnistDigits,
        Self::EmnistLetters,
        Self::EmnistMnist,
        Self::Cifar100,
    ];

    /// Names of [`ALL`](Self::ALL).
    pub(crate) const NAMES: [&str; 13] = [
        "digits",
        "mnist",
        "fashion-mnist",
        "cifar-10",
        "kmnist",
        "qmnist",
        "emnist-balanced",
        "emnist-byclass",
        "emnist-bymerge",
        "emnist-digits",
        "emnist-letters",
        "emnist-mnist",
        "cifar-100",
    ];

    /// Returns channels, height and width of an image; the channels of a color image are red, green and
    /// blue.
    pub fn image_shape(self) -> [usize; 3] {
        match self {
            Self::Digits => [1, 8, 8],
            Self::Cifar10 | Self::Cifar100 => [3, 32, 32],
            _ => [1, 28, 28],
        }
    }

    /// Returns the mean and standard deviation of each channel that a training passes to
    /// [`Examples::normalized`](super::Examples::normalized): the usual ones of each data set, and for
    /// CIFAR-10 those of Laborieux et al. (2021), whose deviations are three times those of the images.
    pub fn normalization(self) -> (&'static [f32], &'static [f32]) {
        match self {
            Self::Digits => (&[0.3053], &[0.3760]),
            Self::Mnist | Self::Qmnist => (&[0.1307], &[0.3081]),
            Self::FashionMnist => (&[0.2860], &[0.3530]),
            Self::Cifar10 => (&[0.4914, 0.4822, 0.4465], &[0.6069, 0.5982, 0.6030]),
            Self::Kmnist => (&[0.1918], &[0.3483]),
            Self::EmnistBalanced => (&[0.1751], &[0.3332]),
            Self::EmnistLetters => (&[0.1722], &[0.3309]),
            Self::EmnistByClass | Self::EmnistByMerge | Self::EmnistDigits | Self::EmnistMnist => {
                (&[0.1736], &[0.3317])
            }
            Self::Cifar100 => (&[0.5071, 0.4867, 0.4408], &[0.2675, 0.2565, 0.2761]),
        }
    }

    /// Returns the number of classes; labels run from 0 to one less.
    pub fn n_classes(self) -> usize {
        match self {
            Self::EmnistBalanced | Self::EmnistByMerge => 47,
            Self::EmnistByClass => 62,
            Self::EmnistLetters => 26,
            Self::Cifar100 => 100,
            _ => 10,
        }
    }

    /// Returns the number of inputs: the pixels of an image in all channels.
    pub fn n_inputs(self) -> usize {
        self.image_shape().iter().product()
    }

    /// Returns an upper bound on the number of training examples, which no batch exceeds.
    pub(crate) fn most_examples(self) -> usize {
        match self {
            Self::EmnistBalanced => 112_800,
            Self::EmnistByClass | Self::EmnistByMerge => 697_932,
            Self::EmnistDigits => 240_000,
            Self::EmnistLetters => 124_800,
            _ => 60_000,
        }
    }

    /// Returns an upper bound on the number of test examples.
    pub(super) fn most_test_examples(self) -> usize {
        match self {
            Self::EmnistBalanced => 18_800,
            Self::EmnistByClass | Self::EmnistByMerge => 116_323,
            Self::EmnistDigits => 40_000,
            Self::EmnistLetters => 20_800,
            Self::Qmnist => 60_000,
            _ => 10_000,
        }
    }

    /// Returns the label of the first class in the files.
    pub(super) fn first_label(self) -> u8 {
        u8::from(self == Self::EmnistLetters)
    }

    /// Returns whether its images are published with rows and columns exchanged.
    pub(super) fn is_transposed(self) -> bool {
        matches!(
            self,
            Self::EmnistBalanced
                | Self::EmnistByClass
                | Self::EmnistByMerge
                | Self::EmnistDigits
                | Self::EmnistLetters
                | Self::EmnistMnist
        )
    }

    /// Returns whether it is downloaded if no folder is given.
    pub(super) fn is_downloaded(self) -> bool {
        matches!(self, Self::Mnist | Self::FashionMnist | Self::Cifar10)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Returns the published names of its files.
    pub(super) fn file_names(self) -> &'static [&'static str] {
        match self {
            Self::Digits => &[],
            Self::Cifar10 => &CIFAR_FILES,
            Self::Cifar100 => &CIFAR_100_FILES,
            _ => self.idx_files().map_or(&[], |names| names),
        }
    }

    /// Returns images and labels of the training split, then of the test split, if these are IDX files.
    pub(super) fn idx_files(self) -> Option<&'static [&'static str; 4]> {
        match self {
            Self::Mnist | Self::FashionMnist | Self::Kmnist => Some(&IDX_FILES),
            Self::Qmnist => Some(&QMNIST_FILES),
            Self::EmnistBalanced => Some(&EMNIST_BALANCED_FILES),
            Self::EmnistByClass => Some(&EMNIST_BY_CLASS_FILES),
            Self::EmnistByMerge => Some(&EMNIST_BY_MERGE_FILES),
            Self::EmnistDigits => Some(&EMNIST_DIGITS_FILES),
            Self::EmnistLetters => Some(&EMNIST_LETTERS_FILES),
            Self::EmnistMnist => Some(&EMNIST_MNIST_FILES),
            Self::Digits | Self::Cifar10 | Self::Cifar100 => None,
        }
    }
}

impl fmt::Display for DatasetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
