//! Measures the time that an estimator spends in each of its phases, from their `tracing` spans.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use burn::tensor::Device;
use tracing::callsite;
use tracing::dispatcher::{self, Dispatch};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, Subscriber};
use tracing::{Event, Metadata};

/// The names of the spans; the id of a span is its position plus one.
const NAMES: [&str; 3] = ["free_phase", "second_phase", "gradient"];

/// Seconds spent in each phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct PhaseSeconds {
    pub free_phase: f64,
    pub second_phase: f64,
    pub gradient: f64,
}

/// Adds up the time in spans named `free_phase`, `second_phase` and `gradient`, whatever else is traced. The
/// clock waits for the device at both ends of a span, so that a phase is charged with exactly the work that
/// it issued.
pub(super) struct PhaseClock {
    dispatch: Dispatch,
    tally: Arc<Mutex<Tally>>,
}

impl PhaseClock {
    /// Creates a clock for work on `device`.
    pub fn new(device: &Device) -> Self {
        let tally = Arc::default();
        let subscriber = PhaseSubscriber {
            device: device.clone(),
            tally: Arc::clone(&tally),
        };
        Self {
            dispatch: Dispatch::new(subscriber),
            tally,
        }
    }

    /// Runs `work`, and returns its result and the seconds spent in the phases that it entered on this
    /// thread.
    ///
    /// The first time that any thread enters a span after a subscriber exists, `tracing` asks that thread's
    /// subscriber whether it wants the span, and caches the answer for all threads. A thread without a
    /// subscriber would answer for this clock. The cache is therefore rebuilt before `work`, and spans that
    /// `work` enters should have been entered before: run it once beforehand.
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> (T, PhaseSeconds) {
        *lock(&self.tally) = Tally::default();
        let result = dispatcher::with_default(&self.dispatch, || {
            callsite::rebuild_interest_cache();
            work()
        });
        let [free_phase, second_phase, gradient] = lock(&self.tally).seconds;
        let seconds = PhaseSeconds {
            free_phase,
            second_phase,
            gradient,
        };
        (result, seconds)
    }
}

#[derive(Default)]
struct Tally {
    entered: [Option<Instant>; NAMES.len()],
    seconds: [f64; NAMES.len()],
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

struct PhaseSubscriber {
    device: Device,
    tally: Arc<Mutex<Tally>>,
}

fn phase(metadata: &Metadata<'_>) -> Option<usize> {
    let position = NAMES.iter().position(|&name| name == metadata.name());
    position.filter(|_| metadata.is_span())
}

fn index(span: &Id) -> usize {
    span.into_u64() as usize - 1
}

impl Subscriber for PhaseSubscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match phase(metadata) {
            Some(_) => Interest::always(),
            None => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        phase(metadata).is_some()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        // Another subscriber may want other spans, which may then be offered here too; their ids are past
        // those of the phases.
        let phase = phase(span.metadata()).unwrap_or(NAMES.len());
        Id::from_u64(1 + phase as u64)
    }

    fn enter(&self, span: &Id) {
        if index(span) < NAMES.len() {
            sync(&self.device);
            lock(&self.tally).entered[index(span)] = Some(Instant::now());
        }
    }

    fn exit(&self, span: &Id) {
        if index(span) < NAMES.len() {
            sync(&self.device);
            let mut tally = lock(&self.tally);
            let entered = tally.entered[index(span)].take();
            let seconds = entered.map_or(0.0, |entered| entered.elapsed().as_secs_f64());
            tally.seconds[index(span)] += seconds;
        }
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {}
}

/// Waits until the device has finished all its work.
pub(super) fn sync(device: &Device) {
    let done = device.sync();
    done.unwrap_or_else(|error| panic!("the device failed: {error}"));
}

#[cfg(test)]
mod tests {
    use std::thread::{scope, sleep};
    use std::time::{Duration, Instant};

    use tracing::debug_span;

    use super::PhaseClock;

    const SHORT: Duration = Duration::from_millis(2);
    const LONG: Duration = Duration::from_millis(20);

    /// Two free phases and a gradient, with other work around and between them.
    fn work() -> u8 {
        debug_span!("estimate").in_scope(|| {
            debug_span!("free_phase").in_scope(|| sleep(LONG));
            sleep(LONG);
            debug_span!("free_phase").in_scope(|| sleep(LONG));
            debug_span!("gradient").in_scope(|| sleep(SHORT));
        });
        7
    }

    #[test]
    fn time_is_added_up_by_phase_even_if_nobody_listened_before() {
        assert_eq!(work(), 7);
        let clock = PhaseClock::new(&burn::tensor::Device::flex());
        // Now there is a subscriber, but this thread does not say so.
        assert_eq!(work(), 7);
        // Twice, so that the first measurement must be forgotten.
        for _ in 0..2 {
            let start = Instant::now();
            let (result, seconds) = clock.time(work);
            let whole = start.elapsed().as_secs_f64();
            assert_eq!(result, 7);
            // A sleep takes at least what was asked for: these bounds hold on a busy machine too.
            assert!(seconds.free_phase >= 2.0 * LONG.as_secs_f64());
            assert!(seconds.gradient >= SHORT.as_secs_f64());
            assert_eq!(seconds.second_phase, 0.0);
            let between = whole - seconds.free_phase - seconds.gradient;
            assert!(between >= LONG.as_secs_f64(), "{seconds:?} of {whole}");
        }
    }

    #[test]
    fn other_threads_are_not_counted() {
        work();
        let clock = PhaseClock::new(&burn::tensor::Device::flex());
        let (_, seconds) = clock.time(|| scope(|scope| scope.spawn(work).join().is_ok()));
        assert_eq!(seconds.free_phase, 0.0);
        assert_eq!(clock.time(|| ()).1.gradient, 0.0);
    }
}
