"""Equilibrium propagation as a careful user of PyTorch would write it.

Drives, minimizers and gradients are written out by hand and no graph is recorded. What the clamped
input contributes is computed once per batch, buffers are reused, a centered estimate relaxes both
signs of beta as one batch of twice the size, and the update of plain SGD is added to the
parameters by the product that makes the gradient.

With `--packed` the products between free dense layers go to oneDNN with the weights reordered once
per batch, as PyTorch's compiler does for frozen models: faster on many CPUs, but only reached by
operators that PyTorch does not document.
"""

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F

import common
from common import Batch, Model, Nudging, Parameters, Scheme, Workload


class Estimator:
    """A network, one batch, and the buffers of a training step.

    ```text
    g = 1/(beta_1 - beta_2) mean[ dE/dtheta(s at beta_1) - dE/dtheta(s at beta_2) ]
    ```

    A subclass relaxes in `relax`, and adds `factors[k]` times the contrast of the negative
    parameter gradients of layer `k`, summed over the batch, to `keep` times a target in `contrast`.
    """

    def __init__(self, workload: Workload, parameters: Parameters, batch: Batch):
        self.workload = workload
        self.parameters = parameters
        self.batch = batch
        self.n_examples = len(batch.target)
        beta = workload.beta
        centered = workload.nudging is Nudging.CENTERED
        self.betas = [beta, -beta] if centered else [beta]
        self.n_nudged = len(self.betas) * self.n_examples
        self.inverse = 1 / (2 * beta if centered else beta)
        like = batch.target
        # One row for each nudged example, and the sign of each row in the contrast, whose second
        # half is the other equilibrium.
        self.beta_rows = like.new_tensor(self.betas).repeat_interleave(self.n_examples)[:, None]
        self.signs = like.new_tensor([1.0, -1.0]).repeat_interleave(self.n_examples)[:, None]
        self.pull = self.beta_rows * batch.target.repeat(len(self.betas), 1)
        self.shrink = 1 / (1 + self.beta_rows)

    def relax(self) -> None:
        raise NotImplementedError

    def contrast(self, targets: Parameters, factors: list[float], keep: float) -> None:
        raise NotImplementedError

    @torch.no_grad()
    def gradients(self) -> Parameters:
        """The gradient of the mean cost."""
        gradients = self.parameters.map(torch.zeros_like)
        self.relax()
        factor = -self.inverse / self.n_examples
        self.contrast(gradients, [factor] * len(gradients.weights), keep=0.0)
        return gradients

    @torch.no_grad()
    def step(self) -> None:
        """A training step: gradient and update in one."""
        self.relax()
        scale = self.inverse / self.n_examples
        rates = [scale * rate for rate in self.workload.learning_rates]
        self.contrast(self.parameters, rates, keep=1.0)

    @torch.no_grad()
    def step_with_optimizer(self, gradients: Parameters) -> None:
        """A training step whose gradients are stored before the update, for any optimizer."""
        self.relax()
        factor = -self.inverse / self.n_examples
        self.contrast(gradients, [factor] * len(gradients.weights), keep=0.0)
        for parameters, values in (
            (self.parameters.weights, gradients.weights),
            (self.parameters.biases, gradients.biases),
        ):
            for parameter, gradient, rate in zip(parameters, values, self.workload.learning_rates):
                parameter.add_(gradient, alpha=-rate)


class Products:
    """Products with the couplings of even and odd layers, by the BLAS library of PyTorch."""

    def __init__(self, couplings: torch.Tensor, scale: float):
        self.scale = scale
        # Group 0 is driven through the transpose.
        self.factors = (couplings.t(), couplings)

    def hold(self) -> None:
        """Called once per batch, before the relaxation."""

    def add(self, group: int, base: torch.Tensor, other: torch.Tensor, out: torch.Tensor):
        """`base` plus the drive that the other group exerts."""
        return torch.addmm(base, other, self.factors[group], alpha=self.scale, out=out)


