//! Relaxation in one launch, for networks whose states and weights fit into a multiprocessor.

use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::ir::HardwareProperties;
use cubecl::prelude::*;

use super::buffer::{Matrix, argument, empty, sequence};
use super::custom::Handle;
use super::kernel::nudge::NudgePlan;
use super::kernel::plan::{LayerPlan, Order, TermPlan};
use super::kernel::settle::{SettlePlan, settle};
use super::network::{Inputs, Network, Plan, multiprocessors};

/// Maximum number of weights between free layers: beyond registers, each cube rereads them in every step.
const MOST_WEIGHTS: usize = 1 << 15;
/// Maximum number of threads per cube.
const MOST_THREADS: usize = 512;

/// How the batch is divided among cubes.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    n_threads: usize,
    /// Examples per cube.
    lanes: usize,
}

impl Shape {
    /// `None` where the network is too large or cannot relax in one launch.
    pub fn new(network: &Network, hardware: &HardwareProperties) -> Option<Self> {
        let plan = &network.plan;
        // Units that drive others of their own layer would be read while some of them have moved and others
        // have not.
        let drives_itself = plan.links.iter().any(|link| link.from == link.to);
        if plan.order == Order::InTurn && drives_itself {
            return None;
        }
        let n_weights = plan.links.iter().filter(|link| link.weights.is_some());
        let n_weights = n_weights.map(|link| plan.sizes[link.from] * plan.sizes[link.to]);
        let n_layers = plan.sizes.len();
        // Besides these buffers, the device binds those with the launch parameters.
        let n_buffers = 3 * n_layers + network.weights.len() + network.nudge.len() + 3;
        if n_weights.sum::<usize>() > MOST_WEIGHTS || n_buffers > hardware.max_bindings as usize {
            return None;
        }
        let most = plan.sizes.iter().max()?.next_power_of_two();
        let limit = (hardware.max_units_per_cube as usize + 1).next_power_of_two() / 2;
        let n_threads = most.clamp(32, MOST_THREADS).min(limit);
        let per_multiprocessor = plan.batch.div_ceil(multiprocessors(&plan.client));
        let wanted: usize = match per_multiprocessor {
            0..=2 => 1,
            3..=6 => 2,
            _ => 4,
        };
        let shape = |lanes| Self { n_threads, lanes };
        let n_shared = plan.settle_plan(n_threads, &[], &[], None).n_shared();
        let fits =
            |lanes: &usize| n_shared * lanes * size_of::<f32>() <= hardware.max_shared_memory_size;
        [4, 2, 1]
            .into_iter()
            .filter(|&lanes| lanes <= wanted)
            .find(fits)
            .map(shape)
    }
}

impl Plan {
    /// The plan for tensors with these strides.
    fn settle_plan(
        &self,
        n_threads: usize,
        strides: &[[usize; 2]],
        weights: &[usize],
        nudge: Option<NudgePlan>,
    ) -> SettlePlan {
        let n_layers = self.sizes.len();
        let stride_of = |index: usize| weights.get(index).copied().unwrap_or(1);
        let layers = (0..n_layers).map(|layer| {
            let mut terms = Vec::new();
            for link in &self.links {
                if link.to == layer {
                    terms.push(TermPlan {
                        source: link.from,
                        n: self.sizes[link.from],
                        weights: link.weights.map(|[forth, _]| forth),
                        strides: [link.weights.map_or(0, |[forth, _]| stride_of(forth)), 1],
                    });
                }
                if link.from == layer {
                    terms.push(TermPlan {
                        source: link.to,
                        n: self.sizes[link.to],
                        weights: link.weights.map(|[_, back]| back),
                        strides: [1, link.weights.map_or(0, |[_, back]| stride_of(back))],
                    });
                }
            }
            LayerPlan {
                n: self.sizes[layer],
                rule: self.rules[layer],
                terms,
                strides: strides.get(layer).copied().unwrap_or([1; 2]),
                nudged: nudge.is_some() && layer + 1 == n_layers,
            }
        });
        SettlePlan {
            layers: layers.collect(),
            groups: self.groups.clone(),
            order: self.order,
            n_threads,
            nudge,
        }
    }
}

/// Runs all steps.
pub fn run(
    network: &Network,
    starts: Vec<Handle>,
    n_steps: usize,
    shape: Shape,
) -> (Vec<Tensor<2>>, Tensor<1>) {
    let (plan, weights) = (network.plan.clone(), network.weights.clone());
    let n_weights = weights.len();
    network.run(starts, weights, move |inputs| {
        plan.settle(inputs, [n_steps, n_weights], shape)
    })
}

impl Plan {
    fn settle(
        &self,
        inputs: Vec<CubeTensor>,
        [n_steps, n_weights]: [usize; 2],
        shape: Shape,
    ) -> Vec<CubeTensor> {
        let n_layers = self.sizes.len();
        let inputs = Inputs::new(inputs, n_layers, n_weights);
        let Inputs {
            constants,
            starts,
            weights,
            nudge,
        } = &inputs;
        let strides: Vec<_> = constants
            .iter()
            .zip(starts)
            .map(|(c, s)| [c.stride, s.stride])
            .collect();
        let weight_strides: Vec<_> = weights.iter().map(|weights| weights.stride).collect();
        let plan = self.settle_plan(
            shape.n_threads,
            &strides,
            &weight_strides,
            nudge_plan(nudge),
        );
        let like = &constants[0].tensor;
        let outputs: Vec<_> = self
            .sizes
            .iter()
            .map(|&n| Matrix::empty([self.batch, n], like))
            .collect();
        let residual = empty([self.batch], like);
        let n_cubes = self.batch.div_ceil(shape.lanes);
        #[allow(
            unsafe_code,
            reason = "all places are within the shapes that were compared"
        )]
        unsafe {
            settle::launch_unchecked(
                &self.client,
                CubeCount::Static(n_cubes as u32, 1, 1),
                CubeDim::new_1d(shape.n_threads as u32),
                shape.lanes,
                sequence(constants),
                sequence(starts),
                sequence(weights),
                sequence(nudge),
                sequence(&outputs),
                argument(&residual, self.batch),
                n_steps as u32,
                self.step_size as f32,
                self.per_change(),
                self.batch as u32,
                plan,
            );
        }
        let outputs = outputs.into_iter().map(|output| output.tensor);
        outputs.chain([residual]).collect()
    }
}

/// The plan of the nudge whose tensors these are: `β`, `y`, offset and factor, or none.
pub fn nudge_plan(nudge: &[Matrix]) -> Option<NudgePlan> {
    let dims = |matrix: &Matrix| {
        let shape = matrix.tensor.meta.shape();
        // Capped, so that the same kernel serves networks of another batch size.
        [shape[0].min(2), shape[1]]
    };
    match nudge {
        [beta, _, _, shrink] => Some(NudgePlan {
            beta: dims(beta),
            shrink: dims(shrink),
        }),
        _ => None,
    }
}
