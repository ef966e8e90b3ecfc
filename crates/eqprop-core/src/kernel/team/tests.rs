use core::sync::atomic::AtomicU32;
use std::collections::HashSet;

use super::*;

/// How often each of `n` items reached `work` on `n_threads` threads.
fn counts(n: usize, n_threads: usize) -> Vec<u32> {
    let counts: Vec<AtomicU32> = (0..n).map(|_| AtomicU32::new(0)).collect();
    share((0..n).collect(), n_threads, |index| {
        counts[index].fetch_add(1, Ordering::Relaxed);
    });
    counts.into_iter().map(AtomicU32::into_inner).collect()
}

#[test]
fn each_item_comes_once() {
    for n in [0, 1, 2, 3, 100] {
        for n_threads in [1, 2, 3, 16] {
            assert_eq!(
                counts(n, n_threads),
                vec![1; n],
                "{n} items, {n_threads} threads"
            );
        }
    }
}

#[test]
fn the_work_of_many_callers_at_once_and_one_after_the_other_is_all_done() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..2000 {
                    assert_eq!(counts(7, 3), [1; 7]);
                    if round % 500 == 0 {
                        // Long enough to fall asleep.
                        thread::sleep(3 * AWAKE);
                    }
                }
            });
        }
    });
}

/// Two threads that wait for each other show that there are two.
#[test]
fn items_are_worked_on_at_the_same_time() {
    // Another test may be using the team.
    for _ in 0..1000 {
        let (arrived, threads) = (AtomicU32::new(0), Mutex::new(HashSet::new()));
        share(vec![(), ()], 2, |()| {
            threads.lock().unwrap().insert(thread::current().id());
            arrived.fetch_add(1, Ordering::SeqCst);
            let since = Instant::now();
            while arrived.load(Ordering::SeqCst) < 2 && since.elapsed() < Duration::from_millis(10)
            {
                thread::yield_now();
            }
        });
        if threads.into_inner().unwrap().len() == 2 {
            return;
        }
    }
    panic!("one thread did everything");
}

#[test]
fn work_within_work_is_done() {
    let sum = AtomicU32::new(0);
    share((0..4).collect(), 4, |outer: u32| {
        share((0..4).collect(), 4, |inner: u32| {
            sum.fetch_add(4 * outer + inner, Ordering::Relaxed);
        });
    });
    assert_eq!(sum.into_inner(), (0..16).sum::<u32>());
}

#[test]
fn a_panic_reaches_the_caller_and_the_team_goes_on() {
    for _ in 0..3 {
        let work = || {
            share((0..8).collect(), 2, |index: u32| {
                assert!(index != 3, "the fourth")
            });
        };
        let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("one item panics");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the fourth"));
        assert_eq!(counts(7, 3), [1; 7]);
    }
}

#[test]
fn items_that_nobody_took_are_dropped_once() {
    let item = Arc::new(());
    share(vec![Arc::clone(&item); 9], 3, drop);
    assert_eq!(Arc::strong_count(&item), 1);
}
