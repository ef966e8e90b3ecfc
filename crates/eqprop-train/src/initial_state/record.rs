//! States in Burn's record format.

use burn::module::{Module, Param, ParamId};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Device, Tensor};
use eqprop_core::state::State;

use crate::record;

/// Layers of a state as a module.
#[derive(Module, Debug)]
struct LayersModule {
    layers: Vec<Param<Tensor<2>>>,
}

impl LayersModule {
    fn new(layers: impl Iterator<Item = Tensor<2>>) -> Self {
        let params = layers.map(|layer| Param::initialized(ParamId::new(), layer));
        Self {
            layers: params.collect(),
        }
    }
}

/// Converts a state to a record.
pub(super) fn to_record(state: &State) -> ModuleRecord {
    LayersModule::new(state.layers().iter().cloned()).into_record()
}

/// Converts a record to a state of `n_examples` examples, with layers of these sizes.
///
/// # Errors
/// If the record is of other layers or another number of examples.
pub(super) fn from_record(
    stored: ModuleRecord,
    sizes: impl Iterator<Item = usize>,
    n_examples: usize,
    device: &Device,
) -> Result<State, RecordError> {
    let empty = sizes.map(|size| Tensor::zeros([n_examples, size], device));
    let module = record::load(LayersModule::new(empty), stored)?;
    Ok(State::new(
        module.layers.iter().map(|layer| layer.val()).collect(),
    ))
}
