//! Checkpoints on disk: whole or refused, and only the newest is kept.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use eqprop_testing::{config, digits, explained, named_parameters, training, with};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::error::CheckpointError;
use eqprop_train::preset::Preset;
use eqprop_train::training::Training;

/// A run of `n_epochs` epochs on 20 digits, with momentum and particles to have every file.
fn run(n_epochs: usize) -> Training {
    let config = with(config(), &[("momentum", "0.5"), ("start", "particles")]);
    let mut training = training(config, &digits(20, 10));
    for _ in 0..n_epochs {
        training
            .run_epoch(|_| ControlFlow::Continue(()))
            .expect("finite");
    }
    training
}

fn folders(run: &Path) -> Vec<String> {
    let entries = fs::read_dir(run).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
    names.sort();
    names
}

/// A saved run of one epoch, and the folder of its checkpoint.
fn saved() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(1)
        .checkpoint()
        .save(folder.path())
        .expect("room on the disk");
    let checkpoint = folder.path().join("checkpoint-000001");
    (folder, checkpoint)
}

fn refused(run: &Path) -> CheckpointError {
    Checkpoint::load_latest(run).expect_err("not what was written")
}

#[test]
fn an_empty_folder_has_no_checkpoint_and_a_missing_one_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(
        Checkpoint::load_latest(folder.path())
            .expect("readable")
            .is_none()
    );
    let missing = folder.path().join("missing");
    let error = refused(&missing);
    assert!(
        matches!(&error, CheckpointError::Read { path, .. } if *path == missing),
        "{error:?}"
    );
}

/// Saves the run after `n_epochs`.
fn save(n_epochs: usize, folder: &Path) {
    let saved = run(n_epochs).checkpoint().save(folder);
    saved.expect("room on the disk");
}

fn latest(folder: &Path) -> Checkpoint {
    let found = Checkpoint::load_latest(folder).expect("whole");
    found.expect("one")
}

#[test]
fn a_new_checkpoint_replaces_older_ones_and_half_written_ones() {
    let (folder, _) = saved();
    let stray = folder.path().join(".writing-killed");
    fs::create_dir(&stray).expect("writable");
    fs::write(stray.join("model.bpk"), "half").expect("writable");
    fs::write(folder.path().join("records.csv"), "kept").expect("writable");

    let loaded = latest(folder.path());
    assert_eq!(loaded.state.records.len(), 1);
    save(2, folder.path());
    assert_eq!(folders(folder.path()), ["checkpoint-000002", "records.csv"]);
    let loaded = latest(folder.path());
    assert_eq!(loaded.state.records.len(), 2);

    // The same epoch again, as after a resume by hand.
    save(2, folder.path());
    assert_eq!(folders(folder.path()), ["checkpoint-000002", "records.csv"]);
}

#[test]
fn what_is_no_checkpoint_is_neither_loaded_nor_removed() {
    let (folder, _) = saved();
    let others = ["checkpoint-", "checkpoint-+00009", "checkpoint-best"];
    for name in others {
        fs::create_dir(folder.path().join(name)).expect("writable");
    }
    fs::write(folder.path().join("checkpoint-000009"), "a file").expect("writable");
    let loaded = latest(folder.path());
    assert_eq!(loaded.state.records.len(), 1);
    save(2, folder.path());
    let [first, second, third] = others;
    let expected = [
        first,
        second,
        "checkpoint-000002",
        "checkpoint-000009",
        third,
    ];
    assert_eq!(folders(folder.path()), expected);
}

#[test]
fn checkpoints_are_told_apart_by_number_and_not_by_name() {
    let (folder, first) = saved();
    let other = tempfile::tempdir().expect("a temporary folder");
    run(2)
        .checkpoint()
        .save(other.path())
        .expect("room on the disk");
    // By name, a million comes before what is one less.
    fs::rename(first, folder.path().join("checkpoint-999999")).expect("writable");
    let second = other.path().join("checkpoint-000002");
    fs::rename(second, folder.path().join("checkpoint-1000000")).expect("writable");
    let loaded = latest(folder.path());
    assert_eq!(loaded.state.records.len(), 2);
}

#[test]
fn there_is_a_whole_checkpoint_at_every_moment_of_saving_an_epoch_again() {
    let (folder, checkpoint) = saved();
    let aside = folder.path().join("checkpoint-0000001");
    let files = folders(&checkpoint);
    let is_whole = |path: &Path| files.iter().all(|name| path.join(name).exists());
    for _ in 0..20 {
        let again = run(0)
            .restore(
                Checkpoint::load_latest(folder.path())
                    .expect("whole")
                    .expect("one"),
            )
            .expect("the same network");
        let is_saved = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_saved.load(Ordering::Relaxed) {
                    // In this order: while one is looked at, the other may take its place.
                    let places = [&checkpoint, &aside, &checkpoint];
                    assert!(places.into_iter().any(|path| is_whole(path)));
                }
            });
            let saved = again.checkpoint().save(folder.path());
            is_saved.store(true, Ordering::Relaxed);
            saved.expect("room on the disk");
        });
        assert_eq!(folders(folder.path()), ["checkpoint-000001"]);
    }
}

