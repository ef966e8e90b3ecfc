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

/// The files of CIFAR-100 in its binary version.
pub(super) const CIFAR_100_FILES: [&str; 2] = ["train.bin", "test.bin"];

/// The files of QMNIST, whose labels have eight numbers each.
pub(super) const QMNIST_FILES: [&str; 4] = [
    "qmnist-train-images-idx3-ubyte",
    "qmnist-train-labels-idx2-int",
    "qmnist-test-images-idx3-ubyte",
    "qmnist-test-labels-idx2-int",
];

/// The four files of a split of EMNIST.
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

/// The archive of the binary version, on the page of the data set.
pub(super) const CIFAR_10_URL: &str = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";

/// A data set that is known by its name.
///
/// The names, such as `mnist` and `cifar-10`, are the same in text, on the command line and in
/// configuration files. [`DataSource`](super::DataSource) has data of one's own beside them.
///
/// Digits come with the crate; MNIST, Fashion-MNIST and CIFAR-10 are downloaded where no folder is
/// named; of the others the files have to be there.
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
    /// Kuzushiji-MNIST: ten letters of old Japanese handwriting, in the format and the sizes of MNIST
    /// (arXiv:1812.01718).
    Kmnist,
    /// QMNIST: MNIST made anew with 60,000 test images (arXiv:1905.10498).
    Qmnist,
    /// EMNIST "balanced": 47 classes of digits and letters (arXiv:1702.05373).
    EmnistBalanced,
    /// EMNIST "by class": 62 classes, as many of each as people write.
    #[serde(rename = "emnist-byclass")]
    EmnistByClass,
    /// EMNIST "by merge": 47 classes, of small letters only those that look different.
    #[serde(rename = "emnist-bymerge")]
    EmnistByMerge,
    /// EMNIST digits: 240,000 training and 40,000 test images.
    EmnistDigits,
    /// EMNIST letters: 26 classes, capital and small letters in one.
    EmnistLetters,
    /// EMNIST in the sizes of MNIST.
    EmnistMnist,
    /// CIFAR-100: photographs as of CIFAR-10, of 100 fine classes.
    #[serde(rename = "cifar-100")]
    Cifar100,
}

impl DatasetKind {
    /// Every data set, the smallest first.
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

    /// The names of [`ALL`](Self::ALL).
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

    /// Channels, height and width of an image; the channels of a color image are red, green and
    /// blue.
    pub fn image_shape(self) -> [usize; 3] {
        match self {
            Self::Digits => [1, 8, 8],
            Self::Cifar10 | Self::Cifar100 => [3, 32, 32],
            _ => [1, 28, 28],
        }
    }

    /// Mean and deviation of each channel that [`Examples::normalized`](super::Examples::normalized) takes in a training: the
    /// usual ones of each, and for CIFAR-10 those of Laborieux et al. (2021), whose deviations are three
    /// times the images'.
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

    /// Number of classes; labels run from 0 to one less.
    pub fn n_classes(self) -> usize {
        match self {
            Self::EmnistBalanced | Self::EmnistByMerge => 47,
            Self::EmnistByClass => 62,
            Self::EmnistLetters => 26,
            Self::Cifar100 => 100,
            _ => 10,
        }
    }

    /// Number of inputs: the pixels of an image in all channels.
    pub fn n_inputs(self) -> usize {
        self.image_shape().iter().product()
    }

    /// The most training examples: no batch has more.
    pub(crate) fn most_examples(self) -> usize {
        match self {
            Self::EmnistBalanced => 112_800,
            Self::EmnistByClass | Self::EmnistByMerge => 697_932,
            Self::EmnistDigits => 240_000,
            Self::EmnistLetters => 124_800,
            _ => 60_000,
        }
    }

    /// The most test examples.
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

    /// The label of the first class in the files.
    pub(super) fn first_label(self) -> u8 {
        u8::from(self == Self::EmnistLetters)
    }

    /// Whether its images are published with rows and columns exchanged.
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

    /// Whether it is downloaded where no folder is named.
    pub(super) fn is_downloaded(self) -> bool {
        matches!(self, Self::Mnist | Self::FashionMnist | Self::Cifar10)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The files it is published in.
    pub(super) fn file_names(self) -> &'static [&'static str] {
        match self {
            Self::Digits => &[],
            Self::Cifar10 => &CIFAR_FILES,
            Self::Cifar100 => &CIFAR_100_FILES,
            _ => self.idx_files().map_or(&[], |names| names),
        }
    }

    /// Images and labels of the training split, then of the test split, if these are IDX files.
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
