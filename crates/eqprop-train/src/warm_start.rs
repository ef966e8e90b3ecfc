//! Free phases that start where the one before ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Device, Tensor};
use eqprop_core::energy::LayerConfig;
use eqprop_core::state::State;

use crate::particles::LayersModule;
use crate::record;

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
pub struct WarmStart {
    state: Arc<Mutex<Option<State>>>,
}

impl WarmStart {
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

    /// The state as it stands.
    pub(crate) fn kept(&self) -> Option<State> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A panic elsewhere leaves a whole state or none behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A state in Burn's record format.
pub(crate) fn to_record(state: &State) -> ModuleRecord {
    LayersModule::new(state.layers().iter().cloned()).into_record()
}

/// A state of `n_examples` examples from a record.
///
/// # Errors
/// If the record is of other layers or another number of examples.
pub(crate) fn from_record(
    stored: ModuleRecord,
    layers: &[LayerConfig],
    n_examples: usize,
    device: &Device,
) -> Result<State, RecordError> {
    let empty = layers
        .iter()
        .map(|layer| Tensor::zeros([n_examples, layer.n_units()], device));
    let module = record::load(LayersModule::new(empty), stored)?;
    Ok(State::new(
        module.layers.iter().map(|layer| layer.val()).collect(),
    ))
}
