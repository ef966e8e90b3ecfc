//! How data of one's own are to be read.

use anyhow::{Result, bail};
use clap::Args;
use eqprop_train::data::{
    DataError, DataFiles, DataFormat, DataSource, Dataset, ScalingKind, Task,
};

/// What these options are grouped under.
const HEADING: &str = "Data of your own";

/// How files of one's own are to be read.
#[derive(Debug, Clone, Default, Args)]
pub struct FilesArguments {
    /// What the files are: images (a folder of PNG or JPEG images for each class), csv, npy, npz,
    /// safetensors, idx or cifar [default: what they are recognized as].
    #[arg(long, help_heading = HEADING, value_name = "F")]
    pub format: Option<DataFormat>,
    /// Column with the class, the quantity or the label to learn, by name or by number from 1; several
    /// quantities or labels with commas between [default: label, class, target or y, else the last].
    #[arg(long, help_heading = HEADING, value_name = "COLUMN")]
    pub target: Option<String>,
    /// What is learned: classification, regression of quantities, or labels, of which an example has none,
    /// one or several (columns of 0 and 1, true and false, or yes and no) [default: regression of several
    /// columns, and of numbers that cannot be classes].
    #[arg(long, help_heading = HEADING, value_name = "T")]
    pub task: Option<Task>,
    /// Height and width, such as 32x32: images are scaled to it, with their aspect kept; rows of a table
    /// are images of it [default: that of the images, which are then all of one size].
    #[arg(long, help_heading = HEADING, value_name = "HxW", value_parser = size)]
    pub image_size: Option<[usize; 2]>,
    /// 1 for images in gray, 3 for those in color [default: gray if no image has a color].
    #[arg(long, help_heading = HEADING, value_name = "N")]
    pub channels: Option<usize>,
    /// What is done to the numbers: none, bytes (/ 255), range (from the least to the largest) or
    /// standard (each column by its mean and deviation), all by the training part [default: bytes for
    /// pixels in bytes, standard for other tables].
    #[arg(long, help_heading = HEADING, value_name = "S")]
    pub scaling: Option<ScalingKind>,
    /// The part of each class that is taken for the test where the files have none [default: 0.2].
    #[arg(long, help_heading = HEADING, value_name = "P", allow_negative_numbers = true)]
    pub test_share: Option<f64>,
    /// Seed of what is taken for the test [default: 0].
    #[arg(long, help_heading = HEADING, value_name = "S")]
    pub split_seed: Option<u64>,
}

impl FilesArguments {
    /// The files at `path`, to be read so.
    pub fn files(&self, path: &str) -> DataFiles {
        // A run is looked at from other folders too.
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

    /// The data that are named, read if they are files of one's own, by `look`.
    ///
    /// # Errors
    /// If they cannot be used, or are no files and something is said of how to read them.
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

    /// Refuses what says how to read files where there are none.
    ///
    /// # Errors
    /// If something is said.
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

/// Such as `32x32`.
fn size(text: &str) -> std::result::Result<[usize; 2], String> {
    let parts = text.split_once(['x', '×']);
    let sizes = parts.and_then(|(height, width)| Some([height.parse().ok()?, width.parse().ok()?]));
    sizes.ok_or_else(|| "expected height and width, such as 32x32".to_string())
}
