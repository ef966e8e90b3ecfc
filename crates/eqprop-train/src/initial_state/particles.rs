//! Persistent particles.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Device, Tensor, TensorData};
use eqprop_core::energy::LayerConfig;
use eqprop_core::state::State;

use super::record;

/// The free state of each training example, kept from one epoch to the next.
///
/// A free phase that starts from the example's last free state needs far fewer steps than one
/// that starts from rest (Scellier & Bengio 2017, §5; the idea is that of persistent
/// contrastive divergence). Clones share the particles.
///
/// They are held in host memory: one `f32` per unit and example. Storing them reads the free
/// state back once per batch, which waits for the device.
#[derive(Debug, Clone)]
pub struct Particles {
    layers: Arc<Mutex<Vec<Layer>>>,
    n_examples: usize,
}

#[derive(Debug, Clone)]
struct Layer {
    size: usize,
    /// `[n_examples, size]`
    values: Vec<f32>,
}

/// Returns a device whose memory is the host's, if this build has one. Burn's default device would be a
/// GPU if one is compiled in, whether or not one is present.
fn host() -> Device {
    #[cfg(feature = "flex")]
    return Device::flex();
    #[cfg(not(feature = "flex"))]
    return Device::default();
}

impl Particles {
    /// Creates particles at rest for `n_examples` examples.
    pub fn new(layers: &[LayerConfig], n_examples: usize) -> Self {
        let layers = layers.iter().map(|layer| {
            let size = layer.n_units();
            let rest = layer.activation.rest(size) as f32;
            Layer {
                size,
                values: vec![rest; size * n_examples],
            }
        });
        Self {
            layers: Arc::new(Mutex::new(layers.collect())),
            n_examples,
        }
    }

    /// Returns the particles of the examples `indices`, as a state on `device`.
    ///
    /// # Panics
    /// If an index is not below the number of examples.
    pub fn gather(&self, indices: &[usize], device: &Device) -> State {
        let layers = self.lock();
        let tensors = layers.iter().map(|layer| {
            let mut rows = Vec::with_capacity(indices.len() * layer.size);
            for &index in indices {
                rows.extend_from_slice(&layer.values[index * layer.size..][..layer.size]);
            }
            Tensor::from_data(TensorData::new(rows, [indices.len(), layer.size]), device)
        });
        State::new(tensors.collect())
    }

    /// Stores `state` as the particles of the examples `indices`.
    ///
    /// # Panics
    /// If an index is not below the number of examples, or the state has another shape.
    pub fn store(&self, indices: &[usize], state: &State) {
        let (n, layers) = (indices.len(), state.layers());
        let found: Vec<_> = layers.iter().map(Tensor::dims).collect();
        let expected: Vec<_> = self.lock().iter().map(|layer| [n, layer.size]).collect();
        assert_eq!(
            found, expected,
            "a state of these {n} examples has a row for each, and the layers of the particles"
        );
        // Read back before locking, so that another thread's gather does not wait for it.
        let rows: Vec<TensorData> = layers
            .iter()
            .map(|layer| layer.clone().into_data())
            .collect();
        for (layer, rows) in self.lock().iter_mut().zip(rows) {
            let rows = rows
                .convert::<f32>()
                .try_into_vec::<f32>()
                .expect("converted to f32");
            for (&index, row) in indices.iter().zip(rows.chunks_exact(layer.size)) {
                layer.values[index * layer.size..][..layer.size].copy_from_slice(row);
            }
        }
    }

    /// Returns an independent copy of the particles.
    pub(super) fn copied(&self) -> Self {
        Self {
            layers: Arc::new(Mutex::new(self.lock().clone())),
            n_examples: self.n_examples,
        }
    }

    /// Returns the particles in Burn's record format.
    pub fn to_record(&self) -> ModuleRecord {
        let layers = self.lock();
        let tensors = layers.iter().map(|layer| {
            let shape = [self.n_examples, layer.size];
            Tensor::from_data(TensorData::new(layer.values.clone(), shape), &host())
        });
        record::to_record(&State::new(tensors.collect()))
    }

    /// Replaces the particles by those of a record.
    ///
    /// # Errors
    /// If the record is of another network or another number of examples.
    pub fn load_record(&self, stored: ModuleRecord) -> Result<(), RecordError> {
        let mut layers = self.lock();
        let sizes = layers.iter().map(|layer| layer.size);
        let state = record::from_record(stored, sizes, self.n_examples, &host())?;
        for (layer, recorded) in layers.iter_mut().zip(state.layers()) {
            let values = recorded.to_data().convert::<f32>();
            layer.values = values.try_into_vec::<f32>().expect("converted to f32");
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Layer>> {
        // A panic elsewhere leaves whole rows behind, so the particles remain usable.
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
