//! A folder to run the program in, and the files it leaves there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A short training; add `--run`.
pub const QUICK: [&str; 5] = ["train", "--set", "n_train=80", "--epochs", "2"];

/// An empty folder in which the program runs. The program has no access to the user's settings or to the
/// network.
pub struct Place {
    folder: TempDir,
    cache: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            cache: TempDir::new().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the program with `arguments`, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.prepared(env!("CARGO_BIN_EXE_eqprop"));
        command.args(arguments);
        command
    }

    /// Returns a shell command line in which `$0` is the program.
    #[cfg(unix)]
    pub fn shell(&self, line: &str) -> Command {
        let mut command = self.prepared("sh");
        command.args(["-c", line, env!("CARGO_BIN_EXE_eqprop")]);
        command
    }

    fn prepared(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder);
        for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
            // Nothing listens on port 9: a download fails at once.
            command.env(proxy, "http://127.0.0.1:9");
            command.env(proxy.to_uppercase(), "http://127.0.0.1:9");
        }
        for variable in ["no_proxy", "NO_PROXY", "EQPROP_DATA", "RUST_BACKTRACE"] {
            command.env_remove(variable);
        }
        for folder in ["XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"] {
            command.env(folder, self.cache.path());
        }
        command
    }

    /// Starts the program with `arguments`.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs the program with `arguments` to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments))
    }

    /// Runs the program, expects success, and returns its standard output.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        self.run(arguments).succeeded().stdout
    }

    /// Runs the program, expects success, and returns the one JSON value that it printed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let stdout = self.succeed(&[arguments, &["--json"]].concat());
        assert_eq!(stdout.lines().count(), 1, "not one line: {stdout}");
        serde_json::from_str(&stdout).unwrap()
    }

    /// Expects the program to fail with a message that contains each of `expected`, and to leave everything
    /// unchanged.
    #[track_caller]
    pub fn refuse(&self, arguments: &[&str], expected: &[&str]) {
        let before = self.contents();
        self.run(arguments).failed(expected);
        let after = self.contents();
        let names = |contents: &Contents| contents.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after));
        let is_changed = |path: &&PathBuf| before[*path] != after[*path];
        let changed: Vec<_> = before.keys().filter(is_changed).collect();
        assert!(changed.is_empty(), "changed: {changed:?}");
    }

    /// Copies a folder that comes with the tests.
    pub fn copy(&self, from: &Path, to: &str) {
        let mut files = Contents::new();
        collect(from, &mut files);
        fs::create_dir_all(self.path(to)).unwrap();
        for (path, bytes) in &files {
            let target = self.path(to).join(path.strip_prefix(from).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            match bytes {
                None => fs::create_dir_all(&target).unwrap(),
                Some(bytes) => fs::write(&target, bytes).unwrap(),
            }
        }
    }

    /// Returns everything in the folder.
    pub fn contents(&self) -> Contents {
        let mut contents = Contents::new();
        collect(self.folder.path(), &mut contents);
        contents
    }
}

/// Files by path; folders hold `None`.
pub type Contents = BTreeMap<PathBuf, Option<Vec<u8>>>;

fn collect(folder: &Path, contents: &mut Contents) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, contents);
            contents.insert(path, None);
        } else {
            let bytes = fs::read(&path).unwrap();
            contents.insert(path, Some(bytes));
        }
    }
}

/// Sends a signal such as `-INT` to a started program, which may already have ended.
#[cfg(unix)]
pub fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let mut kill = Command::new("kill");
    kill.args([name, &id]).stderr(Stdio::null());
    kill.status().unwrap();
}

/// The outcome of a command.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn of(mut command: Command) -> Self {
        Self::read(command.stdin(Stdio::null()).output().unwrap())
    }

    /// Waits until a started program has ended.
    pub fn end(child: Child) -> Self {
        Self::read(child.wait_with_output().unwrap())
    }

    fn read(output: Output) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = output;
        let outcome = Self {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        };
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!said.contains("panicked"), "{outcome:#?}");
        assert!(!said.contains("RUST_BACKTRACE"), "{outcome:#?}");
        // The name of what is not complete means nothing to a user.
        assert!(!said.contains(".writing-"), "{outcome:#?}");
        outcome
    }

    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Expects a single error message that contains each of `expected`.
    #[track_caller]
    pub fn failed(self, expected: &[&str]) -> Self {
        // Rust's own exit code after a panic is 101; `None` is a signal.
        assert!(matches!(self.code, Some(1 | 2)), "{self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
        let is_error = |line: &&str| line.starts_with("error:");
        let n_errors = self.stderr.lines().filter(is_error).count();
        assert_eq!(n_errors, 1, "{self:#?}");
        for part in expected {
            assert!(self.stderr.contains(part), "{part:?} is missing: {self:#?}");
        }
        self
    }
}
