//! The phases of a training configuration, and the estimator that they make.

use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme, Stopping};

use super::{DynamicsKind, NudgingKind, TrainingConfig};
use crate::estimator::EquilibriumPropagation;

impl TrainingConfig {
    /// Equilibrium propagation as configured.
    pub fn estimator(&self) -> EquilibriumPropagation {
        let phase = |stopping| Relaxation {
            dynamics: self.scheme(self.dynamics),
            stopping,
        };
        let (free, nudged) = (phase(self.free_stopping()), phase(self.nudged_stopping()));
        EquilibriumPropagation::new(self.nudging(), free, nudged).with_seed(self.seed)
    }

    pub(crate) fn nudging(&self) -> Nudging {
        let beta = self.beta;
        match self.nudging {
            NudgingKind::OneSided => Nudging::OneSided { beta },
            NudgingKind::RandomSign => Nudging::RandomSign { beta },
            NudgingKind::Centered => Nudging::Centered { beta },
            NudgingKind::HigherOrder => Nudging::HigherOrder {
                beta,
                n_pairs: self.n_pairs,
            },
        }
    }

    /// The dynamics of a kind, with the options of this configuration.
    pub fn scheme(&self, kind: DynamicsKind) -> Scheme {
        match kind {
            DynamicsKind::Asynchronous => Scheme::Asynchronous,
            DynamicsKind::FixedPoint => Scheme::FixedPoint,
            DynamicsKind::GradientFlow => Scheme::GradientFlow {
                step_size: self.step_size,
            },
            DynamicsKind::Anderson => Scheme::Anderson {
                history: self.history,
                mixing: self.mixing,
            },
            DynamicsKind::AdaptiveFlow => Scheme::AdaptiveFlow {
                error: self.step_error,
            },
        }
    }

    pub(super) fn free_stopping(&self) -> Stopping {
        self.stopping(self.free_steps)
    }

    pub(super) fn nudged_stopping(&self) -> Stopping {
        self.stopping(self.nudged_steps)
    }

    fn stopping(&self, max_steps: usize) -> Stopping {
        Stopping {
            max_steps,
            tolerance: self.tolerance,
            check_every: self.check_every,
        }
    }
}
