//! Relaxation with a launch for each layer and step.

use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::buffer::{Matrix, argument, empty, sequence};
use super::custom::{Handle, handle};
use super::in_one::nudge_plan;
use super::kernel::advance::{AdvancePlan, N_THREADS, Sent, Tile, advance, largest_of};
use super::kernel::plan::Order;
use super::network::{Inputs, Network, Plan, tile};
use crate::fused::{Edge, Weights};

/// Threads per cube in kernels with one thread per example.
const N_FEW: usize = 64;

/// Runs all steps; `None` if weights cannot be transposed.
pub fn run(
    network: &Network,
    edges: &[Edge<'_>],
    starts: Vec<Handle>,
    n_steps: usize,
) -> Option<(Vec<Tensor<2>>, Tensor<1>)> {
    let mut weights = network.weights.clone();
    let mut back = Vec::new();
    for edge in edges {
        let Weights::Dense([_, feedback]) = edge.weights else {
            back.push(None);
            continue;
        };
        let transposed = edge.packed.get_or_pack(|| Some(transposed(feedback)))?;
        back.push(Some(weights.len()));
        weights.push(handle(transposed)?);
    }
    let plan = network.plan.clone();
    let n_weights = weights.len();
    Some(network.run(starts, weights, move |inputs| {
        plan.advance(inputs, n_steps, n_weights, &back)
    }))
}

fn transposed(weight: &Tensor<2>) -> Tensor<2> {
    let [n_in, n_out] = weight.dims();
    // Reshaping copies it into a contiguous layout.
    let flat = weight.clone().transpose().reshape([n_in * n_out]);
    flat.reshape([n_out, n_in])
}

/// A term of a layer's drive: the presynaptic layer, and which of the weights.
type Term = (usize, Option<usize>);

impl Plan {
    fn terms(&self, layer: usize, back: &[Option<usize>]) -> Vec<Term> {
        let mut terms = Vec::new();
        for (link, &back) in self.links.iter().zip(back) {
            if link.to == layer {
                terms.push((link.from, link.weights.map(|[forth, _]| forth)));
            }
            if link.from == layer {
                terms.push((link.to, back));
            }
        }
        terms
    }

    fn tile(&self, layer: usize, terms: &[Term]) -> Tile {
        let n_senders = terms.iter().map(|&(from, _)| self.sizes[from]).sum();
        tile(&self.client, self.batch, self.sizes[layer], n_senders)
    }

    fn advance(
        &self,
        inputs: Vec<CubeTensor>,
        n_steps: usize,
        n_weights: usize,
        back: &[Option<usize>],
    ) -> Vec<CubeTensor> {
        let n_layers = self.sizes.len();
        let inputs = Inputs::new(inputs, n_layers, n_weights);
        let Inputs {
            constants,
            starts,
            weights,
            nudge,
        } = &inputs;
        let like = &constants[0].tensor;
        let layers = |n: usize| Matrix::empty([self.batch, n], like);
        // Each layer alternates between two buffers.
        let places: Vec<[Matrix; 2]> = self
            .sizes
            .iter()
            .map(|&n| [(); 2].map(|()| layers(n)))
            .collect();
        let mut turns = vec![0; n_layers];
        let terms: Vec<Vec<Term>> = (0..n_layers).map(|layer| self.terms(layer, back)).collect();
        let tiles = (0..n_layers).map(|layer| self.tile(layer, &terms[layer]));
        let tiles: Vec<Tile> = tiles.collect();
        // For each layer, how far each example has moved within each tile of units.
        let n_tiles = |layer: usize| tiles[layer].n_cubes(self.sizes[layer], self.batch)[0];
        let n_tiles: Vec<usize> = (0..n_layers).map(n_tiles).collect();
        let changes = n_tiles
            .iter()
            .map(|&n| Matrix::empty([n, self.batch], like));
        let changes: Vec<Matrix> = changes.collect();
        for step in 0..n_steps {
            let measures = step + 1 == n_steps;
            // Where all layers move at once, they read the states before the step.
            let before = turns.clone();
            for &layer in self.groups.iter().flatten() {
                let now = if self.order == Order::InTurn {
                    &turns
                } else {
                    &before
                };
                let at = |layer: usize| match now[layer] {
                    0 => &starts[layer],
                    n => &places[layer][(n - 1) % 2],
                };
                let sources: Vec<&Matrix> =
                    terms[layer].iter().map(|&(from, _)| at(from)).collect();
                let sent = terms[layer]
                    .iter()
                    .zip(&sources)
                    .map(|(&(from, which), source)| Sent {
                        n: self.sizes[from],
                        stride: source.stride,
                        across: which.map(|which| weights[which].stride),
                    });
                let is_nudged = layer + 1 == n_layers;
                let nudge: &[Matrix] = if is_nudged { nudge } else { &[] };
                let n = self.sizes[layer];
                let tile = tiles[layer];
                let own = at(layer);
                let plan = AdvancePlan {
                    n,
                    rule: self.rules[layer],
                    terms: sent.collect(),
                    order: self.order,
                    strides: [constants[layer].stride, own.stride],
                    has_constant: true,
                    nudge: nudge_plan(nudge),
                    measures,
                    tile,
                };
                // One-to-one connections read no weights.
                let read = terms[layer]
                    .iter()
                    .map(|&(_, which)| &weights[which.unwrap_or(0)]);
                let read: Vec<&Matrix> = if weights.is_empty() {
                    Vec::new()
                } else {
                    read.collect()
                };
                let cubes = tile.n_cubes(n, self.batch).map(|n| n as u32);
                let after = &places[layer][turns[layer] % 2];
                #[allow(
                    unsafe_code,
                    reason = "all places are within the shapes that were compared"
                )]
                unsafe {
                    advance::launch_unchecked(
                        &self.client,
                        CubeCount::Static(cubes[0], cubes[1], 1),
                        CubeDim::new_1d(N_THREADS as u32),
                        sequence(sources),
                        sequence(read),
                        constants[layer].argument(),
                        own.argument(),
                        sequence(nudge),
                        after.argument(),
                        changes[layer].argument(),
                        self.step_size as f32,
                        self.per_change(),
                        self.batch as u32,
                        plan,
                    );
                }
                turns[layer] += 1;
            }
        }
        let residual = empty([self.batch], like);
        #[allow(unsafe_code, reason = "there are as many rows")]
        unsafe {
            largest_of::launch_unchecked(
                &self.client,
                CubeCount::Static(self.batch.div_ceil(N_FEW) as u32, 1, 1),
                CubeDim::new_1d(N_FEW as u32),
                sequence(&changes),
                argument(&residual, self.batch),
                n_tiles,
            );
        }
        let layers = places.into_iter().zip(turns).map(|(places, turns)| {
            let [first, second] = places;
            let last = if turns % 2 == 1 { first } else { second };
            last.tensor
        });
        layers.chain([residual]).collect()
    }
}
