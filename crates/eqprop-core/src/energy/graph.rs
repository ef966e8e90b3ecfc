//! Drives as sums over connections.

use burn::module::Param;
use burn::tensor::Tensor;

use super::bias;
use super::shortcuts::Shortcuts;
use crate::connection::{PreparedConnection, StatePair};
use crate::fused::operations::repeated;
use crate::fused::{self, Drives, Packed};
use crate::gradients::Gradients;
use crate::state::State;

/// A clamped field whose drives are sums over its connections:
///
/// ```text
/// drive_k = constant_k + Σ_{to = k} f_θ(s_from) + Σ_{from = k} f_θᵀ(s_to)
/// ```
///
/// plus the drive of a layer [within](PreparedConnection::within) itself.
#[derive(Debug, Clone)]
pub struct ClampedGraph {
    /// The input of one of `n_copies` copies.
    input: Tensor<2>,
    n_copies: usize,
    /// Contribution of bias and input to the drive of each free layer, `[batch, n_units]`.
    pub constant: Vec<Tensor<2>>,
    /// The connections between free layers.
    pub edges: Vec<Edge>,
}

impl ClampedGraph {
    pub fn new(input: Tensor<2>, constant: Vec<Tensor<2>>, edges: Vec<Edge>) -> Self {
        Self {
            input,
            n_copies: 1,
            constant,
            edges,
        }
    }

    /// The input of all copies.
    pub fn input(&self) -> Tensor<2> {
        repeated(&self.input, self.n_copies)
    }

    /// Repeated along the batch axis.
    pub fn repeat(&self, n: usize) -> Self {
        let constant = self.constant.iter();
        Self {
            n_copies: self.n_copies * n,
            constant: constant.map(|drive| repeated(drive, n)).collect(),
            ..self.clone()
        }
    }

    /// Replaces its connections by `connections`, one for each edge, such that the drives at `state` stay the
    /// same.
    pub fn reconnected(
        &self,
        connections: impl Iterator<Item = PreparedConnection>,
        state: &State,
    ) -> Self {
        let edges = self.edges.iter().zip(connections);
        let edges = edges.map(|(edge, connection)| Edge::new(edge.from, edge.to, connection));
        let mut other = Self {
            edges: edges.collect(),
            ..self.clone()
        };
        let constant = (0..self.constant.len()).map(|layer| {
            let moved = self.drive(layer, state) - other.drive(layer, state);
            self.constant[layer].clone() + moved
        });
        other.constant = constant.collect();
        other
    }

    /// The drive of a layer, `[batch, n_units]`.
    pub fn drive(&self, layer: usize, state: &State) -> Tensor<2> {
        let mut drive = None;
        for edge in &self.edges {
            if [edge.from, edge.to] == [layer; 2] {
                add(&mut drive, edge.connection.within(state.layer(layer)));
                continue;
            }
            if edge.to == layer {
                let pre = state.layer(edge.from).clone();
                add(&mut drive, edge.connection.forward(pre));
            }
            if edge.from == layer {
                let (post, pre) = (state.layer(edge.to).clone(), state.layer(edge.from));
                add(&mut drive, edge.connection.backward(post, pre));
            }
        }
        add(&mut drive, self.constant[layer].clone());
        drive.expect("the constant part was added")
    }

    /// The contrast of an energy `E = … − Σ_k b_k·s_k` over connections with these `ends`, averaged over the
    /// batch. `each` registers that of one connection, from its index, its two ends and the scale of a sum
    /// over the batch.
    pub fn contrast(
        &self,
        ends: &[(usize, usize)],
        biases: &[Param<Tensor<1>>],
        [first, second]: [&State; 2],
        scale: f64,
        each: impl Fn(usize, [StatePair<'_>; 2], f64, &mut Gradients),
    ) -> Gradients {
        let input = &self.input();
        let scale = scale / first.batch_size() as f64;
        let mut gradients = Gradients::new();
        let pair = |layer: usize| match layer {
            0 => StatePair::Clamped(input),
            free => StatePair::Free(first.layer(free - 1), second.layer(free - 1)),
        };
        for (connection, &(from, to)) in ends.iter().enumerate() {
            each(connection, [pair(from), pair(to)], scale, &mut gradients);
        }
        for (index, bias) in biases.iter().enumerate() {
            // ∂E/∂b = −s
            let states = [first, second].map(|state| state.layer(index));
            let contrast = bias::contrast(states[0], states[1], bias, -scale);
            gradients.register(bias.id, contrast);
        }
        gradients
    }
}

impl Shortcuts for &ClampedGraph {
    /// If fast code knows all connections.
    fn drives(&self) -> Option<Drives<'_>> {
        Some(Drives::Sums {
            constant: &self.constant,
            edges: self
                .edges
                .iter()
                .map(Edge::as_data)
                .collect::<Option<_>>()?,
        })
    }
}

/// Groups free layers `0 .. n_layers` so that no connection joins two layers of a group:
/// greedy coloring in the order of the layers, which finds even and odd in a chain.
pub fn color(n_layers: usize, ends: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let joined = |a: usize, b: usize| ends.contains(&(a, b)) || ends.contains(&(b, a));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for layer in 0..n_layers {
        let free = groups
            .iter_mut()
            .find(|group| group.iter().all(|&other| !joined(layer + 1, other + 1)));
        match free {
            Some(group) => group.push(layer),
            None => groups.push(vec![layer]),
        }
    }
    groups
}

/// Adds to a sum that may still be empty.
pub fn add<const D: usize>(sum: &mut Option<Tensor<D>>, term: Tensor<D>) {
    *sum = Some(match sum.take() {
        Some(sum) => sum + term,
        None => term,
    });
}

/// A connection between two free layers, counted from 0, with its parameters fixed.
#[derive(Debug, Clone)]
pub struct Edge {
    /// Presynaptic layer: the start of the forward direction.
    pub from: usize,
    /// Postsynaptic layer: the end of the forward direction.
    pub to: usize,
    /// Both directions.
    pub connection: PreparedConnection,
    packed: Packed,
}

impl Edge {
    /// A connection between two free layers.
    pub fn new(from: usize, to: usize, connection: PreparedConnection) -> Self {
        Self {
            from,
            to,
            connection,
            packed: Packed::default(),
        }
    }

    /// The edge as data for fast code, if fast code knows its connection.
    pub fn as_data(&self) -> Option<fused::Edge<'_>> {
        Some(fused::Edge {
            from: self.from,
            to: self.to,
            weights: self.connection.weights()?,
            packed: &self.packed,
        })
    }
}