class PackedProducts:
    """Products with the couplings of even and odd layers, by oneDNN with packed weights."""

    def __init__(self, couplings: torch.Tensor, scale: float, n_rows: int):
        self.couplings = couplings
        self.scale = scale
        self.n_rows = n_rows
        self.factors = ()

    def hold(self) -> None:
        scaled = self.couplings if self.scale == 1.0 else self.couplings * self.scale
        pack = torch.ops.mkldnn._reorder_linear_weight
        transposed = scaled.t().contiguous()
        self.factors = (pack(scaled, self.n_rows), pack(transposed, self.n_rows))

    def add(self, group: int, base: torch.Tensor, other: torch.Tensor, out: torch.Tensor):
        return torch.ops.mkldnn._linear_pointwise.binary(
            other, base, self.factors[group], None, "add"
        )


class DenseHopfield(Estimator):
    """A chain of dense layers with the Hopfield energy.

    Layers of even and of odd index interact only with each other. The layers of a group lie side
    by side in one matrix, and all weights between free layers are blocks of one matrix of
    couplings, so that a step of the whole network is two products, however many layers there are.
    """

    def __init__(self, workload: Workload, parameters: Parameters, batch: Batch, packed: bool):
        super().__init__(workload, parameters, batch)
        sizes = workload.layers
        self.n_layers = len(sizes)
        self.columns = [slice(0)] * self.n_layers
        self.n_units = []
        for group in common.groups(self.n_layers):
            start = 0
            for layer in group:
                self.columns[layer] = slice(start, start + sizes[layer])
                start += sizes[layer]
            self.n_units.append(start)
        self.hidden = [slice(0, n_units) for n_units in self.n_units]
        self.output = self.n_layers - 1
        self.output_group = self.output % 2
        if not workload.clipped_output:
            self.hidden[self.output_group] = slice(0, self.columns[self.output].start)

        like = batch.target
        couplings = like.new_zeros(self.n_units)
        self.parameters = Parameters([parameters.weights[0]], parameters.biases)
        for layer in range(1, self.n_layers):
            even, odd = (layer - 1, layer) if layer % 2 else (layer, layer - 1)
            block = couplings[self.columns[even], self.columns[odd]]
            block = block if layer % 2 else block.t()
            block.copy_(parameters.weights[layer])
            self.parameters.weights.append(block)
        # One step of the gradient flow moves by epsilon times the drive.
        self.scale = workload.step_size
        if packed:
            self.products = PackedProducts(couplings, self.scale, self.n_nudged)
        else:
            self.products = Products(couplings, self.scale)

        n_rows = 2 * self.n_examples
        buffers = lambda: [like.new_empty(n_rows, n_units) for n_units in self.n_units]
        self.constants, self.buffers, self.spares = buffers(), buffers(), buffers()
        self.states = buffers()

    def clamp(self) -> None:
        """What bias and input contribute to each step: epsilon times their drive."""
        biases = self.parameters.biases
        n, scale = self.n_examples, self.scale
        first = self.constants[0][:n, self.columns[0]]
        weight = self.parameters.weights[0]
        torch.addmm(biases[0], self.batch.input, weight, beta=scale, alpha=scale, out=first)
        for layer in range(1, self.n_layers):
            constant = self.constants[layer % 2][:n, self.columns[layer]]
            constant.copy_(biases[layer]).mul_(scale)

    def nudge(self) -> None:
        """Repeats the constants for each beta, and adds the pull of the target."""
        n = self.n_examples
        if len(self.betas) == 2:
            for constant in self.constants:
                constant[n:].copy_(constant[:n])
        output = self.constants[self.output_group][: self.n_nudged, self.columns[self.output]]
        output.add_(self.pull, alpha=self.scale)

    def relax(self) -> None:
        self.products.hold()
        self.clamp()
        n = self.n_examples
        rest = [buffer[:n].zero_() for buffer in self.buffers]
        free = self.phase(rest, self.workload.free_steps, nudged=False)
        self.nudge()
        if len(self.betas) == 2:
            start = [state.repeat(2, 1) for state in free]
            self.states = self.phase(start, self.workload.nudged_steps, nudged=True)
        else:
            # The free equilibrium is the second half of the contrast.
            for state, equilibrium in zip(self.states, free):
                state[n:].copy_(equilibrium)
            nudged = self.phase(free, self.workload.nudged_steps, nudged=True)
            for state, equilibrium in zip(self.states, nudged):
                state[:n].copy_(equilibrium)

    def phase(self, states: list, n_steps: int, nudged: bool) -> list:
        flow = self.workload.scheme is Scheme.GRADIENT_FLOW
        step = self.flow_step if flow else self.asynchronous_step
        n_rows = len(states[0])
        constants = [constant[:n_rows] for constant in self.constants]
        spares = [spare[:n_rows] for spare in self.spares]
        for _ in range(n_steps):
            states, spares = step(states, spares, constants, nudged)
        return states

    def asynchronous_step(self, states, spares, constants, nudged):
        """Each group in turn to its minimum: `clip(drive)`, `(drive + beta y)/(1 + beta)`."""
        states = list(states)
        for group in (0, 1):
            state = self.products.add(group, constants[group], states[1 - group], states[group])
            if nudged and group == self.output_group:
                state[:, self.columns[self.output]].mul_(self.shrink)
            self.clip(group, state)
            states[group] = state
        return states, spares

    def flow_step(self, states, spares, constants, nudged):
        """All layers at once: `s <- clip((1 - epsilon) s + epsilon (drive + beta (y - s)))`."""
        new = []
        for group in (0, 1):
            out = spares[group]
            torch.add(constants[group], states[group], alpha=1 - self.scale, out=out)
            if nudged and group == self.output_group:
                columns = self.columns[self.output]
                output = states[group][:, columns]
                out[:, columns].addcmul_(output, self.beta_rows, value=-self.scale)
            out = self.products.add(group, out, states[1 - group], out)
            self.clip(group, out)
            new.append(out)
        return new, states

    def clip(self, group: int, state: torch.Tensor) -> None:
        columns = self.hidden[group]
        if columns.stop == self.n_units[group]:
            state.clamp_(0, 1)
        elif columns.stop > 0:
            state[:, columns].clamp_(0, 1)

    def contrast(self, targets: Parameters, factors: list[float], keep: float) -> None:
        n = self.n_examples
        even, odd = self.states
        signed_odd = torch.mul(odd, self.signs, out=self.spares[1])
        differences = [torch.sub(s[:n], s[n:], out=b[:n]) for s, b in zip(self.states, self.buffers)]
        for layer in range(self.n_layers):
            columns = self.columns[layer]
            difference = differences[layer % 2][:, columns]
            bias = targets.biases[layer]
            bias.mul_(keep).add_(difference.sum(0), alpha=factors[layer])
            if layer == 0:
                below, above = self.batch.input, difference
            elif layer % 2:
                below, above = even[:, self.columns[layer - 1]], signed_odd[:, columns]
            else:
                below, above = signed_odd[:, self.columns[layer - 1]], even[:, columns]
            targets.weights[layer].addmm_(below.t(), above, beta=keep, alpha=factors[layer])


