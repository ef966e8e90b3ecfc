//! Options that say how the user's own files are read.

use anyhow::{Result, bail};
use clap::Args;
use eqprop_train::data::{
    DataError, DataFiles, DataFormat, DataSource, Dataset, ScalingKind, Task,
};

/// The heading under which the help lists these options.
const HEADING: &str = "Data of your own";

/// How the user's own files are read.
#[derive(Debug, Clone, Default, Args)]
pub struct FilesArguments {
    /// Format of the files: images (a folder of PNG or JPEG images for each class), csv, npy, npz,
    /// safetensors, idx or cifar [default: recognized from the files].
    #[arg(long, help_heading = HEADING, value_name = "F")]
    pub format: Option<DataFormat>,
    /// Column with the class, quantity or label to learn, by name or by number from 1; separate several
    /// quantities or labels with commas [default: label, class, target or y, else the last].
    #[arg(long, help_heading = HEADING, value_name = "COLUMN")]
    pub target: Option<String>,
    /// Task to learn: classification, regression of quantities, or labels, where an example has none, one or
    /// several of them (columns of 0 and 1, true and false, or yes and no) [default: regression for several
    /// columns, and for numbers that cannot be classes].
    #[arg(long, help_heading = HEADING, value_name = "T")]
    pub task: Option<Task>,
    /// Height and width, such as 32x32: images are scaled to this size with their aspect ratio kept, and rows
    /// of a table are taken as images of this size [default: the size of the images, which must then all be
    /// equal].
    #[arg(long, help_heading = HEADING, value_name = "HxW", value_parser = size)]
    pub image_size: Option<[usize; 2]>,
    /// Number of channels: 1 for gray images, 3 for color images [default: gray if no image has a color].
    #[arg(long, help_heading = HEADING, value_name = "N")]
    pub channels: Option<usize>,
    /// Scaling of the numbers: none, bytes (/ 255), range (from the smallest to the largest) or standard
    /// (each column by its mean and standard deviation), always measured on the training part [default: bytes
    /// for pixels in bytes, standard for other tables].
    #[arg(long, help_heading = HEADING, value_name = "S")]
    pub scaling: Option<ScalingKind>,
    /// Share of each class that is set aside as the test set where the files have none [default: 0.2].
    #[arg(long, help_heading = HEADING, value_name = "P", allow_negative_numbers = true)]
    pub test_share: Option<f64>,
    /// Seed of the choice of test examples [default: 0].
    #[arg(long, help_heading = HEADING, value_name = "S")]
    pub split_seed: Option<u64>,
}

impl FilesArguments {
    /// Returns the files at `path`, to be read with these options.
    pub fn files(&self, path: &str) -> DataFiles {
        // A run is also opened from other folders.
        let absolute = std::path::absolute(path).ok();
        let absolute = absolute.and_then(|path| path.to_str().map(String::from));
        let new = DataFiles::new(absolute.unwrap_or_else(|| path.to_string()));
        let Self {
            format,
            target,
            task,
            image_size,
            channels,
            scaling,
            test_share,
            split_seed,
        } = self.clone();
        DataFiles {
            format,
            target,
            task,
            image_size,
            channels,
            scaling,
            test_share: test_share.unwrap_or(new.test_share),
            split_seed: split_seed.unwrap_or(new.split_seed),
            ..new
        }
    }

    /// Returns the named data set, read by `look` if it consists of the user's own files.
    ///
    /// # Errors
    /// If they cannot be used, or are not files although an option says how to read files.
    pub fn look(
        &self,
        named: Option<&DataSource>,
        look: impl Fn(&DataFiles) -> Result<Dataset, DataError>,
    ) -> Result<(Option<DataSource>, Option<Dataset>)> {
        match named {
            None => self.check_unused("those of the preset")?,
            Some(DataSource::BuiltIn(kind)) => self.check_unused(&kind.to_string())?,
            Some(DataSource::Files(files)) => {
                let dataset = look(&self.files(&files.path))?;
                return Ok((Some(dataset.kind.clone()), Some(dataset)));
            }
        }
        Ok((named.cloned(), None))
    }

    /// Refuses options for reading files where no files are read.
    ///
    /// # Errors
    /// If such an option is given.
    fn check_unused(&self, data: &str) -> Result<()> {
        let given = [
            ("--format", self.format.is_some()),
            ("--target", self.target.is_some()),
            ("--task", self.task.is_some()),
            ("--image-size", self.image_size.is_some()),
            ("--channels", self.channels.is_some()),
            ("--scaling", self.scaling.is_some()),
            ("--test-share", self.test_share.is_some()),
            ("--split-seed", self.split_seed.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((option, _)) => bail!(
                "{option} says how to read files of your own, but the data are {data}: name a path with \
                 --dataset, or leave {option} out"
            ),
        }
    }
}

/// Parses a size such as `32x32`.
fn size(text: &str) -> std::result::Result<[usize; 2], String> {
    let parts = text.split_once(['x', '×']);
    let sizes = parts.and_then(|(height, width)| Some([height.parse().ok()?, width.parse().ok()?]));
    sizes.ok_or_else(|| "expected height and width, such as 32x32".to_string())
}
