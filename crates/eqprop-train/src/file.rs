//! Files that are either as they were or as they should be, whatever happens in between.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How the name of everything begins that is not yet complete.
pub(crate) const TEMPORARY_PREFIX: &str = ".writing-";

/// Whether a file or folder of this name was not completed: what a killed process leaves behind.
pub fn is_temporary(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(TEMPORARY_PREFIX)
}

/// Removes from `folder` what a killed process left behind. Failing to does no harm.
///
/// Only for who has the folder's [lock](crate::lock): another process may be writing these.
pub fn remove_temporary(folder: &Path) {
    remove_temporary_folders(folder);
    for path in temporary(folder) {
        let _ = fs::remove_file(path);
    }
}

/// As [`remove_temporary`], but leaves files alone.
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

/// Replaces the file at `path` by `bytes`, atomically: written beside it, synced, renamed.
///
/// A symbolic link stays, and the file that it leads to is replaced. A new file has the permissions
/// that the user's umask gives it, one that is replaced keeps its own.
///
/// # Errors
/// If a step fails; the file is then as it was. Also if there is something else than a file, such as a
/// device or a named pipe, or a file that may not be written.
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
        // With the permissions of any new file, which else would be its owner's alone, and with errors that
        // do not name it.
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

/// Where a chain of symbolic links ends, of which the last leads to nothing.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    /// What Linux follows at most: a chain without an end is refused before.
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

/// Refuses a file that may not be written, though its folder would let it be replaced.
fn check_writable(path: &Path, old: &fs::Metadata) -> io::Result<()> {
    // The superuser may write all files; what nobody is to write is protected from them too.
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
            // Only the superuser may; a file that others can write belongs to who wrote it last.
            let _ = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()));
        }
    }
    file.set_permissions(old.permissions())
}

/// What is at a path where no file is.
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

/// `error` with what to do about it.
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
    // Only Unix lets a program open a folder to sync it; elsewhere the rename itself has to do.
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests;
