//! A relaxation as data on the device.

use std::sync::Arc;

use burn::tensor::{Shape, Tensor};
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::Client;

use super::buffer::Matrix;
use super::custom::{Handle, handle, run, tensor};
use super::kernel::advance::Tile;
use super::kernel::plan::{Order, Rule};
use crate::fused::{Edge, Output, Problem, Response, Update, Weights};
use crate::state::State;

/// Assumed number of multiprocessors of a device that does not report it.
const MULTIPROCESSORS: usize = 32;

/// Bytes of shared memory that a cube gets without requesting more.
const MOST_SHARED: usize = 48 << 10;

/// A relaxation: its plan and its input tensors.
pub struct Network {
    pub plan: Arc<Plan>,
    pub constants: Vec<Handle>,
    /// Each `[n_in, n_out]`.
    pub weights: Vec<Handle>,
    /// `β`, `y`, the offset added to the output's drive, and the factor of the sum; or none.
    pub nudge: Vec<Handle>,
}

/// Description of the computation. It holds no tensors: the thread that executes it could not release them.
pub struct Plan {
    pub client: Client,
    pub sizes: Vec<usize>,
    pub rules: Vec<Rule>,
    pub groups: Vec<Vec<usize>>,
    pub order: Order,
    pub step_size: f64,
    pub batch: usize,
    pub links: Vec<Link>,
}

/// A connection between two layers.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    pub from: usize,
    pub to: usize,
    /// Indices of the weights of both directions; `None` where units are connected one to one.
    pub weights: Option<[usize; 2]>,
}

impl Network {
    /// `None` if the problem has a part that no kernel supports.
    pub fn new(
        problem: &Problem<'_>,
        constant: &[Tensor<2>],
        edges: &[Edge<'_>],
        start: &State,
    ) -> Option<Self> {
        let batch = start.batch_size();
        let sizes: Vec<usize> = problem.layers.iter().map(|l| l.shape.n_units()).collect();
        let mut dims = start
            .layers()
            .iter()
            .chain(constant)
            .zip(sizes.iter().cycle());
        if batch == 0 || !dims.all(|(tensor, &n)| tensor.dims() == [batch, n]) {
            return None;
        }
        let responses = problem.layers.iter().map(|layer| layer.response);
        let clips = |response: Response| matches!(response, Response::Clip(_));
        // Gradient flow with a non-quadratic potential needs σ⁻¹, and so does its nudged output.
        let (order, step_size) = match problem.update {
            Update::InTurn => (Order::InTurn, 1.0),
            Update::AtOnce => (Order::AtOnce, 1.0),
            Update::Flow(step_size) => (Order::Flow, step_size),
        };
        let is_quadratic = |found: Response| clips(found) || found == Response::Halves;
        if order == Order::Flow && !responses.clone().all(is_quadratic) {
            return None;
        }
        let nudge = match problem.output {
            Output::Free => Vec::new(),
            Output::Clamped(_) => return None,
            Output::Nudged(nudge) => {
                let n = *sizes.last()?;
                let per_unit = |tensor: &Tensor<2>| {
                    let dims = tensor.dims().into_iter().zip([batch, n]);
                    dims.into_iter()
                        .all(|(found, of)| found == 1 || found == of)
                };
                let numbers = [nudge.target, nudge.offset];
                if !responses.clone().last().is_some_and(clips)
                    || !numbers.iter().all(|tensor| tensor.dims() == [batch, n])
                    || ![nudge.beta, nudge.shrink].into_iter().all(per_unit)
                {
                    return None;
                }
                let all = [nudge.beta, nudge.target, nudge.offset, nudge.shrink];
                all.into_iter().map(handle).collect::<Option<Vec<_>>>()?
            }
        };
        let mut weights: Vec<Handle> = Vec::new();
        let mut links = Vec::new();
        for &Edge {
            from,
            to,
            weights: found,
            ..
        } in edges
        {
            let held = match found {
                Weights::Convolution(..) => return None,
                Weights::Identity => None,
                Weights::Dense(both) => {
                    if !both
                        .iter()
                        .all(|tensor| tensor.dims() == [sizes[from], sizes[to]])
                    {
                        return None;
                    }
                    let [forth, back] = both.map(handle);
                    Some([forth?, back?].map(|tensor| {
                        let known = weights.iter().position(|known| known.id == tensor.id);
                        known.unwrap_or_else(|| {
                            weights.push(tensor);
                            weights.len() - 1
                        })
                    }))
                }
            };
            links.push(Link {
                from,
                to,
                weights: held,
            });
        }
        let constants: Vec<Handle> = constant.iter().map(handle).collect::<Option<_>>()?;
        let plan = Plan {
            client: constants.first()?.client.device().client(),
            sizes,
            rules: responses.map(rule).collect(),
            groups: problem.groups.to_vec(),
            order,
            step_size,
            batch,
            links,
        };
        Some(Self {
            plan: Arc::new(plan),
            constants,
            weights,
            nudge,
        })
    }

    /// Registers the launches, which take the constants, `starts`, `weights` and the nudge, and return the
    /// layers and the residual.
    pub fn run<F>(
        &self,
        starts: Vec<Handle>,
        weights: Vec<Handle>,
        launch: F,
    ) -> (Vec<Tensor<2>>, Tensor<1>)
    where
        F: Fn(Vec<CubeTensor>) -> Vec<CubeTensor> + Send + Sync + 'static,
    {
        let constants = self.constants.iter().cloned();
        let inputs = constants.chain(starts).chain(weights);
        let inputs = inputs.chain(self.nudge.iter().cloned()).collect();
        let mut outputs = run("eqprop_relax", inputs, &self.plan.shapes(), launch);
        let residual = outputs.pop().expect("the residual comes last");
        (outputs.into_iter().map(tensor).collect(), tensor(residual))
    }
}

impl Plan {
    /// Factor from the change in the last step to the residual.
    pub fn per_change(&self) -> f32 {
        (1.0 / self.step_size) as f32
    }

