//! Weights in a backend's own layout.

use core::any::Any;
use std::sync::{Arc, OnceLock};

/// The weights of a connection in a backend's own layout, packed on first use. They belong to a clamped
/// input and serve all relaxations with the same parameters. Their type is private to the backend.
#[derive(Debug, Clone, Default)]
pub struct Packed(Arc<OnceLock<Option<Box<dyn Any + Send + Sync>>>>);

impl Packed {
    /// The weights, which `pack` makes on the first call; `None` if it cannot.
    pub fn get_or_pack<T: Any + Send + Sync>(
        &self,
        pack: impl FnOnce() -> Option<T>,
    ) -> Option<&T> {
        let pack = || Some(Box::new(pack()?) as Box<dyn Any + Send + Sync>);
        self.0.get_or_init(pack).as_ref()?.downcast_ref()
    }
}
