//! Operations on states.

use eqprop_core::state::State;
use eqprop_testing::{Numbers, Setup, values};

/// Large enough for several threads, and laid out in any way.
#[test]
fn copies_of_a_state_follow_each_other_along_the_batch_axis() {
    for setup in Setup::both() {
        let mut numbers = Numbers(3);
        let wide = numbers.matrix(&setup, [300, 200], -1.0, 1.0);
        let layers = vec![
            wide.clone(),
            wide.clone().narrow(1, 20, 7),
            numbers.matrix(&setup, [3, 300], -1.0, 1.0).transpose(),
            numbers.matrix(&setup, [1, 2], -1.0, 1.0).expand([300, 2]),
            wide.autodiff(),
        ];
        let state = State::new(layers);
        for n in [1, 2, 3] {
            let copies = state.repeat(n);
            assert_eq!(copies.batch_size(), n * 300);
            for (found, layer) in copies.layers().iter().zip(state.layers()) {
                assert_eq!(values(found), values(layer).repeat(n), "{}", setup.name);
                assert_eq!(found.is_autodiff(), layer.is_autodiff());
            }
        }
    }
}