    /// Shapes of all layers and of the residual.
    fn shapes(&self) -> Vec<Shape> {
        let layers = self.sizes.iter().map(|&n| Shape::from([self.batch, n]));
        layers.chain([Shape::from([self.batch])]).collect()
    }
}

/// The input tensors of a relaxation, as kernels read them.
pub struct Inputs {
    pub constants: Vec<Matrix>,
    pub starts: Vec<Matrix>,
    pub weights: Vec<Matrix>,
    /// Without gaps between rows, as kernels expect it.
    pub nudge: Vec<Matrix>,
}

impl Inputs {
    /// Splits the input tensors of a network with `n_layers` layers and `n_weights` weight matrices.
    pub fn new(tensors: Vec<CubeTensor>, n_layers: usize, n_weights: usize) -> Self {
        let mut tensors = tensors.into_iter();
        let mut rows = |n| tensors.by_ref().take(n).map(Matrix::of).collect();
        Self {
            constants: rows(n_layers),
            starts: rows(n_layers),
            weights: rows(n_weights),
            nudge: tensors.map(Matrix::dense).collect(),
        }
    }
}

fn rule(response: Response) -> Rule {
    match response {
        Response::Clip(bounds) => Rule::Clip(bounds.map(|bound| (bound as f32).to_bits())),
        Response::Halves => Rule::Halves,
        Response::Logistic => Rule::Logistic,
        Response::HyperbolicTangent => Rule::HyperbolicTangent,
    }
}

/// The fastest tile for a layer of `n` units with `n_senders` presynaptic units.
pub fn tile(client: &Client, batch: usize, n: usize, n_senders: usize) -> Tile {
    let memory = client
        .properties()
        .hardware
        .max_shared_memory_size
        .min(MOST_SHARED);
    let multiprocessors = multiprocessors(client);
    let widths = [16, 32].into_iter();
    let tiles = widths.flat_map(|width| [4, 8, 16, 32].map(|rows| Tile { width, rows }));
    let fitting = tiles.filter(|tile| tile.shared() <= memory);
    let fastest = fitting.min_by_key(|tile| tile.cycles(n, batch, n_senders, multiprocessors));
    fastest.expect("the smallest fits every device")
}

/// The number of multiprocessors of the device.
pub fn multiprocessors(client: &Client) -> usize {
    let hardware = &client.properties().hardware;
    hardware
        .num_streaming_multiprocessors
        .map_or(MULTIPROCESSORS, |n| n as usize)
}