class ConvolutionalHopfield(Estimator):
    """Two layers of feature maps behind convolutions with 2x2 max pooling, and a linear output.

    The units that win their pooling windows are kept from the step of the maps above to that of
    the maps below, so that each step takes one convolution and one transposed convolution.
    """

    def __init__(self, workload: Workload, parameters: Parameters, batch: Batch):
        super().__init__(workload, parameters, batch)
        assert workload.scheme is Scheme.ASYNCHRONOUS and not workload.clipped_output
        assert workload.nudging is Nudging.CENTERED
        if not batch.input.is_cuda:
            # Channels last, where pooling on a CPU is faster.
            last = lambda maps: maps.to(memory_format=torch.channels_last)
            self.parameters = parameters.map(lambda p: last(p) if p.dim() == 4 else p)
            self.batch = Batch(last(batch.input), batch.target)

    def relax(self) -> None:
        (kernel, _, _), biases = self.parameters.weights, self.parameters.biases
        convolved = F.conv2d(self.batch.input, kernel, biases[0])
        clamped, self.input_winners = F.max_pool2d(convolved, 2, return_indices=True)
        # From rest the layers above exert nothing in the first half of the first step.
        below = clamped.clamp(0, 1)
        output = biases[2].expand_as(self.batch.target)
        above, winners = self.maps_above(below, output)
        output_constant = biases[2]
        state = below, above, winners, output
        for _ in range(self.workload.free_steps - 1):
            state = self.step_from(state, clamped, output_constant, None)
        state = [part.repeat(2, *[1] * (part.dim() - 1)) for part in state]
        clamped = clamped.repeat(2, 1, 1, 1)
        output_constant = biases[2] + self.pull
        for _ in range(self.workload.nudged_steps):
            state = self.step_from(state, clamped, output_constant, self.shrink)
        self.state = state

    def step_from(self, state, clamped, output_constant, shrink):
        """Even layers and then odd ones, each to its minimum."""
        below, above, winners, output = state
        _, kernel, weight = self.parameters.weights
        below = F.conv_transpose2d(F.max_unpool2d(above, winners, 2), kernel)
        below.add_(clamped).clamp_(0, 1)
        output = torch.addmm(output_constant, above.flatten(1), weight)
        if shrink is not None:
            output.mul_(shrink)
        above, winners = self.maps_above(below, output)
        return below, above, winners, output

    def maps_above(self, below, output):
        """The second layer of maps at its minimum, and the winners of its windows."""
        _, kernel, weight = self.parameters.weights
        convolved = F.conv2d(below, kernel, self.parameters.biases[1])
        pooled, winners = F.max_pool2d(convolved, 2, return_indices=True)
        pooled.add_(torch.mm(output, weight.t()).view(pooled.shape))
        return pooled.clamp_(0, 1), winners

    def contrast(self, targets: Parameters, factors: list[float], keep: float) -> None:
        n = self.n_examples
        below, above, winners, output = self.state
        difference = below[:n] - below[n:]
        signed_above = above * self.signs[:, :, None, None]
        signed_output = output * self.signs
        products = (
            correlate(self.batch.input, difference, self.input_winners, targets.weights[0]),
            correlate(below, signed_above, winners, targets.weights[1]),
        )
        for weight, product, factor in zip(targets.weights, products, factors):
            weight.mul_(keep).add_(product, alpha=factor)
        output_weight = targets.weights[2]
        output_weight.addmm_(above.flatten(1).t(), signed_output, beta=keep, alpha=factors[2])
        sums = difference.sum((0, 2, 3)), signed_above.sum((0, 2, 3)), signed_output.sum(0)
        for bias, total, factor in zip(targets.biases, sums, factors):
            bias.mul_(keep).add_(total, alpha=factor)


