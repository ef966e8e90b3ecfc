//! Image folders, with a folder of images for each class.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::super::DataError;
use super::super::inputs::Inputs;
use super::super::stream::{Form, InputStream, Pictures, Residence, decode};
use super::description::DataFiles;
use super::error::FilesError;
use super::labels::{Names, class_name};
use super::part::{Part, natural};
use super::raw::{RawData, RawPart, check_memory, joined};
use super::recognize::{files, folders, is_image};
use super::scaling::Numbers;

/// Number of images decoded at a time.
const CHUNK: usize = 512;

/// Number of color channels.
const COLORS: usize = 3;

/// An image file.
struct ImageFile {
    path: PathBuf,
    class: u32,
}

/// Reads all images in the order of their names, from the folders `train` and `test` if there are any.
pub(super) fn read(
    description: &DataFiles,
    path: &Path,
    residence: Residence,
) -> Result<RawData, DataError> {
    if !path.is_dir() {
        return Err(FilesError::NotAFolder { path: path.into() }.into());
    }
    let mut names = Names::default();
    let mut notes = Vec::new();
    let mut listed = Vec::new();
    for (part, folder) in parts(path)? {
        listed.push((part, list(&folder, &mut names, &mut notes)?));
    }
    let Some(first) = listed.iter().find_map(|(_, files)| files.first()) else {
        return Err(FilesError::NoExamples { path: path.into() }.into());
    };
    let found = description.found.as_ref().map(|found| found.shape);
    let stated = found
        .map(|[_, height, width]| [height, width])
        .or(description.image_size);
    let size = match stated {
        Some(size) => size,
        None => decode(&first.path)?.size(),
    };
    let first = first.path.clone();
    let channels = found
        .map(|[channels, ..]| channels)
        .or(description.channels);
    let form = Form {
        shape: [channels.unwrap_or(COLORS), size[0], size[1]],
        first: stated.is_none().then_some(first),
    };
    if ![1, COLORS].contains(&form.shape[0]) {
        let error = FilesError::OtherShape {
            path: path.into(),
            expected: form.shape,
            found: [COLORS, size[0], size[1]],
        };
        return Err(error.into());
    }
    let part = |inputs: Inputs, files: Vec<ImageFile>| RawPart {
        inputs,
        labels: files.iter().map(|file| file.class).collect(),
        quantities: Vec::new(),
        files: files.into_iter().map(|file| file.path).collect(),
    };
    let mut is_gray = true;
    let mut shape = form.shape;
    let parts = match residence {
        Residence::Memory => {
            let n: usize = listed.iter().map(|(_, files)| files.len()).sum();
            check_memory(path, (n * COLORS * size[0] * size[1]) as f64)?;
            let mut parts = Vec::new();
            for (name, files) in listed {
                let (inputs, part_is_gray) = pixels(&form, &files)?;
                is_gray &= part_is_gray;
                parts.push((name, inputs, files));
            }
            is_gray &= channels.is_none();
            let parts = parts.into_iter().map(|(name, inputs, files)| {
                let inputs = match is_gray {
                    true => gray(&inputs, size[0] * size[1]),
                    false => inputs,
                };
                (name, part(inputs.into(), files))
            });
            parts.collect()
        }
        Residence::Files => {
            let mut parts = Vec::new();
            for (name, files) in listed {
                let paths = files.iter().map(|file| file.path.clone());
                let (pictures, part_is_gray) = Pictures::look(paths, form.clone())?;
                is_gray &= part_is_gray;
                parts.push((name, pictures, files));
            }
            is_gray &= channels.is_none();
            let n_channels = if is_gray { 1 } else { shape[0] };
            let parts = parts.into_iter().map(|(name, pictures, files)| {
                let pictures = pictures.with_channels(n_channels);
                (name, part(InputStream::from(pictures).into(), files))
            });
            parts.collect()
        }
    };
    if is_gray {
        shape[0] = 1;
    }
    let (train, test, n_validation) = joined(path, parts, &mut notes)?;
    Ok(RawData {
        shape,
        names,
        quantities: Vec::new(),
        numbers: Numbers::Pixels,
        columns: Vec::new(),
        train,
        test,
        n_validation,
        notes,
    })
}

/// Returns the parts and their folders: one, or those named after parts that have class folders.
fn parts(path: &Path) -> Result<Vec<(Part, PathBuf)>, DataError> {
    let mut parts = Vec::new();
    for folder in folders(path)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if let Some(part) = Part::of(&name)
            && !folders(&folder)?.is_empty()
        {
            parts.push((part, folder));
        }
    }
    let has_train = parts.iter().any(|(part, _)| *part == Part::Train);
    if !has_train {
        parts = vec![(Part::Train, path.to_path_buf())];
    }
    Ok(parts)
}

/// Lists the images of all classes of a part.
fn list(
    folder: &Path,
    names: &mut Names,
    notes: &mut Vec<String>,
) -> Result<Vec<ImageFile>, DataError> {
    let mut listed = Vec::new();
    for class in folders(folder)? {
        let name = class.file_name().unwrap_or_default().to_string_lossy();
        let number = names.number(folder, &class_name(&name))?;
        if let [inner, ..] = &folders(&class)?[..] {
            notes.push(format!(
                "folders within the folder of a class are left out with all that is in them, such as `{}`",
                inner.display()
            ));
        }
        let (images, others): (Vec<_>, Vec<_>) =
            files(&class)?.into_iter().partition(|path| is_image(path));
        if let Some(other) = others.first() {
            notes.push(format!(
                "{} files that are no PNG or JPEG are left out, such as `{}`",
                others.len(),
                other.display()
            ));
        }
        if images.is_empty() {
            return Err(FilesError::EmptyClass { path: class }.into());
        }
        listed.extend(images.into_iter().map(|path| ImageFile {
            path,
            class: number,
        }));
    }
    // By file name first, so that the first images cover all classes.
    listed.sort_by_cached_key(|file| {
        let name = file.path.file_stem().unwrap_or_default().to_string_lossy();
        (natural(&name), file.class)
    });
    Ok(listed)
}

/// Reads the pixels of all files, and returns whether none has a color.
fn pixels(form: &Form, files: &[ImageFile]) -> Result<(Vec<f32>, bool), DataError> {
    let n_inputs = form.shape.iter().product::<usize>();
    let mut inputs = Vec::with_capacity(files.len() * n_inputs);
    let mut is_gray = true;
    for files in files.chunks(CHUNK) {
        let read = files.par_iter().map(|file| {
            let picture = decode(&file.path)?;
            let pixels = form.pixels(&file.path, &picture)?;
            Ok((pixels, picture.is_gray()))
        });
        // In order, so that of several bad files the same one is always reported.
        let read: Vec<Result<_, FilesError>> = read.collect();
        for image in read {
            let (pixels, image_is_gray) = image?;
            inputs.extend(pixels);
            is_gray &= image_is_gray;
        }
    }
    Ok((inputs, is_gray))
}

/// Keeps one of three equal color channels.
fn gray(inputs: &[f32], n_pixels: usize) -> Vec<f32> {
    let images = inputs.chunks_exact(COLORS * n_pixels);
    images
        .flat_map(|image| &image[..n_pixels])
        .copied()
        .collect()
}
