//! Download of MNIST, Fashion-MNIST and CIFAR-10 through `burn-dataset`, into its cache.
//!
//! Downloading and reading are kept apart. MNIST is fetched by Burn's own [`MnistDataset`], and
//! Fashion-MNIST, which `burn-dataset` does not have, by Burn's downloader into the same layout,
//! `burn-dataset/NAME/{train,test}/`. The files of CIFAR-10 are extracted from the published archive
//! into `burn-dataset/cifar-10/`: `burn-dataset`'s own loader would unpack 60,000 PNG images, and
//! turns on features that nothing else needs. Then the strict readers of this crate read them all.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use burn_dataset::{network::downloader::download_file_as_bytes, vision::MnistDataset};
use flate2::read::GzDecoder;

use crate::{file::write_atomically, panic};

use super::kind::CIFAR_10_URL;
use super::stream::Residence;
use super::{
    DataError, Dataset, DatasetKind, Examples, archive, cifar,
    idx::{self, Split},
};

/// URL given in Fashion-MNIST's own documentation.
const FASHION_MNIST_URL: &str = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";

/// Largest size of an unpacked file of MNIST or Fashion-MNIST: 60,000 images of 28×28 bytes and a header.
const MAX_FILE_BYTES: u64 = 60_000 * 28 * 28 + 16;

/// Loads `kind` from the download cache, after filling it if necessary.
pub(super) fn load(kind: DatasetKind, residence: Residence) -> Result<Dataset, DataError> {
    if !kind.is_downloaded() {
        return Err(DataError::NotDownloaded { kind });
    }
    let cache = dirs::cache_dir()
        .ok_or(DataError::NoCacheDirectory { kind })?
        .join("burn-dataset")
        .join(kind.name());
    match kind {
        DatasetKind::Mnist => fetch_mnist(&cache)?,
        DatasetKind::FashionMnist => fetch_fashion_mnist(&cache)?,
        DatasetKind::Cifar10 => {
            fetch_cifar_10(&cache)?;
            return cifar::load(&cache, cifar::N_RECORDS, residence);
        }
        _ => unreachable!("others are built in, or were refused"),
    }
    read_cache(kind, &cache, residence)
}

/// Reads the splits from the directories `train` and `test` of `cache`.
pub(super) fn read_cache(
    kind: DatasetKind,
    cache: &Path,
    residence: Residence,
) -> Result<Dataset, DataError> {
    let read = |directory: &str, split: Split| -> Result<Examples, DataError> {
        let dir = cache.join(directory);
        let (images, labels) = (dir.join(split.images_name), dir.join(split.labels_name));
        idx::read_split(kind, split, &images, &labels, residence)
    };
    let (train, test) = (read("train", idx::TRAIN)?, read("test", idx::TEST)?);
    Dataset::of(kind, train, test)
}

/// Lets Burn fill its cache. Existing files are not fetched again.
fn fetch_mnist(cache: &Path) -> Result<(), DataError> {
    panic::catch(|| {
        MnistDataset::train();
        MnistDataset::test();
    })
    .map_err(|reason| DataError::Download {
        dataset: DatasetKind::Mnist,
        cache: cache.into(),
        reason,
    })
}

fn fetch_fashion_mnist(cache: &Path) -> Result<(), DataError> {
    for (directory, split) in [("train", idx::TRAIN), ("test", idx::TEST)] {
        let dir = cache.join(directory);
        for name in [split.images_name, split.labels_name] {
            if dir.join(name).exists() {
                continue;
            }
            let url = format!("{FASHION_MNIST_URL}/{name}.gz");
            let failed = |reason| DataError::Download {
                dataset: DatasetKind::FashionMnist,
                cache: cache.into(),
                reason,
            };
            let packed = panic::catch(|| download_file_as_bytes(&url, name)).map_err(failed)?;
            let bytes = unpack(&packed).map_err(|error| {
                failed(format!("{url} did not answer with a gzip file: {error}"))
            })?;
            store(&dir, name, &bytes)?;
        }
    }
    Ok(())
}

fn fetch_cifar_10(cache: &Path) -> Result<(), DataError> {
    if cifar::FILE_NAMES
        .iter()
        .all(|name| cache.join(name).exists())
    {
        return Ok(());
    }
    let failed = |reason| DataError::Download {
        dataset: DatasetKind::Cifar10,
        cache: cache.into(),
        reason,
    };
    let (_, name) = CIFAR_10_URL.rsplit_once('/').expect("an address has one");
    let packed = panic::catch(|| download_file_as_bytes(CIFAR_10_URL, name)).map_err(failed)?;
    let n_bytes = cifar::N_RECORDS * cifar::RECORD_BYTES;
    let files = archive::extract(&packed, &cifar::FILE_NAMES, n_bytes).map_err(|error| {
        failed(format!(
            "{CIFAR_10_URL} did not answer with the published archive: {error}"
        ))
    })?;
    for (name, bytes) in &files {
        store(cache, name, bytes)?;
    }
    Ok(())
}

fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed is kept, so that the reader refuses a file that is too long.
    GzDecoder::new(packed)
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file of the cache atomically, because later runs would take half a file for a download.
pub(super) fn store(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), DataError> {
    let path = dir.join(name);
    let write = || {
        fs::create_dir_all(dir)?;
        write_atomically(&path, bytes)
    };
    write().map_err(|source| DataError::Write {
        path: path.clone(),
        source,
    })
}
