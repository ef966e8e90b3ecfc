//! The free state of the previous batch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Device;
use eqprop_core::energy::LayerConfig;
use eqprop_core::state::State;

use super::record;

/// The free state of the previous batch, as the start of the next: each position in a batch continues
/// from the state of another example.
///
/// This is how the code published with Scellier et al. (2023), <https://arxiv.org/abs/2312.15103>,
/// trains. With random batches the equilibrium of another example is not much closer than rest in the
/// first layers, but it has the scale of an equilibrium; if a network has several equilibria, the order
/// of the examples determines which one is found.
///
/// The state stays on its device, and nothing is read back. [`Training`](crate::training::Training)
/// forgets it before each epoch; only a checkpoint within an epoch stores it. Clones share it, with one state
/// per device.
#[derive(Debug, Clone, Default)]
pub struct PreviousState {
    /// At most one state per device, the most recent last.
    states: Arc<Mutex<Vec<State>>>,
}

impl PreviousState {
    /// Returns the state of the previous batch on this device, cut to `batch_size` examples; `None` if there
    /// is none, or it has fewer examples.
    pub fn state(&self, batch_size: usize, device: &Device) -> Option<State> {
        let is_here = |kept: &&State| kept.device() == *device;
        let kept = self.lock().iter().find(is_here).cloned()?;
        (kept.batch_size() >= batch_size).then(|| kept.narrow(0, batch_size))
    }

    /// Stores the free state of a batch.
    pub fn keep(&self, state: &State) {
        let mut states = self.lock();
        states.retain(|kept| kept.device() != state.device());
        states.push(state.clone());
    }

    /// Discards it: the next batch starts from the default state.
    pub fn forget(&self) {
        self.lock().clear();
    }

    /// Returns an independent copy.
    pub(super) fn copied(&self) -> Self {
        Self {
            states: Arc::new(Mutex::new(self.lock().clone())),
        }
    }

    /// Returns the state in Burn's record format, if there is one: of several devices, the most recent.
    pub(crate) fn to_record(&self) -> Option<ModuleRecord> {
        self.lock().last().map(record::to_record)
    }

    /// Replaces the state by a recorded one of `n_examples` examples.
    ///
    /// # Errors
    /// If the record is of other layers or another number of examples.
    pub(crate) fn load_record(
        &self,
        stored: ModuleRecord,
        layers: &[LayerConfig],
        n_examples: usize,
        device: &Device,
    ) -> Result<(), RecordError> {
        let sizes = layers.iter().map(LayerConfig::n_units);
        let recorded = record::from_record(stored, sizes, n_examples, device)?;
        *self.lock() = vec![recorded];
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<State>> {
        // A panic elsewhere leaves whole states behind.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
