//! Images in one file each.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::super::DataError;
use super::super::files::FilesError;
use super::super::picture::{ImageError, Picture};

/// Largest file that is read, in bytes: no supported image needs more.
pub(crate) const MOST_BYTES: u64 = 1 << 28;

/// Number of files inspected at a time.
const CHUNK: usize = 512;

/// Input format of images.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Form {
    /// Channels, height and width.
    pub shape: [usize; 3],
    /// An image whose size all others must have, if any.
    pub first: Option<PathBuf>,
}

impl Form {
    /// Refuses an image of another size than required.
    fn check(&self, path: &Path, picture: &Picture) -> Result<(), FilesError> {
        let [_, height, width] = self.shape;
        match &self.first {
            Some(first) if picture.size() != [height, width] => Err(FilesError::MixedSizes {
                first: first.clone(),
                first_size: [height, width],
                other: path.into(),
                other_size: picture.size(),
            }),
            _ => Ok(()),
        }
    }

    /// Returns the pixels of an image.
    pub fn pixels(&self, path: &Path, picture: &Picture) -> Result<Vec<f32>, FilesError> {
        self.check(path, picture)?;
        Ok(picture.pixels(self.shape, false).values)
    }
}

/// Decodes an image file.
pub(crate) fn decode(path: &Path) -> Result<Picture, FilesError> {
    decode_bytes(path, &bytes(path)?)
}

fn bytes(path: &Path) -> Result<Vec<u8>, FilesError> {
    let read_error = |source| FilesError::Read {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(read_error)?;
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(read_error)?;
    Ok(bytes)
}

fn decode_bytes(path: &Path, bytes: &[u8]) -> Result<Picture, FilesError> {
    let picture = match bytes.len() as u64 {
        n if n > MOST_BYTES => Err(ImageError::TooLong),
        _ => Picture::decode(bytes),
    };
    picture.map_err(|source| FilesError::Image {
        path: path.into(),
        source,
    })
}

/// Images in files.
#[derive(Debug, PartialEq)]
pub(crate) struct Pictures {
    files: Vec<PictureFile>,
    form: Form,
}

/// An image file.
#[derive(Debug, PartialEq)]
struct PictureFile {
    path: Box<Path>,
    /// CRC-32 of its bytes when it was inspected.
    checksum: u32,
}

impl Pictures {
    /// Inspects all `files`, which become images of `form`. Also returns whether none has a color.
    pub fn look(
        files: impl ExactSizeIterator<Item = PathBuf>,
        form: Form,
    ) -> Result<(Self, bool), DataError> {
        let mut is_gray = true;
        let mut seen = Vec::with_capacity(files.len());
        let files: Vec<Box<Path>> = files.map(PathBuf::into_boxed_path).collect();
        let mut files = files.into_iter();
        loop {
            let chunk: Vec<_> = files.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let looked = chunk.into_par_iter().map(|path| {
                let bytes = bytes(&path)?;
                let picture = decode_bytes(&path, &bytes)?;
                form.check(&path, &picture)?;
                let checksum = crc32fast::hash(&bytes);
                Ok((PictureFile { path, checksum }, picture.is_gray()))
            });
            // In order, so that of several bad files the same one is always reported.
            let looked: Vec<Result<_, FilesError>> = looked.collect();
            for found in looked {
                let (file, file_is_gray) = found?;
                seen.push(file);
                is_gray &= file_is_gray;
            }
        }
        Ok((Self { files: seen, form }, is_gray))
    }

    /// Returns the same images with this number of channels.
    pub fn with_channels(mut self, channels: usize) -> Self {
        self.form.shape[0] = channels;
        self
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn n_numbers(&self) -> usize {
        self.form.shape.iter().product()
    }

    /// Appends the pixels of a range of images.
    pub fn read(&self, rows: Range<usize>, inputs: &mut Vec<f32>) -> Result<(), DataError> {
        for PictureFile { path, checksum } in &self.files[rows] {
            let bytes = bytes(path)?;
            if crc32fast::hash(&bytes) != *checksum {
                return Err(DataError::Changed {
                    path: path.to_path_buf(),
                });
            }
            inputs.extend(self.form.pixels(path, &decode_bytes(path, &bytes)?)?);
        }
        Ok(())
    }
}
