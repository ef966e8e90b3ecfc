//! Report folders.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use eqprop_train::file::write_atomically;
use eqprop_train::lock::FolderLock;

/// A folder to which only this process writes a report.
#[derive(Debug)]
pub struct ReportFolder {
    path: PathBuf,
    /// Distinguishes the folder from another one with the same name.
    identity: Option<(u64, u64)>,
    _lock: FolderLock,
}

impl ReportFolder {
    /// Opens the folder at `path`, and creates it if it does not exist. Tests at once whether it can be
    /// written to, so that this does not fail after an hour of work.
    ///
    /// # Errors
    /// If it cannot be written to, or another process writes to it.
    pub fn prepare(path: &Path) -> Result<Self> {
        let writable =
            fs::create_dir_all(path).and_then(|()| tempfile::tempfile_in(path).map(drop));
        writable.with_context(|| {
            format!(
                "cannot write to the report folder `{}`: check its permissions, or name another \
                 with --report",
                path.display()
            )
        })?;
        Self::lock(path)
    }

    /// Creates a new folder: the first free one of `runs/NAME`, `runs/NAME-2`, ….
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn make(name: &str) -> Result<Self> {
        let path = new_folder(name).map_err(|(path, error)| {
            let path = path.display();
            Error::new(error).context(format!(
                "cannot make the report folder `{path}`: name another with --report"
            ))
        })?;
        Self::lock(&path)
    }

    /// Locks the existing folder at `path`.
    ///
    /// # Errors
    /// If another process writes to it.
    pub fn lock(path: &Path) -> Result<Self> {
        Ok(Self {
            path: path.to_path_buf(),
            _lock: FolderLock::acquire(path)?,
            identity: identity(path),
        })
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of the folder atomically.
    ///
    /// # Errors
    /// If it cannot be written, or the folder is no longer the one that was locked; an older file with that
    /// name then remains unchanged.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        // Another process may write to a folder that has replaced this one.
        if self.path.is_dir() && identity(&self.path) != self.identity {
            bail!(
                "cannot write `{}`: the folder was replaced by another one",
                path.display()
            );
        }
        write_atomically(&path, bytes)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(path)
    }
}

/// Creates the first free one of `runs/NAME`, `runs/NAME-2`, ….
///
/// # Errors
/// The folder that cannot be created, and the reason.
pub fn new_folder(name: &str) -> Result<PathBuf, (PathBuf, io::Error)> {
    let runs = Path::new("runs");
    fs::create_dir_all(runs).map_err(|error| (runs.into(), error))?;
    let mut n = 1;
    loop {
        let path = runs.join(match n {
            1 => name.to_string(),
            n => format!("{name}-{n}"),
        });
        // If several processes find the same name free, only one of them creates the folder.
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => n += 1,
            Err(error) => return Err((path, error)),
        }
    }
}

/// Returns the device and inode number of a file or folder, on systems that have them.
fn identity(path: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}