def correlate(below, above, winners, kernel):
    """The derivative of `<above, P(K * below)>` with respect to K, summed over the batch."""
    size = below.shape[-2] - kernel.shape[-2] + 1, below.shape[-1] - kernel.shape[-1] + 1
    unpooled = F.max_unpool2d(above, winners, 2, output_size=size)
    return torch.ops.aten.convolution_backward(
        unpooled, below, kernel, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [False, True, False]
    )[1]


class PredictiveCoding(Estimator):
    """Three dense layers with the energy of a predictive coding network, ReLU and a linear output.

    ```text
    h_k <- ReLU(f_k(h_{k-1}) + [(h_{k+1} - f_{k+1}(h_k)) * f'_{k+1}] W_{k+1}^T),   f_k = ReLU(a_k)
    h_L <- a_L - beta (h_L - y)
    ```

    The free equilibrium is one forward pass, where the parameter gradient of the energy is zero.
    The asynchronous step updates layers 1 and 3, then layer 2; in the first one only the output
    moves in the first half.
    """

    def __init__(self, workload: Workload, parameters: Parameters, batch: Batch):
        super().__init__(workload, parameters, batch)
        assert len(workload.layers) == 3 and workload.nudging is Nudging.ONE_SIDED
        assert workload.nudged_steps > 0

    def relax(self) -> None:
        weights, biases = self.parameters.weights, self.parameters.biases
        target, beta = self.batch.target, self.workload.beta
        backward = [weight.t() for weight in weights]
        drive_1 = torch.addmm(biases[0], self.batch.input, weights[0])
        prediction_1 = drive_1.relu()
        h_1 = prediction_1
        drive_2 = torch.addmm(biases[1], h_1, weights[1])
        prediction_2 = drive_2.relu()
        h_2 = prediction_2
        h_3 = drive_3 = torch.addmm(biases[2], h_2, weights[2])
        for step in range(self.workload.nudged_steps):
            if step > 0:
                drive_3 = torch.addmm(biases[2], h_2, weights[2])
                error_2 = (h_2 - prediction_2).mul_(drive_2 > 0)
                h_1 = torch.addmm(prediction_1, error_2, backward[1]).relu_()
                drive_2 = torch.addmm(biases[1], h_1, weights[1])
                prediction_2 = drive_2.relu()
            h_3 = drive_3 - beta * (h_3 - target)
            h_2 = torch.addmm(prediction_2, h_3 - drive_3, backward[2]).relu_()
        drive_3 = torch.addmm(biases[2], h_2, weights[2])
        self.errors = [
            (h_1 - prediction_1).mul_(drive_1 > 0),
            (h_2 - prediction_2).mul_(drive_2 > 0),
            h_3 - drive_3,
        ]
        self.inputs = [self.batch.input, h_1, h_2]

    def contrast(self, targets: Parameters, factors: list[float], keep: float) -> None:
        layers = zip(targets.weights, targets.biases, self.inputs, self.errors, factors)
        for weight, bias, below, error, factor in layers:
            weight.addmm_(below.t(), error, beta=keep, alpha=factor)
            bias.mul_(keep).add_(error.sum(0), alpha=factor)


