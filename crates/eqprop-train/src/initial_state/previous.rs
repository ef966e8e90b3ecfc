//! The free state of the batch before.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Device;
use eqprop_core::energy::LayerConfig;
use eqprop_core::state::State;

use super::record;

/// The free state of the batch before, as the start of the next: the example at each position of a
/// batch goes on from the state of another example.
///
/// So trains the code published beside Scellier et al. (2023), <https://arxiv.org/abs/2312.15103>.
/// With random batches the equilibrium of another example is not much closer than rest in the first
/// layers, but it has the scale of an equilibrium; where a network has several equilibria, it
/// depends on the order of the examples which one is found.
///
/// The state stays on its device, and nothing is read back. [`Training`](crate::training::Training)
/// forgets it before each epoch; only a checkpoint within an epoch holds it. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct PreviousState {
    state: Arc<Mutex<Option<State>>>,
}

impl PreviousState {
    /// The state of the batch before, cut to `batch_size` examples; `None` if there is none, or it
    /// has fewer examples or lies on another device.
    pub fn state(&self, batch_size: usize, device: &Device) -> Option<State> {
        let kept = self.lock().clone()?;
        let fits = kept.batch_size() >= batch_size && kept.device() == *device;
        fits.then(|| kept.narrow(0, batch_size))
    }

    /// Keeps the free state of a batch.
    pub fn keep(&self, state: &State) {
        *self.lock() = Some(state.clone());
    }

    /// Forgets it: the next batch starts where it would without.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    /// A state of its own with the same value.
    pub(super) fn copied(&self) -> Self {
        Self {
            state: Arc::new(Mutex::new(self.lock().clone())),
        }
    }

    /// The state in Burn's record format, if there is one.
    pub(crate) fn to_record(&self) -> Option<ModuleRecord> {
        self.lock().as_ref().map(record::to_record)
    }

    /// Replaces it by a recorded one of `n_examples` examples.
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
        self.keep(&record::from_record(stored, sizes, n_examples, device)?);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A panic elsewhere leaves a whole state or none behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
