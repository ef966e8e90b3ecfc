//! The user's own data, read from files.

mod array;
mod assemble;
mod cifar;
mod description;
mod element;
mod entry;
mod error;
mod fitting;
mod idx;
mod images;
mod labels;
mod npy;
mod option_error;
mod pairing;
mod part;
mod raw;
mod recognize;
mod safetensors;
mod scaling;
mod split;
mod table;
mod target_error;
mod targets;
mod task;
mod tensors;

use std::path::{Path, PathBuf};

pub use assemble::Reading;
pub use description::{DataFiles, DataFormat, Findings};
pub use error::FilesError;
pub use option_error::FilesOptionError;
pub use scaling::{Scaling, ScalingKind};
pub use target_error::TargetError;
pub use task::Task;

pub(super) use element::Element;

use super::stream::Residence;
use super::{DataError, Dataset};
use raw::RawData;

impl DataFiles {
    /// Reads the files and determines their contents, ignoring any earlier findings.
    ///
    /// # Errors
    /// If something is missing, damaged or unsuitable for learning.
    pub fn look(&self) -> Result<Dataset, DataError> {
        self.read_as_new().map(|reading| reading.dataset)
    }

    /// Like [`look`](Self::look), with notes.
    ///
    /// # Errors
    /// As for [`look`](Self::look).
    pub fn read_as_new(&self) -> Result<Reading, DataError> {
        self.as_new().read(None)
    }

    /// Like [`look`](Self::look), with inputs that stay in the files; see [`Dataset::stream`].
    ///
    /// # Errors
    /// As for [`look`](Self::look), and if single examples cannot be read.
    pub fn look_streaming(&self) -> Result<Dataset, DataError> {
        let reading = self.as_new().read_into(Residence::Files, None);
        reading.map(|reading| reading.dataset)
    }

    fn as_new(&self) -> Self {
        Self {
            found: None,
            ..self.clone()
        }
    }

    /// Reads the files, from `place` if given. Earlier findings are kept: they determine shape, classes and
    /// scaling, whatever the files hold now.
    ///
    /// # Errors
    /// As for [`look`](Self::look), and if the files contradict the earlier findings.
    pub fn read(&self, place: Option<&Path>) -> Result<Reading, DataError> {
        self.read_into(Residence::Memory, place)
    }

    /// Like [`read`](Self::read), with inputs that stay in the files; see [`Dataset::stream`].
    ///
    /// # Errors
    /// As for [`read`](Self::read), and if single examples cannot be read.
    pub fn read_streaming(&self, place: Option<&Path>) -> Result<Reading, DataError> {
        self.read_into(Residence::Files, place)
    }

    pub(super) fn read_into(
        &self,
        residence: Residence,
        place: Option<&Path>,
    ) -> Result<Reading, DataError> {
        self.check()?;
        let path = place.map_or_else(|| PathBuf::from(&self.path), Path::to_path_buf);
        let format = self.format_at(&path)?;
        let raw = self.read_raw(&path, format, residence)?;
        assemble::dataset(self, &path, format, raw)
    }

    /// Reads the inputs of a single file for a network trained on these files: rows of a table, or an array
    /// of inputs. The result is `[n, inputs]`, scaled as in the training.
    ///
    /// # Errors
    /// If the file cannot be read, or has inputs of another shape.
    ///
    /// # Panics
    /// If the files have not been [inspected](Self::look).
    pub fn read_inputs(&self, path: &Path) -> Result<Vec<f32>, DataError> {
        let found = self.found();
        // The format may differ from that of the training: a table may follow pictures.
        let plain = Self {
            format: None,
            found: None,
            ..self.clone()
        };
        let format = plain.format_at(path)?;
        let (inputs, shape) = match format {
            DataFormat::Csv => table::inputs(self, path)?,
            DataFormat::Npy | DataFormat::Npz | DataFormat::Safetensors | DataFormat::Idx => {
                tensors::inputs(self, path, format)?
            }
            DataFormat::Images | DataFormat::Cifar => {
                return Err(FilesError::NoInputs { path: path.into() }.into());
            }
        };
        let n = shape.iter().product::<usize>();
        if n != found.shape.iter().product::<usize>() {
            return Err(FilesError::OtherShape {
                path: path.into(),
                expected: found.shape,
                found: shape,
            }
            .into());
        }
        let mut inputs = inputs;
        if found.format == DataFormat::Images && inputs.iter().any(|&x| x > 1.0) {
            // Images in the training may be their bytes here.
            Scaling::Bytes.apply(&mut inputs, n);
        }
        found.scaling.apply(&mut inputs, n);
        Ok(inputs)
    }

    fn format_at(&self, path: &Path) -> Result<DataFormat, DataError> {
        if !path.exists() {
            return Err(FilesError::NotThere { path: path.into() }.into());
        }
        match (&self.found, self.format) {
            (_, Some(format)) => Ok(format),
            (Some(found), None) => Ok(found.format),
            (None, None) => recognize::format(path),
        }
    }

    fn read_raw(
        &self,
        path: &Path,
        format: DataFormat,
        residence: Residence,
    ) -> Result<RawData, DataError> {
        if let (Some(task), DataFormat::Images | DataFormat::Cifar) = (self.task, format)
            && task != Task::Classification
        {
            let format = format.name();
            return Err(FilesError::Targets(TargetError::NoQuantities {
                path: path.into(),
                format,
                task,
            })
            .into());
        }
        match format {
            DataFormat::Images => images::read(self, path, residence),
            DataFormat::Csv if residence == Residence::Files => Err(DataError::NotStreamed {
                path: path.into(),
                reason: "the lines of a table have no places of their own in the file; write its numbers as an array, \
                         the class in the last column, by `numpy.save`",
            }),
            DataFormat::Csv => table::read(self, path),
            DataFormat::Cifar => cifar::read(path, residence),
            DataFormat::Npy | DataFormat::Npz | DataFormat::Safetensors | DataFormat::Idx => {
                tensors::read(self, path, format, residence)
            }
        }
    }
}

#[cfg(test)]
mod tests;
