//! Threads that stay awake between closely spaced pieces of work.
//!
//! A training step of a small network divides some ten products of tens of microseconds among threads.
//! Threads that sleep in between take as long to wake as such a product takes; here they look for work for
//! a moment before they sleep. No thread waits for one that wakes too late: the others do its share.

use core::any::Any;
use core::cell::{Cell, UnsafeCell};
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::panic::{catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rayon::prelude::*;

/// How long a thread looks for work before it sleeps: longer than the single-threaded part of a step
/// between two pieces of work.
const AWAKE: Duration = Duration::from_micros(200);
/// How many times it looks for work before it yields its core.
const EAGER: u32 = 200;

/// Passes each item to `work`, on up to `n_threads` threads, like [`share_indices`].
pub fn share<T: Send>(items: Vec<T>, n_threads: usize, work: impl Fn(T) + Sync) {
    if n_threads.min(items.len()) <= 1 || IS_MEMBER.get() {
        return items.into_iter().for_each(work);
    }
    let items: Items<T> = Items(items.into_iter().map(|item| Some(item).into()).collect());
    share_indices(items.0.len(), n_threads, |index| {
        // SAFETY: each index comes once, and to one thread.
        #[allow(unsafe_code)]
        let item = unsafe { (*items.get(index)).take() };
        work(item.expect("each index comes once"));
    });
}

/// Passes each index below `n` to `work`, on up to `n_threads` threads, the caller's among them; on rayon's while
/// another thread uses the team. Allocates nothing once the threads are there.
pub fn share_indices(n: usize, n_threads: usize, work: impl Fn(usize) + Sync) {
    let n_threads = n_threads.min(n);
    if n_threads <= 1 || IS_MEMBER.get() {
        return (0..n).for_each(work);
    }
    let team = TEAM.get_or_init(Team::default);
    let mut members = match team.members.try_lock() {
        Ok(members) => members,
        // A panic elsewhere leaves the members intact.
        Err(TryLockError::Poisoned(members)) => members.into_inner(),
        // Another thread of the program uses the team.
        Err(TryLockError::WouldBlock) => {
            return (0..n).into_par_iter().for_each(&work);
        }
    };
    team.run(&mut members, n, n_threads - 1, &work);
}

/// The items of [`share`], each taken by one thread.
struct Items<T>(Vec<UnsafeCell<Option<T>>>);

// SAFETY: no two threads take the same item.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for Items<T> {}

impl<T> Items<T> {
    fn get(&self, index: usize) -> *mut Option<T> {
        self.0[index].get()
    }
}

thread_local! {
    /// Whether this thread works for a team or leads one: it then does any nested work alone.
    static IS_MEMBER: Cell<bool> = const { Cell::new(false) };
}

static TEAM: OnceLock<Team> = OnceLock::new();

/// Threads that wait for the same work.
#[derive(Default)]
struct Team {
    /// Whoever holds the lock leads the team.
    members: Mutex<Vec<Thread>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Line<AtomicU64>,
    /// The next index to take.
    next: Line<AtomicUsize>,
    work: UnsafeCell<Option<Work>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Members that sleep, or are about to.
    n_asleep: AtomicUsize,
}

/// A value alone in its cache lines, of which processors fetch two at once.
#[derive(Default)]
#[repr(align(128))]
struct Line<T>(T);

/// Indices below `n`, each to be passed to `take` once.
#[derive(Clone, Copy)]
struct Work {
    take: *const (dyn Fn(usize) + Sync),
    n: usize,
}

// SAFETY: `work` is written by the leader alone, while the state is closed and no member is active; members
// read it while they are active. `take` is `Sync`, and outlives them, because the leader waits for them.
#[allow(unsafe_code)]
unsafe impl Sync for Shared {}
#[allow(unsafe_code)]
unsafe impl Send for Shared {}

/// The state of the work, packed: its number, whether members may enter, how many may, and how many are
/// active.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(u64);

impl State {
    const OPEN: u64 = 1 << 31;

    fn new(number: u32, limit: usize) -> Self {
        Self(u64::from(number) << 32 | Self::OPEN | (limit.min(0x7fff) as u64) << 16)
    }

    fn number(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn has_place(self) -> bool {
        self.0 & Self::OPEN != 0 && self.n_active() < self.0 >> 16 & 0x7fff
    }

    fn n_active(self) -> u64 {
        self.0 & 0xffff
    }
}

impl Team {
    /// Runs `take` for each index below `n`, on this thread and up to `limit` members.
    fn run(
        &self,
        members: &mut MutexGuard<'_, Vec<Thread>>,
        n: usize,
        limit: usize,
        take: &(dyn Fn(usize) + Sync),
    ) {
        let shared = &self.shared;
        while members.len() < limit {
            let Some(member) = Shared::hire(shared) else {
                break;
            };
            members.push(member);
        }
        // SAFETY: only the lifetime changes, and the leader waits for the members below.
        #[allow(unsafe_code)]
        let take = unsafe {
            core::mem::transmute::<&(dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(take)
        };
        let work = Work { take, n };
        let number = State(shared.state.0.load(Ordering::Relaxed)).number();
        // SAFETY: the state is closed and no member is active.
        #[allow(unsafe_code)]
        unsafe {
            *shared.work.get() = Some(work);
        }
        shared.next.0.store(0, Ordering::Relaxed);
        let open = State::new(number.wrapping_add(1), limit);
        shared.state.0.store(open.0, Ordering::SeqCst);
        if shared.n_asleep.load(Ordering::SeqCst) > 0 {
            members.iter().take(limit).for_each(Thread::unpark);
        }
        IS_MEMBER.set(true);
        shared.work_through(work);
        IS_MEMBER.set(false);
        shared.state.0.fetch_and(!State::OPEN, Ordering::AcqRel);
        let mut looks = 0u32;
        while State(shared.state.0.load(Ordering::Acquire)).n_active() > 0 {
            look_again(&mut looks);
        }
        let panic = shared
            .panic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Shared {
    /// Starts a new member; `None` if the system has no thread left.
    fn hire(this: &Arc<Self>) -> Option<Thread> {
        let shared = Arc::clone(this);
        let member = thread::Builder::new().name("eqprop".into());
        let member = member.spawn(move || shared.wait_for_work());
        Some(member.ok()?.thread().clone())
    }

    fn wait_for_work(&self) {
        IS_MEMBER.set(true);
        let mut done = None;
        loop {
            let (since, mut looks) = (Instant::now(), 0);
            let state = loop {
                let state = State(self.state.0.load(Ordering::SeqCst));
                if Some(state.number()) != done && state.has_place() {
                    break state;
                }
                look_again(&mut looks);
                if looks.is_multiple_of(EAGER) && since.elapsed() > AWAKE {
                    self.sleep(done);
                }
            };
            let entered = State(state.0 + 1);
            let order = (Ordering::AcqRel, Ordering::Relaxed);
            let entering = self
                .state
                .0
                .compare_exchange(state.0, entered.0, order.0, order.1);
            if entering.is_err() {
                continue;
            }
            done = Some(state.number());
            // SAFETY: while this thread is active, the leader does not write it.
            #[allow(unsafe_code)]
            let work = unsafe { *self.work.get() };
            self.work_through(work.expect("written before the state was opened"));
            self.state.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Sleeps until there may be work.
    fn sleep(&self, done: Option<u32>) {
        self.n_asleep.fetch_add(1, Ordering::SeqCst);
        // Read after `n_asleep` is raised: either the leader wakes this thread, or this thread sees the
        // leader's work.
        let state = State(self.state.0.load(Ordering::SeqCst));
        if Some(state.number()) == done || !state.has_place() {
            thread::park();
        }
        self.n_asleep.fetch_sub(1, Ordering::SeqCst);
    }

    fn work_through(&self, work: Work) {
        // SAFETY: the leader keeps it alive until no member is active.
        #[allow(unsafe_code)]
        let take = unsafe { &*work.take };
        loop {
            let index = self.next.0.fetch_add(1, Ordering::Relaxed);
            if index >= work.n {
                return;
            }
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| take(index))) {
                let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(panic);
            }
        }
    }
}

fn look_again(looks: &mut u32) {
    *looks = looks.wrapping_add(1);
    match looks.is_multiple_of(EAGER) {
        true => thread::yield_now(),
        false => core::hint::spin_loop(),
    }
}

#[cfg(test)]
mod tests;
