//! Atomic file operations: files that are either unchanged or complete, whatever happens.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Prefix of the names of incomplete files and folders.
pub(crate) const TEMPORARY_PREFIX: &str = ".writing-";

/// Returns whether a file or folder of this name is incomplete, left behind by a killed process.
pub fn is_temporary(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(TEMPORARY_PREFIX)
}

/// Removes the incomplete files and folders that a killed process left in `folder`. Errors are ignored.
///
/// Only the holder of the folder's [lock](crate::lock) may call it: another process may be writing these.
pub fn remove_temporary(folder: &Path) {
    remove_temporary_folders(folder);
    for path in temporary(folder) {
        let _ = fs::remove_file(path);
    }
}

/// Like [`remove_temporary`], but leaves files alone.
pub(crate) fn remove_temporary_folders(folder: &Path) {
    for path in temporary(folder).filter(|path| path.is_dir()) {
        let _ = fs::remove_dir_all(path);
    }
}

fn temporary(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let entries = entries.filter(|entry| is_temporary(&entry.file_name()));
    entries.map(|entry| entry.path())
}

/// Replaces the file at `path` by `bytes` atomically: writes beside it, syncs and renames.
///
/// A symbolic link is kept, and the file that it points to is replaced. A new file has the permissions
/// of the user's umask; a replaced file keeps its own.
///
/// # Errors
/// If a step fails; the file is then unchanged. Also if the path is not that of a file, but of a device or a
/// named pipe for example, or if the file is not writable.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let old = match fs::metadata(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(advised(error)),
    };
    let target = match &old {
        Some(old) if !old.is_file() => {
            let found = kind(old.file_type());
            let message = format!("it is {found}, and only files are replaced: name a file");
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        Some(_) => fs::canonicalize(path),
        None => end_of_links(path),
    };
    let target = target.map_err(advised)?;
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let replace = || {
        if let Some(old) = &old {
            check_writable(&target, old)?;
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY_PREFIX);
        // With the permissions of any new file (by default only its owner's), and with errors that do not
        // name it.
        let mut file = builder.make_in(folder, |path| File::create_new(path))?;
        file.as_file_mut().write_all(bytes)?;
        if let Some(old) = &old {
            keep_owner_and_mode(file.as_file(), old)?;
        }
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|error| error.error)?;
        sync_folder(folder)
    };
    replace().map_err(advised)
}

/// Returns the end of a chain of symbolic links, the last of which points to nothing.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    /// Limit of Linux; an infinite chain has been refused before.
    const MOST_LINKS: usize = 40;

    let mut end = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&end) {
            // An absolute target replaces the whole path.
            Ok(target) => end = end.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(end),
        }
    }
    Ok(end)
}

/// Refuses a write-protected file, even if its folder would allow replacing it.
fn check_writable(path: &Path, old: &fs::Metadata) -> io::Result<()> {
    // The superuser may write all files; a file that nobody may write is protected from them too.
    let is_protected = old.permissions().readonly();
    if is_protected || OpenOptions::new().append(true).open(path).is_err() {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "the file that is there may not be written",
        ));
    }
    Ok(())
}

/// Gives `file` the permissions of the file that it will replace, and its owner if that is allowed.
fn keep_owner_and_mode(file: &File, old: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            // Only the superuser may; a file that others can write belongs to its last writer.
            let _ = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()));
        }
    }
    file.set_permissions(old.permissions())
}

/// Returns a description of a path that is not a file.
fn kind(found: fs::FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if found.is_fifo() {
            return "a named pipe";
        }
        if found.is_socket() {
            return "a socket";
        }
        if found.is_char_device() || found.is_block_device() {
            return "a device";
        }
    }
    if found.is_dir() {
        "a folder"
    } else {
        "not a file"
    }
}

/// Adds advice to `error`.
fn advised(error: io::Error) -> io::Error {
    let advice = match error.kind() {
        ErrorKind::NotFound => "make its folder first",
        ErrorKind::NotADirectory => "name a file in a folder",
        ErrorKind::PermissionDenied => "change its permissions, or name another place",
        ErrorKind::ReadOnlyFilesystem => "name another place",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room, or name another place"
        }
        ErrorKind::InvalidFilename => "choose a shorter name",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{error}; {advice}"))
}

/// Makes a rename within `folder` survive a power failure.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Only Unix can open a folder to sync it; elsewhere the rename itself must suffice.
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests;
