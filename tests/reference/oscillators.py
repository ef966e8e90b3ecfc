"""Independent float64 reference values for networks of coupled phase oscillators.

The state is one angle for each oscillator.  Energies are written pair by pair, and every slope, curvature and gradient
comes from automatic differentiation of the energy in the angles.  Run with `pip install torch` and `python oscillators.py`;
it rewrites the `oscillators_*.json` files beside it.

    E(phi) = - sum_{i-j} J_ij cos(phi_i - phi_j) - sum_i h_i cos phi_i - 1/2 sum_i S_i cos 2 phi_i
    h      = x W0 + b0 in the first layer, b_k in the others; J_ij between neighboring layers, [n_in, n_out]
    C      = 1/2 sum_out (cos phi - (2 y - 1))^2                 per example
    phi    = a strict minimum of E + beta C near that of E, slope below 1e-14 (Newton's method)

Gradients are those of the batch mean of C.  "exact" is - dE/dtheta . H^-1 dC/dphi, "one_sided" and "centered" are the
differences of dE/dtheta of equilibrium propagation.  A state is stored as all cosines of a layer before all sines.
"""

import json
import pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent


def tolist(t):
    return {"shape": list(t.shape), "data": [float(v) for v in t.detach().reshape(-1)]}


class Network:
    def __init__(self, sizes, harmonic, batch, seed):
        torch.manual_seed(seed)
        self.sizes, self.n = sizes, len(sizes) - 1
        self.params = {"W0": torch.randn(sizes[0], sizes[1]) * 0.4 / sizes[0] ** 0.5}
        for k in range(1, self.n):
            self.params[f"W{k}"] = torch.randn(sizes[k], sizes[k + 1])
        for k in range(self.n):
            self.params[f"b{k}"] = torch.randn(sizes[k + 1]) * 0.2
        for k in range(self.n):
            self.params[f"S{k}"] = harmonic * (2 * torch.rand(sizes[k + 1]) - 1)
        for value in self.params.values():
            value.requires_grad_()
        self.input = torch.rand(batch, sizes[0])
        self.labels = torch.randint(sizes[-1], (batch,))
        self.target = torch.nn.functional.one_hot(self.labels, sizes[-1]).to(torch.float64)

    def split(self, phi):
        return list(phi.split(self.sizes[1:], dim=-1))

    def energy(self, phi, x):
        """Of one example."""
        p, layers = self.params, self.split(phi)
        energy = 0.0
        for k, angles in enumerate(layers):
            field = p[f"b{k}"] + (x @ p["W0"] if k == 0 else 0.0)
            energy = energy - (field * torch.cos(angles)).sum()
            energy = energy - 0.5 * (p[f"S{k}"] * torch.cos(2 * angles)).sum()
            if k:
                apart = layers[k - 1][:, None] - angles[None, :]
                energy = energy - (p[f"W{k}"] * torch.cos(apart)).sum()
        return energy

    def cost(self, phi, y):
        return 0.5 * ((torch.cos(self.split(phi)[-1]) - (2 * y - 1)) ** 2).sum()

    def minimum(self, start, x, y, beta):
        total = lambda phi: self.energy(phi, x) + beta * self.cost(phi, y)
        phi = start.clone()
        for _ in range(400 if beta == 0.0 else 0):
            phi = (phi - 0.2 * torch.func.grad(total)(phi)).detach()
        for _ in range(25):
            hessian = torch.func.hessian(total)(phi)
            phi = (phi - torch.linalg.solve(hessian, torch.func.grad(total)(phi))).detach()
        slope = torch.func.grad(total)(phi).abs().max().item()
        lowest = torch.linalg.eigvalsh(torch.func.hessian(total)(phi)).min().item()
        assert slope < 1e-14 and lowest > 0.05, (slope, lowest)
        return phi


def case(name, sizes, harmonic, beta, seed, batch=3):
    net = Network(sizes, harmonic, batch, seed)
    n = sum(sizes[1:])
    examples = list(zip(net.input, net.target))
    free = [net.minimum(torch.full((n,), torch.pi / 4), x, y, 0.0) for x, y in examples]
    nudged = {
        sign: [net.minimum(f, x, y, b) for f, (x, y) in zip(free, examples)]
        for sign, b in [("positive", beta), ("negative", -beta)]
    }
    print(name, "least |sin| of an output", min(
        torch.sin(net.split(f)[-1]).abs().min().item() for f in free))
    names = list(net.params)

    def slopes(states):
        energy = sum(net.energy(s, x) for s, (x, _) in zip(states, examples)) / batch
        found = torch.autograd.grad(energy, [net.params[k] for k in names], allow_unused=True)
        return dict(zip(names, found))

    at = {kind: slopes(states) for kind, states in [("free", free), *nudged.items()]}
    costates = []
    for state, (x, y) in zip(free, examples):
        hessian = torch.func.hessian(lambda phi: net.energy(phi, x))(state).detach()
        force = torch.func.grad(lambda phi: net.cost(phi, y))(state).detach()
        costates.append(torch.linalg.solve(hessian, force))
    objective = 0.0
    for state, costate, (x, _) in zip(free, costates, examples):
        phi = state.clone().requires_grad_()
        (slope,) = torch.autograd.grad(net.energy(phi, x), phi, create_graph=True)
        objective = objective - (costate * slope).sum() / batch
    exact = dict(zip(names, torch.autograd.grad(objective, [net.params[k] for k in names])))
    gradients = {
        "one_sided": {k: (at["positive"][k] - at["free"][k]) / beta for k in names},
        "centered": {k: (at["positive"][k] - at["negative"][k]) / (2 * beta) for k in names},
        "exact": exact,
    }
    for kind in ["one_sided", "centered"]:
        a, b = (torch.cat([g[k].flatten() for k in names]) for g in [gradients[kind], exact])
        print(f"{name} {kind:10s} relative error {float((a - b).norm() / b.norm()):.2e}")

    def layers(states):
        angles = net.split(torch.stack(states))
        return {"state": [tolist(torch.cat([torch.cos(a), torch.sin(a)], dim=1)) for a in angles]}

    of_each = lambda f: tolist(torch.stack([f(s, *e) for s, e in zip(free, examples)]))
    data = {
        "name": name,
        "sizes": sizes,
        "beta": beta,
        "params": {k: tolist(v) for k, v in net.params.items()},
        "input": tolist(net.input),
        "labels": net.labels.tolist(),
        "free": {
            **layers(free),
            "energy": of_each(lambda s, x, y: net.energy(s, x)),
            "cost": of_each(lambda s, x, y: net.cost(s, y)),
        },
        "nudged": {sign: layers(states) for sign, states in nudged.items()},
        "gradients": {
            kind: {k: tolist(g) for k, g in found.items()} for kind, found in gradients.items()
        },
    }
    (HERE / f"{name}.json").write_text(json.dumps(data))


if __name__ == "__main__":
    case("oscillators_plain", [4, 6, 5, 3], 0.0, 0.01, seed=4)
    case("oscillators_harmonic", [4, 6, 5, 3], 0.3, 0.01, seed=4)
