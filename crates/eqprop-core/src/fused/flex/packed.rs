//! A connection between two free layers, packed for many steps.

use std::sync::OnceLock;

use super::floats::Floats;
use crate::fused::{Edge, Response, Weights};
use crate::geometry::ConvolutionGeometry;
use crate::kernel;
use crate::kernel::Right;
use crate::kernel::channels_last::ChannelsLast;
use crate::kernel::convolution::{Geometry, PackedConvolution, Pool};
use crate::shape::LayerShape;

/// A connection with its weights packed for both directions.
#[derive(Debug)]
pub enum PackedConnection {
    /// `s_from W` and `s_to Wᵀ`.
    Dense(Box<PackedDense>),
    /// `P(K ∗ s_from)` and its adjoint.
    Convolution(Box<PackedConvolution>),
    /// Units are connected one to one.
    Identity,
}

/// Weights of a dense connection, packed for a direction when it is first needed.
#[derive(Debug)]
pub struct PackedDense {
    /// Forward and backward, both `[n_in, n_out]`.
    weights: [Floats; 2],
    units: [usize; 2],
    orders: [ChannelsLast; 2],
    forward: OnceLock<Right>,
    backward: OnceLock<Right>,
}

impl PackedDense {
    /// `W`.
    pub fn forward(&self) -> &Right {
        self.forward.get_or_init(|| {
            let [weights, _] = self.weights.each_ref().map(Floats::slice);
            let [n_in, n_out] = self.units;
            if self.is_plain() {
                return Right::of_rows(weights, n_in, n_out);
            }
            Right::new(n_in, n_out, |from, to| weights[self.place(from, to)])
        })
    }

    /// `Wᵀ`.
    pub fn backward(&self) -> &Right {
        self.backward.get_or_init(|| {
            let [_, weights] = self.weights.each_ref().map(Floats::slice);
            let [n_in, n_out] = self.units;
            if self.is_plain() {
                return Right::of_transposed(weights, n_out, n_in);
            }
            Right::new(n_out, n_in, |to, from| weights[self.place(from, to)])
        })
    }

    /// Packs both directions, for a relaxation that is about to need them.
    pub fn pack(&self) {
        self.forward();
        self.backward();
    }

    /// Whether [`forward`](Self::forward), which this packs, has [products](Right::multiply_transposed) for both
    /// directions.
    pub fn forward_serves_both(&self) -> bool {
        self.is_tied() && self.forward().has_transposed()
    }

    /// Multiplications per example in both directions, which is also the number of weights that a step reads.
    pub fn work(&self) -> usize {
        2 * self.units.iter().product::<usize>()
    }

    /// Whether both directions share the same weights.
    pub fn is_tied(&self) -> bool {
        let [forth, back] = self.weights.each_ref().map(Floats::slice);
        core::ptr::eq(forth, back)
    }

    fn is_plain(&self) -> bool {
        self.orders.iter().all(|order| order.is_plain())
    }

    /// Index of the weight from one unit to another.
    fn place(&self, from: usize, to: usize) -> usize {
        let [below, above] = self.orders;
        below.place(from) * self.units[1] + above.place(to)
    }
}

impl PackedConnection {
    /// Packs an edge between layers of these shapes; `None` if its weights are not available as slices or
    /// its convolution is not supported.
    fn new(weights: Weights<'_>, [from, to]: [LayerShape; 2]) -> Option<Self> {
        Some(match weights {
            Weights::Dense([forth, back]) => Self::Dense(Box::new(PackedDense {
                weights: [Floats::of(forth)?, Floats::of(back)?],
                units: [from.n_units(), to.n_units()],
                orders: [order(from), order(to)],
                forward: OnceLock::new(),
                backward: OnceLock::new(),
            })),
            Weights::Convolution([forth, back], geometry) => {
                let (forth, back) = (Floats::of(forth)?, Floats::of(back)?);
                let kernels = [forth.slice(), back.slice()];
                let packed = PackedConvolution::new(kernels, self::geometry(geometry)?);
                Self::Convolution(Box::new(packed))
            }
            Weights::Identity => Self::Identity,
        })
    }

    /// Packs both directions, for a relaxation that is about to need them.
    pub fn pack(&self) {
        if let Self::Dense(dense) = self {
            dense.pack();
        }
    }

    /// Packs one direction where that [serves both](PackedDense::forward_serves_both).
    pub fn pack_once(&self) {
        match self {
            Self::Dense(dense) if dense.forward_serves_both() => {}
            _ => self.pack(),
        }
    }

    /// Number of weights that a step reads.
    pub fn n_weights(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.work(),
            Self::Convolution(convolution) => convolution.n_weights(),
            Self::Identity => 0,
        }
    }

    /// Multiplications per example in both directions.
    pub fn work(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.work(),
            Self::Convolution(convolution) => convolution.work(),
            Self::Identity => 0,
        }
    }
}

impl<'a> Edge<'a> {
    /// The connection packed for layers of these shapes; `None` if its parameters are not in `f32` on
    /// `flex` or it is not supported.
    pub fn pack(self, shapes: [LayerShape; 2]) -> Option<&'a PackedConnection> {
        let pack = || PackedConnection::new(self.weights, shapes);
        self.packed.get_or_pack(pack)
    }

    /// [`pack`](Self::pack) for a dense connection between layers of `units` units; `None` for any other.
    pub fn pack_dense(self, units: [usize; 2]) -> Option<&'a PackedDense> {
        if !matches!(self.weights, Weights::Dense(_)) {
            return None;
        }
        match self.pack(units.map(LayerShape::Flat))? {
            PackedConnection::Dense(dense) => Some(dense),
            PackedConnection::Convolution(_) | PackedConnection::Identity => None,
        }
    }
}

/// The order of a layer's units in the kernels.
pub fn order(shape: LayerShape) -> ChannelsLast {
    match shape.maps() {
        Some([channels, height, width]) => ChannelsLast::new(channels, height * width),
        None => ChannelsLast::new(1, shape.n_units()),
    }
}

/// A convolution in the kernels' terms; `None` if they do not support it.
pub fn geometry(geometry: ConvolutionGeometry) -> Option<Geometry> {
    let ConvolutionGeometry {
        config,
        input,
        output,
    } = geometry;
    let geometry = Geometry {
        input,
        output,
        kernel: config.kernel,
        stride: config.stride,
        padding: config.padding,
        pool: Pool {
            size: config.pooling.size(),
            is_max: config.pooling.is_max(),
        },
    };
    geometry.is_supported().then_some(geometry)
}

/// A response in the kernels' precision.
pub fn response(response: Response) -> kernel::response::Response {
    use kernel::response::Response as Of;
    match response {
        Response::Clip(bounds) => Of::Clip(bounds.map(|bound| bound as f32)),
        Response::Halves => Of::Halves,
        Response::Logistic => Of::Logistic,
        Response::HyperbolicTangent => Of::HyperbolicTangent,
    }
}
