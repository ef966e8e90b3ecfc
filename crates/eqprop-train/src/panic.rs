//! Conversion of panics in libraries to errors.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of threads in [`catch`].
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` and turns a panic into its message; `work` may call this again.
///
/// Some libraries have no other way to report that a download failed or that a driver is missing.
/// The default panic hook would print that panic, with a hint about backtraces, before an error
/// explains it; so the hook is silenced meanwhile. The hook belongs to the whole process: a panic
/// in another thread during `work` still unwinds as always, but is not printed.
///
/// # Errors
/// If `work` panics; the error is the message. Values that `work` modified must then no longer be used.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // Replaced only once: restoring a hook could restore one that another thread has left.
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if AT_WORK.load(Ordering::Relaxed) == 0 {
                usual(info);
            }
        }));
    });
    AT_WORK.fetch_add(1, Ordering::Relaxed);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    AT_WORK.fetch_sub(1, Ordering::Relaxed);

    outcome.map_err(|payload| {
        // `panic!` carries a `&str` or a `String`, depending on whether it formats anything.
        let message = payload.downcast_ref::<&str>().map(ToString::to_string);
        let message = message.or_else(|| payload.downcast_ref::<String>().cloned());
        let message = message.unwrap_or_else(|| "it gave no reason".into());
        let unwrapped = "called `Result::unwrap()` on an `Err` value: ";
        message.trim_start_matches(unwrapped).to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::catch;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(catch(|| 7), Ok(7));
        let host = "example.org";
        let unwrap = || "no number".parse::<u8>().map(|_| ()).unwrap();
        assert_eq!(
            catch(|| panic!("no route")),
            Err::<(), _>("no route".into())
        );
        assert_eq!(
            catch(|| panic!("no route to {host}")),
            Err::<(), _>("no route to example.org".into())
        );
        let message = catch(unwrap).expect_err("it is no number");
        assert!(message.starts_with("ParseIntError"), "{message}");
    }
    #[test]
    fn a_catch_within_another_catches_its_own() {
        let inner = || catch(|| panic!("inside"));
        assert_eq!(catch(inner), Ok(Err::<(), _>("inside".into())));
        let outer = || -> () {
            inner().expect_err("it panics");
            panic!("outside")
        };
        assert_eq!(catch(outer), Err("outside".into()));
    }
}