#[test]
fn a_checkpoint_that_was_set_aside_for_another_counts_until_that_is_there() {
    let (folder, checkpoint) = saved();
    let aside = folder.path().join("checkpoint-0000001");
    // As if the process was killed in between.
    fs::rename(&checkpoint, &aside).expect("writable");
    let loaded = latest(folder.path());
    let trained = run(0).restore(loaded).expect("the same network");
    trained
        .checkpoint()
        .save(folder.path())
        .expect("room on the disk");
    assert_eq!(folders(folder.path()), ["checkpoint-000001"]);

    // As if it was killed while it removed what it had set aside: that is neither loaded nor in
    // the way.
    fs::create_dir(&aside).expect("writable");
    let loaded = Checkpoint::load_latest(folder.path()).expect("whole");
    assert_eq!(loaded.expect("one").state.records.len(), 1);
    trained
        .checkpoint()
        .save(folder.path())
        .expect("room on the disk");
    assert_eq!(folders(folder.path()), ["checkpoint-000001"]);
}

#[test]
fn the_latest_of_several_checkpoints_is_loaded() {
    let (folder, first) = saved();
    let other = tempfile::tempdir().expect("a temporary folder");
    run(2)
        .checkpoint()
        .save(other.path())
        .expect("room on the disk");
    // As if the process was killed between writing the new one and removing the old one.
    let second = "checkpoint-000002";
    fs::rename(other.path().join(second), folder.path().join(second)).expect("writable");
    assert!(first.exists());
    let loaded = latest(folder.path());
    assert_eq!(loaded.state.records.len(), 2);
}