def estimator(
    workload: Workload, parameters: Parameters, batch: Batch, packed: bool = False
) -> Estimator:
    if workload.model is Model.PREDICTIVE_CODING:
        return PredictiveCoding(workload, parameters, batch)
    if any(isinstance(layer, common.Maps) for layer in workload.layers):
        return ConvolutionalHopfield(workload, parameters, batch)
    return DenseHopfield(workload, parameters, batch, packed)


def graph_of(step: Callable[[], None]) -> Callable[[], None]:
    """The step as one CUDA graph, which spares launching every kernel by itself."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def make_step(
    workload: Workload, parameters: Parameters, batch: Batch, options: argparse.Namespace
) -> Callable[[], None]:
    network = estimator(workload, parameters, batch, options.packed)
    step = network.step
    if options.stored_gradients:
        gradients = network.parameters.map(torch.zeros_like)
        step = lambda: network.step_with_optimizer(gradients)
    if options.compile:
        step = torch.compile(step)
    if options.device.startswith("cuda") and not options.no_graph:
        step = graph_of(step)
    return step


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--packed", action="store_true", help="oneDNN with packed dense weights")
    parser.add_argument("--compile", action="store_true", help="torch.compile the whole step")
    parser.add_argument(
        "--stored-gradients",
        action="store_true",
        help="store the gradients before the update, as another optimizer would need them",
    )
    parser.add_argument("--no-graph", action="store_true", help="no CUDA graph on a GPU")


if __name__ == "__main__":
    common.run("closed_form", make_step, add_options)
