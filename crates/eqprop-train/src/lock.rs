//! Lock that gives a folder a single writer.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Name of the lock file.
const LOCK: &str = ".lock";

/// Exclusive right to write into a folder, until it is dropped or the process ends in any way.
///
/// The operating system keeps the lock on a file `.lock` in the folder and releases it with the process: the
/// file of a dead process does not block. Readers need no lock, because every file is complete or absent.
#[derive(Debug)]
pub struct FolderLock {
    // Closing the file releases the lock.
    _file: Option<File>,
}

/// Error of locking a folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process holds the lock.
    #[error(
        "`{}` is being written by another eqprop process: wait for it, stop it, or name another folder",
        path.display()
    )]
    Held {
        /// The folder.
        path: PathBuf,
    },
    /// The lock file cannot be created.
    #[error("cannot lock `{}`: check that it is a folder that you may write to", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
}

impl FolderLock {
    /// Locks an existing folder without waiting.
    ///
    /// # Errors
    /// If another process holds the lock, or the folder cannot be written to.
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let path = folder.to_path_buf();
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = match options.open(folder.join(LOCK)) {
            Ok(file) => file,
            Err(source) => return Err(LockError::Io { path, source }),
        };
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { path }),
            // Some network file systems do not support locks: continue without one there.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Self { _file: None })
            }
            Err(TryLockError::Error(source)) => Err(LockError::Io { path, source }),
        }
    }
}

/// Returns whether this is the name of a lock file.
pub fn is_lock(name: &std::ffi::OsStr) -> bool {
    name == LOCK
}

#[cfg(test)]
mod tests {
    use super::{FolderLock, LockError};

    #[test]
    fn a_folder_has_one_writer_until_that_lets_go() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = FolderLock::acquire(folder.path()).expect("free");
        let second = FolderLock::acquire(folder.path());
        assert!(matches!(second, Err(LockError::Held { .. })), "{second:?}");
        drop(first);
        FolderLock::acquire(folder.path()).expect("free again, though its file is there");
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_locked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = FolderLock::acquire(&folder.path().join("missing")).expect_err("missing");
        assert!(matches!(error, LockError::Io { .. }), "{error:?}");
    }
}
