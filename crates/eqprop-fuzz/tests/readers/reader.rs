//! One target: seeds, their changes, and the reader that must survive them.

use std::fs;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bolero::TypeGenerator;
use eqprop_bench::memory::peak_of;
use serde_json::Value;
use tempfile::TempDir;

use crate::edit::Edit;
use crate::mutation::Mutation;
use crate::seed::{self, Files, Seed};

/// The folder of the files: a checkpoint needs this name, and others may have it.
const FOLDER: &str = "checkpoint-000001";

/// No file of a few kilobytes takes longer, even on a busy machine.
const MAX_TIME: Duration = Duration::from_secs(20);

/// A seed and its changes.
#[derive(Debug, Clone, TypeGenerator)]
pub struct Input {
    seed: u16,
    donor: u16,
    /// Index of the file or entry, of several.
    pub part: u8,
    /// Whether to change the unpacked content, and pack it again with correct lengths and checksums,
    /// instead of the packed bytes.
    pub is_inside: bool,
    #[generator(Vec::<Mutation>::produce().with().len(1usize..6))]
    mutations: Vec<Mutation>,
    #[generator(Vec::<Edit>::produce().with().len(1usize..4))]
    edits: Vec<Edit>,
}

impl Input {
    /// Picks the seed to change, and another one.
    pub fn pick<'a>(&self, seeds: &'a [Seed]) -> (&'a Seed, &'a Seed) {
        let [seed, donor] = [self.seed, self.donor].map(|n| &seeds[usize::from(n) % seeds.len()]);
        (seed, donor)
    }

    /// Picks one of `n` parts.
    pub fn part(&self, n: usize) -> usize {
        usize::from(self.part) % n
    }

    /// Changes bytes.
    pub fn mutate(&self, mut bytes: Vec<u8>, donor: &[u8]) -> Vec<u8> {
        for mutation in &self.mutations {
            mutation.apply(&mut bytes, donor);
        }
        bytes
    }

    /// Changes JSON values if the changes are to be inside and the bytes are JSON; otherwise the bytes.
    pub fn edit(&self, bytes: Vec<u8>, donor: &[u8]) -> Vec<u8> {
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(mut document) if self.is_inside => {
                for edit in &self.edits {
                    edit.apply(&mut document);
                }
                document.to_string().into_bytes()
            }
            _ => self.mutate(bytes, donor),
        }
    }
}

/// The most memory that a reader may hold at once: a multiple of the size of its files, and a number of
/// bytes more.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub times: usize,
    pub plus: usize,
}

/// A reader and its inputs.
pub struct Reader<C, R> {
    name: &'static str,
    limit: Limit,
    seeds: Vec<Seed>,
    change: C,
    read: R,
    folder: TempDir,
    started: Instant,
    n_inputs: AtomicUsize,
    n_read: AtomicUsize,
    peak: Mutex<(usize, usize)>,
    _alone: MutexGuard<'static, ()>,
}

/// A panic leaves nothing in it half-changed.
impl<C, R> RefUnwindSafe for Reader<C, R> {}

impl<C, R, E> Reader<C, R>
where
    C: Fn(&Input, &[Seed]) -> Files,
    R: Fn(&Path) -> Result<(), E>,
    E: std::fmt::Debug,
{
    /// Creates a reader of the files in a folder, whose path is passed to `read`. Every seed is read
    /// unchanged, the valid ones without an error.
    pub fn new(name: &'static str, limit: Limit, change: C, read: R) -> Self {
        // Memory is counted for the whole process.
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // Files in memory, if the machine has such a folder.
        let memory = Path::new("/dev/shm");
        let place = memory.is_dir().then(|| memory.to_path_buf());
        let place = place.unwrap_or_else(std::env::temp_dir);
        let mut folder = tempfile::Builder::new();
        folder.prefix("eqprop-fuzz-");
        let reader = Self {
            name,
            limit,
            seeds: seed::all(name),
            change,
            read,
            folder: folder.tempdir_in(place).unwrap(),
            started: Instant::now(),
            n_inputs: AtomicUsize::new(0),
            n_read: AtomicUsize::new(0),
            peak: Mutex::new((0, 0)),
            _alone: alone,
        };
        fs::create_dir(reader.folder.path().join(FOLDER)).unwrap();
        for seed in &reader.seeds {
            // Twice: memory that is allocated once and kept, such as the buffers of a thread, is not
            // the reader's.
            let _ = (reader.read)(&reader.write(&seed.files));
            let result = reader.check_files(&seed.files);
            let is_valid = seed.name.starts_with("valid");
            assert!(!is_valid || result.is_ok(), "{}: {result:?}", seed.name);
        }
        reader
    }

    /// Writes the files of `input` and reads them.
    ///
    /// # Panics
    /// If the reader panics, holds more memory than it may, or takes too long.
    pub fn check(&self, input: &Input) {
        let files = (self.change)(input, &self.seeds);
        let result = self.check_files(&files);
        self.n_inputs.fetch_add(1, Ordering::Relaxed);
        self.n_read
            .fetch_add(usize::from(result.is_ok()), Ordering::Relaxed);
    }

    fn check_files(&self, files: &Files) -> Result<(), E> {
        let folder = self.write(files);
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| peak_of(|| (self.read)(&folder))));
        let (result, peak) = outcome.unwrap_or_else(|panic| {
            self.keep(files);
            resume_unwind(panic)
        });
        let size = files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        let allowed = self.limit.times * size + self.limit.plus;
        if peak > allowed {
            self.keep(files);
            panic!(
                "{peak} bytes held for files of {size} bytes, {allowed} are allowed: {result:?}"
            );
        }
        if start.elapsed() > MAX_TIME {
            self.keep(files);
            panic!("reading took {:?}: {result:?}", start.elapsed());
        }
        let mut highest = self.peak.lock().unwrap_or_else(PoisonError::into_inner);
        *highest = (peak, size).max(*highest);
        result
    }

    /// Replaces the contents of the folder.
    fn write(&self, files: &Files) -> PathBuf {
        let folder = self.folder.path().join(FOLDER);
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap();
            if !files.iter().any(|(kept, _)| name == kept.as_str()) {
                fs::remove_file(path).unwrap();
            }
        }
        for (name, bytes) in files {
            fs::write(folder.join(name), bytes).unwrap();
        }
        folder
    }

    /// Keeps the files of a failure: the last one is the smallest that was found.
    fn keep(&self, files: &Files) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("failure-{}", self.name));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in files {
            fs::write(folder.join(name), bytes).unwrap();
        }
        eprintln!("{}: failure kept in {}", self.name, folder.display());
    }
}

impl<C, R> Drop for Reader<C, R> {
    fn drop(&mut self) {
        let (n, seconds) = (
            *self.n_inputs.get_mut(),
            self.started.elapsed().as_secs_f64(),
        );
        let (peak, size) = *self.peak.get_mut().unwrap_or_else(PoisonError::into_inner);
        eprintln!(
            "{}: {n} inputs, {} of them read, in {seconds:.0} s ({:.0}/s); at most {peak} bytes held, \
             for files of {size} bytes",
            self.name,
            self.n_read.get_mut(),
            n as f64 / seconds
        );
    }
}
