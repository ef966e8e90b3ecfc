//! Weights as a backend wants them.

use core::any::Any;
use std::sync::{Arc, OnceLock};

/// The weights of a connection as a backend wants them, made when they are first needed. They belong to a
/// clamped input: for all relaxations with the same parameters. What they are is the backend's own.
#[derive(Debug, Clone, Default)]
pub struct Packed(Arc<OnceLock<Option<Box<dyn Any + Send + Sync>>>>);

impl Packed {
    /// The weights, which `pack` makes if they are not there; `None` if it cannot.
    pub fn get_or_pack<T: Any + Send + Sync>(
        &self,
        pack: impl FnOnce() -> Option<T>,
    ) -> Option<&T> {
        let pack = || Some(Box::new(pack()?) as Box<dyn Any + Send + Sync>);
        self.0.get_or_init(pack).as_ref()?.downcast_ref()
    }
}
