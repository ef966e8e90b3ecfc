"""Independent float64 reference values for predictive coding with residual blocks and the factors of muPC.

Every slope is by automatic differentiation of the energy, or of the cost as a function of the errors, so that no
hand-written derivative or transposed weight is shared with the code under test.  Run with `pip install torch` and
`python deep.py`; it rewrites the `deep_*.json` files beside it.

    E(h) = 1/2 sum_k |h_k - f_k(h_{k-1})|^2,  h_0 = x
    f_k(h) = sigma_k(c_k (r_{k-1}(h) W_k + b_k) [+ h])                   [+ h] where an identity leads to layer k
    r_k = sigma, sigma_k = 1  where an identity leads to or from layer k;  r_k = 1, sigma_k = sigma  elsewhere
    c_1 = 1/sqrt(D),  c_k = 1/sqrt(N), or 1/sqrt(N L) with an identity,  c_L = 1/N

"elsewhere" is some state, with the energy, its slopes in the layers and the slopes of its batch mean in the
parameters.  "nudged" are the minima of E + beta C over h, by Newton's method; the same minima are found once more by
gradient descent in the errors e_k = h_k - f_k(h_{k-1}), and both must agree.  "descended" are the states after one and
after three steps of size 1/2 of that descent, at +beta from e = 0, and "held" after three steps with the output held at the
target: E then is a function of the errors of the other layers.  "centered" is the contrast of the minima at +beta
and -beta, "exact" backpropagation, of the batch mean of C = 1/2 |h_L - y|^2.
"""

import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
SIGMA = {"tanh": torch.tanh, "softplus": torch.nn.functional.softplus, "identity": lambda u: u}


def tolist(t):
    return {"shape": list(t.shape), "data": [float(v) for v in t.detach().reshape(-1)]}


class Network:
    def __init__(self, sizes, hidden, residual, seed):
        torch.manual_seed(seed)
        self.sizes, self.n, self.residual = sizes, len(sizes) - 1, residual
        self.params = {}
        for k in range(self.n):
            self.params[f"W{k}"] = torch.randn(sizes[k], sizes[k + 1])
            self.params[f"b{k}"] = 0.5 * torch.randn(sizes[k + 1])
        for value in self.params.values():
            value.requires_grad_()
        sigma = [SIGMA["identity"]] + [SIGMA[hidden]] * (self.n - 1) + [SIGMA["identity"]]
        in_stream = [k in residual or k + 1 in residual for k in range(self.n + 1)]
        one = SIGMA["identity"]
        self.sent = [s if inside else one for s, inside in zip(sigma, in_stream)]
        self.response = [one if inside else s for s, inside in zip(sigma, in_stream)]

    def factor(self, k):
        n_in = self.sizes[k - 1]
        if k == 1:
            return 1 / math.sqrt(n_in)
        if k == self.n:
            return 1 / n_in
        return 1 / math.sqrt(n_in * self.n) if k in self.residual else 1 / math.sqrt(n_in)

    def predict(self, k, below):
        arrived = self.sent[k - 1](below) @ self.params[f"W{k - 1}"] + self.params[f"b{k - 1}"]
        drive = self.factor(k) * arrived
        return self.response[k](drive + below if k in self.residual else drive)

    def energy(self, x, layers):
        terms, below = 0.0, x
        for k, value in enumerate(layers, start=1):
            terms = terms + 0.5 * ((value - self.predict(k, below)) ** 2).sum(-1)
            below = value
        return terms

    def states(self, x, errors):
        layers, below = [], x
        for k, error in enumerate(errors, start=1):
            below = self.predict(k, below) + error
            layers.append(below)
        return layers


def cost(output, target):
    return 0.5 * ((output - target) ** 2).sum(-1)


