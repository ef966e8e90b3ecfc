//! The source of training data: a named data set or the user's own files.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::{Serialize, Serializer};

use super::files::{DataFiles, ScalingKind};
use super::{DataError, DatasetKind, Quantities, TargetKind};

/// A named data set, or the user's own files.
///
/// In configuration files it is a name, such as `"mnist"`, a path, such as `"data/letters"` or
/// `"iris.csv"`, or an object with the fields of [`DataFiles`]. Text that contains a `/`, `\` or `.` is
/// a path; `./mnist` is a folder of that name.
#[derive(Debug, Clone, PartialEq)]
pub enum DataSource {
    /// A data set known by its name.
    BuiltIn(DatasetKind),
    /// The user's own files.
    Files(Box<DataFiles>),
}

impl DataSource {
    /// Returns whether shape and classes are known; those of files are known once they have been
    /// [inspected](DataFiles::look).
    pub fn is_known(&self) -> bool {
        match self {
            Self::BuiltIn(_) => true,
            Self::Files(files) => files.found.is_some(),
        }
    }

    /// Returns channels, height and width of an example; a single row of numbers if it is not an image.
    ///
    /// # Panics
    /// If the source is not [known](Self::is_known); the same holds for the other methods.
    pub fn image_shape(&self) -> [usize; 3] {
        match self {
            Self::BuiltIn(kind) => kind.image_shape(),
            Self::Files(files) => files.found().shape,
        }
    }

    /// Returns whether the inputs are pixels, neither rows of numbers nor individually standardized pixels.
    pub fn has_pixels(&self) -> bool {
        let [channels, height, _] = self.image_shape();
        let found = self.files().and_then(|files| files.found.as_ref());
        let is_standard = found.is_some_and(|found| found.scaling.kind() == ScalingKind::Standard);
        matches!((channels, height), (1 | 3, 2..)) && !is_standard
    }

    /// Returns the mean of all pixels of the training part, in `[0, 1]`, of the user's own images; `None` for a
    /// built-in data set and for other numbers.
    ///
    /// # Panics
    /// If the source is not known.
    pub fn mean_pixel(&self) -> Option<f32> {
        let means = &self.files()?.found().mean;
        let mean = means.iter().sum::<f32>() / means.len().max(1) as f32;
        self.has_pixels().then_some(mean)
    }

    /// Returns whether images are dark on bright rather than bright on dark, by their mean pixel.
    ///
    /// # Panics
    /// If the source is not known.
    pub fn is_bright(&self) -> bool {
        self.mean_pixel().is_some_and(|mean| mean > 0.5)
    }

    /// Returns the number of classes; labels run from 0 to one less. It is 0 for other targets.
    ///
    /// # Panics
    /// If the source is not known.
    pub fn n_classes(&self) -> usize {
        match self {
            Self::BuiltIn(kind) => kind.n_classes(),
            Self::Files(files) => files.found().classes.len(),
        }
    }

    /// Returns the quantities to learn instead of classes.
    ///
    /// # Panics
    /// If the source is not known.
    pub fn quantities(&self) -> Option<&Quantities> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Files(files) => files.found().quantities.as_ref(),
        }
    }

    /// Returns the labels to learn instead of classes, of which an example has none, one or several.
    ///
    /// # Panics
    /// If the source is not known.
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Files(files) => files.found().labels(),
        }
    }

    /// Returns the kind of targets, if they are not classes.
    ///
    /// # Panics
    /// If the source is not known.
    pub fn target_kind(&self) -> Option<TargetKind> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Files(files) => files.found().target_kind(),
        }
    }

    /// Returns the number of outputs of a network: one for each class, quantity or label.
    ///
    /// # Panics
    /// If the source is not known.
    pub fn n_outputs(&self) -> usize {
        match self {
            Self::BuiltIn(kind) => kind.n_classes(),
            Self::Files(files) => files.found().n_outputs(),
        }
    }

    /// Returns the number of inputs.
    ///
    /// # Panics
    /// If the source is not known.
    pub fn n_inputs(&self) -> usize {
        self.image_shape().iter().product()
    }

    /// Returns the mean and standard deviation of each channel that a training normalizes by: those of
    /// [`DatasetKind::normalization`], or of the training part of the files.
    ///
    /// # Panics
    /// If the source is not known.
    pub fn normalization(&self) -> (&[f32], &[f32]) {
        match self {
            Self::BuiltIn(kind) => kind.normalization(),
            Self::Files(files) => (&files.found().mean, &files.found().deviation),
        }
    }

    /// Returns the name of a class in the files, or `None` if only its number is known.
    ///
    /// # Panics
    /// If the source is not known.
    pub fn class_name(&self, class: usize) -> Option<&str> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Files(files) => files.found().classes.get(class).map(String::as_str),
        }
    }

    /// Returns a name suitable for a folder: the name of the data set, or of the file or folder without its
    /// extension.
    pub fn short_name(&self) -> String {
        match self {
            Self::BuiltIn(kind) => kind.name().to_string(),
            Self::Files(files) => {
                let name = Path::new(&files.path).file_stem();
                name.map_or("data".into(), |name| name.to_string_lossy().into_owned())
            }
        }
    }

    /// Returns the files, or `None` for a built-in data set.
    pub fn files(&self) -> Option<&DataFiles> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Files(files) => Some(files),
        }
    }

    /// Returns the largest possible number of training examples.
    pub(crate) fn most_examples(&self) -> usize {
        match self {
            Self::BuiltIn(kind) => kind.most_examples(),
            Self::Files(files) => files.found().n_train,
        }
    }

    /// Returns whether text is a path rather than a name.
    fn is_path(text: &str) -> bool {
        text.contains(['/', '\\', '.'])
    }
}

impl From<DatasetKind> for DataSource {
    fn from(kind: DatasetKind) -> Self {
        Self::BuiltIn(kind)
    }
}

impl From<DataFiles> for DataSource {
    fn from(files: DataFiles) -> Self {
        Self::Files(Box::new(files))
    }
}

impl From<&Self> for DataSource {
    fn from(source: &Self) -> Self {
        source.clone()
    }
}

impl PartialEq<DatasetKind> for DataSource {
    fn eq(&self, kind: &DatasetKind) -> bool {
        matches!(self, Self::BuiltIn(found) if found == kind)
    }
}

/// Parses a name, or else the path of existing data.
impl FromStr for DataSource {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = match text.parse::<DatasetKind>() {
            Ok(kind) => return Ok(kind.into()),
            Err(unknown) => unknown,
        };
        if Path::new(text).exists() {
            Ok(DataFiles::new(text).into())
        } else if Self::is_path(text) {
            Err(DataError::NoSuchPath { path: text.into() })
        } else {
            Err(unknown)
        }
    }
}

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(kind) => kind.fmt(f),
            Self::Files(files) => f.pad(&files.path),
        }
    }
}

impl Serialize for DataSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::BuiltIn(kind) => kind.serialize(serializer),
            Self::Files(files) => files.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for DataSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = DataSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a data set, a path, or an object with a path")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DataSource, E> {
        match text.parse::<DatasetKind>() {
            Ok(kind) => Ok(kind.into()),
            Err(_) if DataSource::is_path(text) => Ok(DataFiles::new(text).into()),
            Err(_) => Err(E::unknown_variant(text, &DatasetKind::NAMES)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<DataSource, A::Error> {
        let files = DataFiles::deserialize(MapAccessDeserializer::new(fields))?;
        if files.path.is_empty() {
            return Err(A::Error::custom("the path of the data is empty"));
        }
        Ok(files.into())
    }
}
