"""Checks that the programs of this folder compute the same gradient, and the right one.

- `closed_form` against `autograd`, on the workloads as they are timed but for a smaller batch, in
  float64; and each in float32 against that.
- Two training steps of `closed_form` against two of `autograd` with torch's SGD.
- `closed_form` against finite differences of the cost at the free equilibrium, in float64, with a
  small beta and long phases.
- The predictive coding network against backpropagation, which it approximates for small beta.

Prints the largest relative difference of each workload; exits with 1 if one is too large.
"""

import sys
from dataclasses import replace

import torch

import autograd
import backprop
import closed_form
import common
from common import Batch, Model, Nudging, Parameters, Workload

BATCH = 4

# Rounding: about 1e-7 of a state, divided by its relative change under the nudge, which is some
# percent, and added up over hundreds of steps.
FLOAT32 = 1e-4
# The difference of two mean energies has lost more digits than that of two states.
FLOAT32_OF_ENERGIES = 1e-2
FLOAT64 = 1e-9
# The estimate is off by O(beta^2) or O(beta), and by what a unit contributes that the nudge or the
# finite difference takes to an end of its range. A forgotten factor of 2 would be off by 0.5.
TRUE_GRADIENT = 1e-2
# What remains are the bias of a finite beta and the ends of the range of ReLU.
COSINE_TO_BACKPROP = 0.99


def problem(workload: Workload, dtype: torch.dtype = torch.float64):
    """Parameters and a batch: the same numbers in every precision."""
    torch.set_default_dtype(torch.float32)
    # With Glorot's weights the outputs of random inputs are all at an end of their range, where
    # the gradient is zero.
    workload = replace(workload, gain=workload.gain or 0.5)
    parameters = common.initial_parameters(workload, 0, "cpu")
    # Biases that leave no unit exactly at an end of its range, where derivatives jump.
    generator = torch.Generator().manual_seed(100)
    for bias in parameters.biases:
        bias.copy_(0.1 + 0.1 * torch.rand(bias.shape, generator=generator))
    batch = common.random_batch(workload, BATCH, 1, "cpu")
    torch.set_default_dtype(dtype)
    cast = lambda tensor: tensor.to(dtype, copy=True)
    return parameters.map(cast), Batch(cast(batch.input), cast(batch.target))


def difference(first: Parameters, second: Parameters) -> float:
    """The largest `|first - second| / |second|` of a parameter."""
    pairs = ((a.double(), b.double()) for a, b in zip(first.all(), second.all()))
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)


def of_closed_form(workload: Workload, dtype: torch.dtype, packed: bool = False) -> Parameters:
    return closed_form.estimator(workload, *problem(workload, dtype), packed).gradients()


def of_autograd(workload: Workload, dtype: torch.dtype) -> Parameters:
    return autograd.gradients(workload, *problem(workload, dtype))


def updates(workload: Workload) -> float:
    """The parameters after both kinds of update, against those of autograd and torch's SGD."""
    parameters, batch = problem(workload)
    fused = closed_form.estimator(workload, parameters.map(torch.clone), batch)
    stored = closed_form.estimator(workload, parameters.map(torch.clone), batch)
    published = parameters.map(torch.clone)
    step = autograd.make_step(workload, published, batch, None)
    for _ in range(2):
        fused.step()
        stored.step_with_optimizer(stored.parameters.map(torch.zeros_like))
        step()
    moved = lambda new: Parameters(
        *(
            [(b - a).detach() for a, b in zip(old, group)]
            for old, group in (
                (parameters.weights, new.weights),
                (parameters.biases, new.biases),
            )
        )
    )
    updates = [moved(new) for new in (fused.parameters, stored.parameters, published)]
    return max(difference(update, updates[-1]) for update in updates[:2])


def against_finite_differences(workload: Workload) -> float:
    """The derivative of the cost along random directions, one for each parameter."""
    parameters, batch = problem(workload)
    centered = workload.model is Model.HOPFIELD
    workload = replace(
        workload,
        beta=1e-4,
        nudging=Nudging.CENTERED if centered else Nudging.ONE_SIDED,
        free_steps=400,
        nudged_steps=400 if centered else workload.nudged_steps,
    )
    copy = parameters.map(torch.clone)
    gradients = closed_form.estimator(workload, copy, batch).gradients()
    generator = torch.Generator().manual_seed(3)

    def cost(shifted: Parameters) -> float:
        network = autograd.Network(workload, shifted)
        return float(network.cost(network.free(batch)[-1], batch.target).mean())

    worst = 0.0
    for index, gradient in enumerate(gradients.all()):
        # Mostly along the gradient, so that the derivative is not small against its parts.
        noise = torch.randn(gradient.shape, generator=generator)
        direction = gradient / gradient.norm() + 0.5 * noise / noise.norm()
        costs = []
        for sign in (1, -1):
            shifted = parameters.map(torch.clone)
            shifted.all()[index].add_(direction, alpha=sign * 1e-5)
            costs.append(cost(shifted))
        derivative = (costs[0] - costs[1]) / 2e-5
        estimate = float((gradient * direction).sum())
        worst = max(worst, abs(estimate - derivative) / abs(derivative))
    return worst


def cosine_to_backprop(workload: Workload) -> float:
    """The smallest cosine similarity of a parameter's gradient."""
    parameters, batch = problem(workload)
    estimate = closed_form.estimator(workload, parameters.map(torch.clone), batch).gradients()
    truth = backprop.gradients(workload, parameters, batch)
    pairs = zip(estimate.all(), truth.all())
    cosine = torch.nn.functional.cosine_similarity
    return min(float(cosine(a.flatten(), b.flatten(), dim=0)) for a, b in pairs)


def main() -> int:
    failed = False

    def report(what: str, value: float, ok: bool) -> None:
        nonlocal failed
        failed |= not ok
        print(f"  {what:45} {value:.2e}{'' if ok else '   TOO FAR'}", flush=True)

    for name, workload in common.WORKLOADS.items():
        print(name)
        reference = of_autograd(workload, torch.float64)
        value = difference(of_closed_form(workload, torch.float64), reference)
        report("closed form against autograd, float64", value, value < FLOAT64)
        value = difference(of_closed_form(workload, torch.float32), reference)
        report("closed form in float32", value, value < FLOAT32)
        if workload.model is Model.HOPFIELD and all(isinstance(n, int) for n in workload.layers):
            value = difference(of_closed_form(workload, torch.float32, packed=True), reference)
            report("closed form in float32, packed", value, value < FLOAT32)
        value = difference(of_autograd(workload, torch.float32), reference)
        report("autograd in float32", value, value < FLOAT32_OF_ENERGIES)
        value = updates(workload)
        report("two updates against autograd's, float64", value, value < FLOAT64)
        value = against_finite_differences(workload)
        report("against finite differences of the cost", value, value < TRUE_GRADIENT)
        if workload.model is Model.PREDICTIVE_CODING:
            value = cosine_to_backprop(workload)
            report("smallest cosine to backprop", value, value > COSINE_TO_BACKPROP)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
