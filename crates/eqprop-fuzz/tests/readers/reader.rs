//! One target: seeds, how they are changed, and the reader that must not mind.

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

/// Where the files are put: a checkpoint has to be called so, and others may be.
const FOLDER: &str = "checkpoint-000001";

/// No file of a few kilobytes takes longer, on a busy machine neither.
const MAX_TIME: Duration = Duration::from_secs(20);

/// What is done to which seed.
#[derive(Debug, Clone, TypeGenerator)]
pub struct Input {
    seed: u16,
    donor: u16,
    /// Which file or entry of several.
    pub part: u8,
    /// Whether to change what is packed, and pack it again with the right lengths and checksums, in
    /// the place of the packed bytes.
    pub is_inside: bool,
    #[generator(Vec::<Mutation>::produce().with().len(1usize..6))]
    mutations: Vec<Mutation>,
    #[generator(Vec::<Edit>::produce().with().len(1usize..4))]
    edits: Vec<Edit>,
}

impl Input {
    /// The seed to change, and another.
    pub fn pick<'a>(&self, seeds: &'a [Seed]) -> (&'a Seed, &'a Seed) {
        let [seed, donor] = [self.seed, self.donor].map(|n| &seeds[usize::from(n) % seeds.len()]);
        (seed, donor)
    }

    /// One of `n` parts.
    pub fn part(&self, n: usize) -> usize {
        usize::from(self.part) % n
    }

    /// Changed bytes.
    pub fn mutate(&self, mut bytes: Vec<u8>, donor: &[u8]) -> Vec<u8> {
        for mutation in &self.mutations {
            mutation.apply(&mut bytes, donor);
        }
        bytes
    }

    /// Changed JSON: values where the changes are to be inside, and if it is JSON; else bytes.
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

/// The most memory that a reader may hold at once: so many times the size of its files and so many
/// bytes more.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub times: usize,
    pub plus: usize,
}

/// A reader and what it is given.
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

/// Nothing in it is left half-changed by a panic.
impl<C, R> RefUnwindSafe for Reader<C, R> {}

impl<C, R, E> Reader<C, R>
where
    C: Fn(&Input, &[Seed]) -> Files,
    R: Fn(&Path) -> Result<(), E>,
    E: std::fmt::Debug,
{
    /// A reader of the files in a folder, which `read` is given the path of. Every seed is read as
    /// it is, the valid ones without an error.
    pub fn new(name: &'static str, limit: Limit, change: C, read: R) -> Self {
        // Memory is counted for the whole process.
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // Files in memory, where there is such a place.
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
            // Twice: what is made once and kept, such as the buffers of a thread, is not the reader's.
            let _ = (reader.read)(&reader.write(&seed.files));
            let result = reader.check_files(&seed.files);
            let is_valid = seed.name.starts_with("valid");
            assert!(!is_valid || result.is_ok(), "{}: {result:?}", seed.name);
        }
        reader
    }

    /// Makes the files of `input` and reads them.
    ///
    /// # Panics
    /// If the reader does, or holds more memory than it may, or does not come to an end soon.
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

    /// Replaces what is in the folder.
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
