//! A relaxation over a graph of layers: the data shared by all threads.

use burn::tensor::{Device, Tensor};

use crate::fused::flex::floats::{Floats, PerUnit};
use crate::fused::flex::packed::{PackedConnection, order, response};
use crate::fused::{Edge, Output, Problem, Update};
use crate::kernel::channels_last::ChannelsLast;
use crate::kernel::response::Response;
use crate::kernel::{Right, Shallow};

/// Data shared by all threads.
pub struct GraphPlan<'a> {
    pub update: Update,
    pub groups: &'a [Vec<usize>],
    pub responses: Vec<Response>,
    pub sizes: Vec<usize>,
    pub orders: Vec<ChannelsLast>,
    pub constants: Vec<Floats>,
    pub connections: Vec<&'a PackedConnection>,
    /// The terms of each layer's drive.
    pub terms: Vec<Vec<Term>>,
    /// The layer that moves in one pass with the output, if one does.
    pub beside_output: Option<BesideOutput<'a>>,
    pub output: OutputNumbers,
    pub device: Device,
}

/// A term of a layer's drive: one of its connections, in one direction.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// Index of the connection.
    pub connection: usize,
    /// The presynaptic layer.
    pub sender: usize,
    pub direction: Direction,
}

/// The direction along a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// A layer that drives an output of few units, is driven by no other free layer, and moves just before it.
#[derive(Debug, Clone, Copy)]
pub struct BesideOutput<'a> {
    /// Index of the layer.
    pub layer: usize,
    /// The weights between the two, which both directions share.
    pub weights: &'a Shallow,
    /// Bounds of the layer's states.
    pub bounds: [f32; 2],
}

/// [`Output`], as slices.
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, for a whole relaxation"
)]
pub enum OutputNumbers {
    Free,
    Nudged {
        beta: PerUnit,
        target: Floats,
        offset: Floats,
        shrink: PerUnit,
    },
    Clamped(Floats),
}

impl OutputNumbers {
    fn of(output: Output<'_>) -> Option<Self> {
        Some(match output {
            Output::Free => Self::Free,
            Output::Nudged(nudge) => Self::Nudged {
                beta: PerUnit::of(nudge.beta)?,
                target: Floats::of(nudge.target)?,
                offset: Floats::of(nudge.offset)?,
                shrink: PerUnit::of(nudge.shrink)?,
            },
            Output::Clamped(value) => Self::Clamped(Floats::of(value)?),
        })
    }
}

impl<'a> GraphPlan<'a> {
    pub fn new(problem: &Problem<'a>, constant: &[Tensor<2>], edges: &[Edge<'a>]) -> Option<Self> {
        let layers = problem.layers.iter();
        let responses: Vec<_> = layers.map(|layer| response(layer.response)).collect();
        let clips = |response: &Response| matches!(response, Response::Clip(_));
        // Gradient flow with a non-quadratic potential needs σ⁻¹, and so does its nudged output.
        let is_flow = matches!(problem.update, Update::Flow(_));
        let is_quadratic = |found: &Response| clips(found) || matches!(found, Response::Halves);
        if is_flow && !responses.iter().all(is_quadratic) {
            return None;
        }
        if matches!(problem.output, Output::Nudged(_)) && !responses.last().is_some_and(clips) {
            return None;
        }
        let output = OutputNumbers::of(problem.output)?;
        let orders: Vec<_> = problem.layers.iter().map(|l| order(l.shape)).collect();
        if !matches!(output, OutputNumbers::Free) && !orders.last()?.is_plain() {
            return None;
        }
        // The half of the units that conducts upwards is the first in tensor order.
        let mut in_halves = responses.iter().zip(&orders);
        if in_halves.any(|(found, order)| matches!(found, Response::Halves) && !order.is_plain()) {
            return None;
        }
        let constants: Option<Vec<_>> = constant.iter().map(Floats::of).collect();
        let connections = edges
            .iter()
            .map(|edge| edge.pack([edge.from, edge.to].map(|layer| problem.layers[layer].shape)));
        let connections: Vec<_> = connections.collect::<Option<_>>()?;
        let mut terms = vec![Vec::new(); problem.layers.len()];
        for (connection, &Edge { from, to, .. }) in edges.iter().enumerate() {
            let mut add = |layer: usize, sender, direction| {
                let term = Term {
                    connection,
                    sender,
                    direction,
                };
                terms[layer].push(term);
            };
            add(to, from, Direction::Forward);
            add(from, to, Direction::Backward);
        }
        // A dense connection, if there is one, comes last: its product can end in the response.
        for terms in &mut terms {
            terms.sort_by_key(|term| {
                matches!(connections[term.connection], PackedConnection::Dense(_))
            });
        }
        let plan = Self {
            update: problem.update,
            groups: problem.groups,
            responses,
            sizes: problem.layers.iter().map(|l| l.shape.n_units()).collect(),
            orders,
            constants: constants?,
            connections,
            terms,
            beside_output: None,
            output,
            device: constant.first()?.device(),
        };
        Some(Self {
            beside_output: plan.beside_output(),
            ..plan
        })
    }

    /// The layer that can move in one pass with the output.
    fn beside_output(&self) -> Option<BesideOutput<'a>> {
        let mut order = self.groups.iter().flatten();
        let (Some(&layer), Some(&output), None) = (order.next(), order.next(), order.next()) else {
            return None;
        };
        let ([term], [_]) = (&self.terms[layer][..], &self.terms[output][..]) else {
            return None;
        };
        let PackedConnection::Dense(dense) = self.connections[term.connection] else {
            return None;
        };
        if term.direction != Direction::Backward || !dense.is_tied() {
            return None;
        }
        match (dense.backward(), self.responses[layer], &self.output) {
            (_, _, OutputNumbers::Clamped(_)) => None,
            (Right::Shallow(weights), Response::Clip(bounds), _) if output > layer => {
                Some(BesideOutput {
                    layer,
                    weights,
                    bounds,
                })
            }
            _ => None,
        }
    }

    /// Whether the constants and the output's tensors fit this many examples.
    pub fn is_for(&self, batch: usize) -> bool {
        let mut constants = self.constants.iter().zip(&self.sizes);
        let n = self.sizes.last().copied().unwrap_or(0);
        let n_outputs = n * batch;
        constants.all(|(constant, n)| constant.slice().len() == n * batch)
            && match &self.output {
                OutputNumbers::Free => true,
                OutputNumbers::Clamped(value) => value.slice().len() == n_outputs,
                OutputNumbers::Nudged {
                    beta,
                    target,
                    offset,
                    shrink,
                } => {
                    let mut targets = [target, offset].into_iter();
                    targets.all(|numbers| numbers.slice().len() == n_outputs)
                        && [beta, shrink]
                            .into_iter()
                            .all(|factor| factor.is_for([batch, n]))
                }
            }
    }
}
