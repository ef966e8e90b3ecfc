use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::write_atomically;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The message with which writing to `path` is refused; nothing may be left behind.
fn refused(path: &Path) -> String {
    let names = || -> Vec<_> {
        let entries = fs::read_dir(path.parent().unwrap()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    let before = names();
    let error = write_atomically(path, b"new").expect_err("refused");
    assert_eq!(names(), before);
    error.to_string()
}

#[test]
fn a_new_file_has_the_permissions_of_any_new_file() {
    let folder = TempDir::new().unwrap();
    let [ours, plain] = ["ours", "plain"].map(|name| folder.path().join(name));
    write_atomically(&ours, b"new").unwrap();
    fs::write(&plain, b"new").unwrap();
    assert_eq!(mode(&ours), mode(&plain));
}

#[test]
fn a_file_that_is_replaced_keeps_its_permissions() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    for permissions in [0o600, 0o640, 0o666, 0o755] {
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(permissions)).unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), permissions);
    }
}

#[test]
fn a_link_stays_and_its_target_is_written() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("inner")).unwrap();
    fs::write(path("inner/target"), "old").unwrap();
    symlink("inner/target", path("link")).unwrap();
    symlink("link", path("second")).unwrap();
    symlink("inner/new", path("dangling")).unwrap();
    symlink(path("dangling"), path("twice")).unwrap();
    for (link, target) in [("second", "inner/target"), ("twice", "inner/new")] {
        write_atomically(&path(link), b"new").unwrap();
        assert!(path(link).is_symlink());
        assert!(!path(target).is_symlink());
        assert_eq!(fs::read(path(target)).unwrap(), b"new");
    }
    assert_eq!(fs::read_dir(path("inner")).unwrap().count(), 2);

    symlink("loop", path("loop")).unwrap();
    refused(&path("loop"));
    symlink("missing/new", path("nowhere")).unwrap();
    assert!(refused(&path("nowhere")).contains("make its folder first"));
}

#[test]
fn what_is_not_a_file_is_refused_and_stays() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let fifo = path("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    symlink(&fifo, path("link")).unwrap();
    let _listener = UnixListener::bind(path("socket")).unwrap();
    symlink("/dev/null", path("null")).unwrap();
    for (name, found) in [
        ("fifo", "a named pipe"),
        ("link", "a named pipe"),
        ("socket", "a socket"),
        ("null", "a device"),
    ] {
        let message = refused(&path(name));
        assert!(
            message.contains(found) && message.contains("name a file"),
            "{message}"
        );
    }
    assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
    let message = refused(folder.path());
    assert!(message.contains("a folder"), "{message}");
    fs::write(path("file"), "old").unwrap();
    let inside = path("file").join("new");
    let error = write_atomically(&inside, b"new").expect_err("in a file");
    assert!(error.to_string().contains("in a folder"), "{error}");
}

#[test]
fn a_file_that_nobody_may_write_is_not_replaced() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let message = refused(&path);
    assert!(message.contains("change its permissions"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn a_folder_that_is_not_there_is_named_as_what_to_make() {
    let folder = TempDir::new().unwrap();
    let error = write_atomically(&folder.path().join("no/file"), b"new").expect_err("no folder");
    assert!(
        error.to_string().contains("make its folder first"),
        "{error}"
    );
}
