//! The independent numbers of `tests/reference`; see the README there.

use eqprop_core::energy::VectorField;
use eqprop_core::state::State;
use eqprop_testing::{Chain, Lists, Network, Setup, filled_with, read_reference};
use eqprop_train::batch::Batch;
use eqprop_train::network::EquilibriumNetwork;

const FILES: [&str; 5] = [
    "dense_1_hidden.json",
    "dense_3_hidden.json",
    "dense_linear_output.json",
    "dense_skip.json",
    "dense_softmax_readout.json",
];

/// A network with the gradient at its free equilibrium.
pub struct Reference {
    pub file: &'static str,
    pub network: Network,
    pub batch: Batch,
    /// The start of the free phase: at rest, or within 0.01 of the file's free state where there are several
    /// minima, see [`Chain::skip`].
    pub start: Option<State>,
    /// The gradient by backpropagation through a converged relaxation, from another program.
    pub exact: Lists,
}

impl Reference {
    /// All files, in the number format of `setup`.
    pub fn all(setup: &Setup) -> Vec<Self> {
        FILES.map(|file| Self::read(file, setup)).into()
    }

    /// All files except the one in which every hidden unit is clipped: its gradient ends at the output layer,
    /// and there is nothing to iterate.
    pub fn all_with_response(setup: &Setup) -> Vec<Self> {
        let all = Self::all(setup).into_iter();
        let with_response: Vec<Self> = all
            .filter(|reference| reference.exact[0].iter().any(|g| *g != 0.0))
            .collect();
        assert_eq!(with_response.len(), FILES.len() - 1);
        with_response
    }

    fn read(file: &'static str, setup: &Setup) -> Self {
        let (found, chain): (eqprop_testing::Reference, Chain) =
            (read_reference(file), read_reference(file));
        let energy = chain.config().init(&setup.device);
        let cost = chain.cost();
        let cost = cost.init(chain.n_outputs(), chain.n_classes(), &setup.device);
        let numbers = chain.lists(&found.params).concat();
        let network: Network = filled_with(
            EquilibriumNetwork::new(energy.into(), cost),
            setup,
            &numbers,
        );
        let target = setup.one_hot(&found.labels, chain.n_classes());
        let batch = Batch::new(found.input(setup), target);
        let rest = network.energy.rest(&batch.input);
        let is_ambiguous = chain.skip.is_some();
        Self {
            file,
            start: is_ambiguous.then(|| found.near_free_state(&rest, setup)),
            exact: chain.lists(&found.gradients["exact"]),
            network,
            batch,
        }
    }
}