def case(name, sizes, hidden, residual, beta, seed, batch=3):
    net = Network(sizes, hidden, residual, seed)
    x, n = torch.rand(batch, sizes[0]) * 2 - 0.5, len(sizes) - 1
    labels = torch.randint(sizes[-1], (batch,))
    target = torch.nn.functional.one_hot(labels, sizes[-1]).to(torch.float64)
    zeros = lambda: [torch.zeros(batch, size) for size in sizes[1:]]
    free = net.states(x, zeros())
    names = list(net.params)
    split = lambda flat: list(flat.split(sizes[1:], dim=-1))

    def minimum(beta):
        """Over the state, by Newton's method."""
        def total(flat, x, y):
            layers = split(flat)
            return net.energy(x, layers) + beta * cost(layers[-1], y)

        state = torch.cat(free, dim=-1).detach()
        for _ in range(20):
            slopes = torch.func.vmap(torch.func.grad(total))(state, x, target)
            hessian = torch.func.vmap(torch.func.hessian(total))(state, x, target)
            state = (state - torch.linalg.solve(hessian, slopes.unsqueeze(-1)).squeeze(-1)).detach()
        assert slopes.abs().max() < 1e-14, slopes.abs().max()
        return split(state)

    def descend(beta, step, n_steps, held=False):
        """Over the errors, from 0."""
        errors = zeros()
        for _ in range(n_steps):
            errors = [error.detach().requires_grad_() for error in errors]
            layers = net.states(x, errors)
            if held:
                output = net.predict(n, layers[-2])
                total = 0.5 * sum((error**2).sum() for error in errors[:-1]) + cost(target, output).sum()
                slopes = [*torch.autograd.grad(total, errors[:-1]), torch.zeros_like(errors[-1])]
            else:
                total = 0.5 * sum((error**2).sum() for error in errors)
                total = total + beta * cost(layers[-1], target).sum()
                slopes = torch.autograd.grad(total, errors)
            errors = [error - step * slope for error, slope in zip(errors, slopes)]
        layers = net.states(x, errors)
        return [*layers[:-1], target] if held else layers

    def slopes(layers):
        """Of the batch mean of the energy, in the parameters."""
        energy = net.energy(x, [layer.detach() for layer in layers]).mean()
        return dict(zip(names, torch.autograd.grad(energy, [net.params[name] for name in names])))

    nudged = {sign: minimum(b) for sign, b in [("positive", beta), ("negative", -beta)]}
    by_errors = descend(beta, 0.5, 400)
    apart = max(float((a - b).abs().max()) for a, b in zip(by_errors, nudged["positive"]))
    assert apart < 1e-13, apart
    first, second = slopes(nudged["positive"]), slopes(nudged["negative"])
    centered = {name: (first[name] - second[name]) / (2 * beta) for name in names}
    exact = torch.autograd.grad(cost(free[-1], target).mean(), [net.params[name] for name in names])
    exact = dict(zip(names, exact))
    off = max(float((centered[k] - exact[k]).norm() / exact[k].norm()) for k in names)
    print(f"{name}: centered within {off:.2e} of backpropagation, minima within {apart:.1e}")

    elsewhere = [torch.randn(batch, size).requires_grad_() for size in sizes[1:]]
    energy = net.energy(x, elsewhere)
    of_layers = torch.autograd.grad(energy.sum(), elsewhere)
    data = {
        "sizes": sizes,
        "hidden": hidden,
        "residual": residual,
        "beta": beta,
        "factors": [net.factor(k) for k in range(1, n + 1)],
        "params": {k: tolist(v) for k, v in net.params.items()},
        "input": tolist(x),
        "labels": labels.tolist(),
        "free": [tolist(layer) for layer in free],
        "elsewhere": {
            "state": [tolist(layer) for layer in elsewhere],
            "energy": tolist(energy),
            "slopes": [tolist(slope) for slope in of_layers],
            "gradients": {k: tolist(g) for k, g in slopes(elsewhere).items()},
        },
        "nudged": {
            sign: {
                "state": [tolist(layer) for layer in layers],
                "energy": tolist(net.energy(x, layers)),
            }
            for sign, layers in nudged.items()
        },
        "descended": {
            "one": [tolist(layer) for layer in descend(beta, 0.5, 1)],
            "three": [tolist(layer) for layer in descend(beta, 0.5, 3)],
            "held": [tolist(layer) for layer in descend(beta, 0.5, 3, held=True)],
        },
        "gradients": {
            "centered": {k: tolist(g) for k, g in centered.items()},
            "exact": {k: tolist(g) for k, g in exact.items()},
        },
    }
    (HERE / f"{name}.json").write_text(json.dumps(data))


if __name__ == "__main__":
    # A residual block between all hidden layers, between two of them, and none.
    case("deep_residual", [5, 6, 6, 6, 4], "tanh", [2, 3], 0.05, seed=1)
    case("deep_mixed", [4, 5, 6, 6, 3], "softplus", [3], 0.05, seed=2)
    case("deep_chain", [4, 5, 6, 5, 3], "tanh", [], 0.05, seed=3)
