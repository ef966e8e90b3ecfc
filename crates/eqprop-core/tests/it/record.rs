//! A network survives its record.

use burn::module::Module;
use burn::store::ModuleRecord;
use eqprop_core::activation::Activation;
use eqprop_core::energy::{Energy, HopfieldEnergy};

use crate::network::{Numbers, graph, network, parameters};
use crate::setup::{Setup, distance, values};

#[test]
fn a_network_loaded_from_its_record_has_the_same_energies() {
    // With a skip and a connection within a layer, whose diagonal is ignored after loading too.
    let ends = [(0, 1), (1, 2), (0, 2), (1, 1)];
    let config = graph(&[3, 4, 2], Activation::HardSigmoid, &ends);
    for setup in Setup::all() {
        let saved = network(&config, &setup, 1.0, 1);
        let fresh = network(&config, &setup, 1.0, 2);
        let mut numbers = Numbers(3);
        let input = numbers.matrix(&setup, [5, 3], 0.0, 1.0);
        let state = numbers.state(saved.layers(), &setup, 5);
        let energies =
            |energy: &HopfieldEnergy| values(&energy.energy(&energy.clamp(&input), &state));
        assert!(distance(&energies(&fresh), &energies(&saved)) > 0.1);

        let bytes = saved
            .clone()
            .into_record()
            .into_bytes()
            .expect("a record can be written");
        let record = ModuleRecord::from_bytes(bytes).expect("and read");
        let loaded = fresh.load_record(record);
        assert_eq!(parameters(&loaded), parameters(&saved));
        assert_eq!(energies(&loaded), energies(&saved));
        assert_eq!(loaded.groups(), saved.groups());
    }
}