#[test]
fn a_changed_or_shortened_file_is_damaged() {
    for name in [
        "state.json",
        "model.bpk",
        "optimizer.bpk",
        "scheduler.bpk",
        "particles.bpk",
    ] {
        for shorten in [false, true] {
            let (folder, checkpoint) = saved();
            let file = checkpoint.join(name);
            let mut bytes = fs::read(&file).expect(name);
            let last = bytes.len() - 1;
            if shorten {
                bytes.truncate(last);
            } else {
                bytes[last / 2] ^= 1;
            }
            fs::write(&file, bytes).expect("writable");
            let error = refused(folder.path());
            assert!(
                matches!(&error, CheckpointError::Damaged { path, .. } if *path == file),
                "{error:?}"
            );
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let (folder, checkpoint) = saved();
    let file = checkpoint.join("model.bpk");
    fs::remove_file(&file).expect("writable");
    let error = refused(folder.path());
    assert!(
        matches!(&error, CheckpointError::Read { path, .. } if *path == file),
        "{error:?}"
    );
}

#[test]
fn another_version_and_a_foreign_manifest_are_refused() {
    let (folder, checkpoint) = saved();
    let file = checkpoint.join("manifest.json");
    let text = fs::read_to_string(&file).expect("readable");
    let newer = text.replace("\"version\": 3", "\"version\": 7");
    assert_ne!(newer, text);
    fs::write(&file, newer).expect("writable");
    let error = refused(folder.path());
    assert!(
        matches!(
            error,
            CheckpointError::Version {
                expected: 3,
                found: 7,
                ..
            }
        ),
        "{error:?}"
    );

    fs::write(&file, "not JSON").expect("writable");
    let error = refused(folder.path());
    assert!(
        matches!(&error, CheckpointError::Format { path, .. } if *path == file),
        "{error:?}"
    );
}

#[test]
fn a_checkpoint_of_another_network_is_refused() {
    let checkpoint = run(1).checkpoint();
    let other = training(with(config(), &[("hidden", "[17]")]), &digits(20, 10));
    let error = other.restore(checkpoint).err().expect("another size");
    assert!(matches!(error, CheckpointError::Record { .. }), "{error:?}");
    assert!(
        explained(&error).contains("connections.0"),
        "{}",
        explained(&error)
    );

    let checkpoint = run(1).checkpoint();
    let fewer = run(0).config().clone();
    let other = training(fewer, &digits(19, 10));
    let error = other
        .restore(checkpoint)
        .err()
        .expect("another number of particles");
    assert!(error.to_string().contains("particles.bpk"), "{error}");
}

#[test]
fn a_checkpoint_holds_what_was_learned() {
    let (folder, _) = saved();
    let trained = run(1);
    let fresh = run(0);
    let expected = named_parameters(trained.learner());
    assert_ne!(named_parameters(fresh.learner()), expected);
    let checkpoint = Checkpoint::load_latest(folder.path())
        .expect("whole")
        .expect("one");
    assert_eq!(checkpoint.state.config, *trained.config());
    let restored = fresh.restore(checkpoint).expect("the same network");
    assert_eq!(named_parameters(restored.learner()), expected);
}

#[test]
fn a_run_with_attention_goes_on_as_if_it_had_not_been_stopped() {
    let config = || {
        let shorter = [
            ("free_steps", "6"),
            ("nudged_steps", "3"),
            ("momentum", "0.5"),
        ];
        with(Preset::DigitsAttention.config(), &shorter)
    };
    let dataset = digits(24, 10);
    let epochs = |training: &mut Training, n| eqprop_testing::run(training, n);
    let mut whole = training(config(), &dataset);
    epochs(&mut whole, 2);
    let mut stopped = training(config(), &dataset);
    let fresh = named_parameters(stopped.learner());
    epochs(&mut stopped, 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    stopped
        .checkpoint()
        .save(folder.path())
        .expect("room on the disk");
    let mut resumed = training(config(), &dataset)
        .restore(latest(folder.path()))
        .expect("the same network");
    epochs(&mut resumed, 1);
    let found = named_parameters(resumed.learner());
    assert_eq!(found, named_parameters(whole.learner()));
    // Queries and keys among them have learned.
    for ((name, before), (_, after)) in fresh.iter().zip(&found) {
        assert_ne!(before, after, "{name}");
    }
}

#[test]
fn another_number_of_epochs_is_a_longer_run_unless_the_learning_rates_follow_a_cosine() {
    let dataset = digits(20, 10);
    let of = |schedule: &str| with(config(), &[("schedule", schedule)]);
    let checkpoint = |schedule| {
        let mut training = training(of(schedule), &dataset);
        let epoch = training.run_epoch(|_| ControlFlow::Continue(()));
        epoch.expect("finite");
        training.checkpoint()
    };
    let epochs = config().epochs;
    let n_more = (epochs + 3).to_string();
    let longer = |schedule: &str| with(of(schedule), &[("epochs", &n_more)]);
    let exponential = checkpoint("exponential");
    exponential
        .check_continues(&of("exponential"))
        .expect("the same");
    exponential
        .check_continues(&longer("exponential"))
        .expect("longer");
    let error = exponential.check_continues(&with(of("exponential"), &[("momentum", "0.25")]));
    let Err(CheckpointError::OtherConfig { fields }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(fields, ["momentum"]);

    let cosine = checkpoint("cosine");
    cosine.check_continues(&of("cosine")).expect("the same");
    let error = cosine
        .check_continues(&longer("cosine"))
        .expect_err("another course");
    assert!(
        matches!(error, CheckpointError::ScheduleIsFixed { .. }),
        "{error:?}"
    );
    // Nothing was trained by the old course yet.
    let unbegun = training(of("cosine"), &dataset).checkpoint();
    unbegun
        .check_continues(&longer("cosine"))
        .expect("not begun");
}

#[test]
fn an_epoch_that_was_begun_cannot_be_left_out() {
    let mut training = run(1);
    let paused = training.run_epoch(|_| ControlFlow::Break(()));
    assert_eq!(paused.expect("finite"), None);
    let checkpoint = training.checkpoint();
    let config = training.config().clone();
    checkpoint
        .check_continues(&with(config.clone(), &[("epochs", "2")]))
        .expect("both");
    let error = checkpoint
        .check_continues(&with(config, &[("epochs", "1")]))
        .expect_err("one");
    let is_right = |error: &CheckpointError| {
        matches!(
            error,
            CheckpointError::TooFewEpochs {
                epochs: 1,
                n_begun: 2
            }
        )
    };
    assert!(is_right(&error), "{error:?}");
}

#[test]
fn a_checkpoint_within_an_epoch_replaces_that_of_the_epoch_before_and_gives_way_to_the_next() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut training = run(1);
    let save = |training: &Training, name: &str| {
        let saved = training.checkpoint().save(folder.path());
        saved.expect("room on the disk");
        assert_eq!(folders(folder.path()), [name]);
    };
    save(&training, "checkpoint-000001");
    for name in ["checkpoint-000001-000001", "checkpoint-000001-000002"] {
        let paused = training.run_epoch(|_| ControlFlow::Break(()));
        assert_eq!(paused.expect("finite"), None);
        save(&training, name);
    }
    let latest = latest(folder.path()).state;
    assert_eq!(latest.unfinished.expect("within an epoch").n_updates, 2);
    training
        .run_epoch(|_| ControlFlow::Continue(()))
        .expect("finite");
    save(&training, "checkpoint-000002");
}
