"""Independent float64 reference values for networks with weights of their own in each direction.

There is no energy; Jacobians, actions and gradients come from automatic differentiation of the drives,
so that no hand-written derivative or transposed weight is shared with the code under test.  Run with
`pip install torch` and `python untied.py`; it rewrites the `untied_*.json` files beside it.

    drive_k(s) = b_k + s_{k-1} W_{k-1} + s_{k+1} B_k^T      forward W, feedback B of the shape of W_k
    s         <- sigma(drive(s))                            free equilibrium s0, residual below 1e-14
    C          = 1/2 |s_out - y|^2                          per example

With F(s) = drive(s) - sigma^{-1}(s), J = d drive / ds at s0 and Delta, m the difference and the mean of two states
at nudging factors beta_1 and beta_2, every estimate is

    g = -1/(beta_1 - beta_2) mean over the batch of d/dtheta [Delta . drive(theta, m)],  Delta and m held

    field       s <- sigma(drive(s) - beta dC/ds)                          biased: it solves J where J^T is needed
    asymmetric  s <- sigma(drive(s) - (J - J^T)(s - s0) - beta dC/ds)
    dyadic      a, b at the stationary point of
                A = G(a) - G(b) - (a - b) . drive((a + b)/2) + beta_1 C(a) - beta_2 C(b)
                a <- sigma(d Phi/da - beta_1 dC/da),  b <- sigma(-d Phi/db - beta_2 dC/db)
                with Phi = (a - b) . drive((a + b)/2)

"exact" is backpropagation through the relaxation, unrolled at the equilibrium.  Gradients are those of the batch
mean of C.  Dense weights are [n_in, n_out]; sigmoid is 1/(1 + exp(-4(u - 1/2))).
"""

import json
import pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
SIGMA = {
    "sigmoid": lambda u: torch.sigmoid(4 * u - 2),
    "tanh": torch.tanh,
    "identity": lambda u: u,
}
STEPS = 1500


def tolist(t):
    return {"shape": list(t.shape), "data": [float(v) for v in t.detach().reshape(-1)]}


class Network:
    def __init__(self, sizes, hidden, output, batch, seed):
        torch.manual_seed(seed)
        self.sizes, self.n = sizes, len(sizes) - 1
        self.sigma = [SIGMA[hidden]] * (self.n - 1) + [SIGMA[output]]
        self.params = {}
        for k in range(self.n):
            shape = sizes[k], sizes[k + 1]
            self.params[f"W{k}"] = torch.randn(*shape) * 0.8 / sizes[k] ** 0.5
            self.params[f"b{k}"] = torch.randn(sizes[k + 1]) * 0.2 + 0.2
            if k:
                self.params[f"B{k}"] = torch.randn(*shape) * 0.8 / sizes[k + 1] ** 0.5
        for value in self.params.values():
            value.requires_grad_()
        self.input = torch.rand(batch, sizes[0])
        self.labels = torch.randint(sizes[-1], (batch,))
        self.target = torch.nn.functional.one_hot(self.labels, sizes[-1]).to(torch.float64)

    def split(self, flat):
        return list(flat.split(self.sizes[1:], dim=-1))

    def drive(self, flat, x, params=None):
        """The drives of all layers side by side."""
        p = params or self.params
        s = [x] + self.split(flat)
        drives = []
        for k in range(1, self.n + 1):
            u = p[f"b{k - 1}"] + s[k - 1] @ p[f"W{k - 1}"]
            if k < self.n:
                u = u + s[k + 1] @ p[f"B{k}"].T
            drives.append(u)
        return torch.cat(drives, dim=-1)

    def respond(self, flat):
        return torch.cat([f(u) for f, u in zip(self.sigma, self.split(flat))], dim=-1)

    def cost(self, flat):
        return 0.5 * ((self.split(flat)[-1] - self.target) ** 2).sum(-1)

    def force(self, flat):
        """dC/ds, by automatic differentiation."""
        flat = flat.detach().requires_grad_()
        return torch.autograd.grad(self.cost(flat).sum(), flat)[0]


def settle(step, state):
    for _ in range(STEPS):
        state = (0.5 * state + 0.5 * step(state)).detach()
    residual = (step(state) - state).abs().max().item()
    assert residual < 1e-14, residual
    return state


def case(name, sizes, hidden, output, beta, seed, batch=4):
    net = Network(sizes, hidden, output, batch, seed)
    held = {k: v.detach() for k, v in net.params.items()}
    x = net.input
    n_units = sum(sizes[1:])
    free = settle(lambda s: net.respond(net.drive(s, x, held)), torch.zeros(batch, n_units))

    one = lambda s, x: net.drive(s, x, held)
    jacobian = torch.func.vmap(torch.func.jacrev(one))(free, x)
    twice_antisymmetric = jacobian - jacobian.transpose(1, 2)

    def field(b):
        return settle(lambda s: net.respond(net.drive(s, x, held) - b * net.force(s)), free)

    def asymmetric(b):
        def step(s):
            correction = torch.einsum("eij,ej->ei", twice_antisymmetric, s - free)
            return net.respond(net.drive(s, x, held) - correction - b * net.force(s))

        return settle(step, free)

    def dyadic(b1, b2):
        def step(both):
            a, b = both.detach().chunk(2, dim=1)
            a, b = a.requires_grad_(), b.requires_grad_()
            phi = ((a - b) * net.drive(0.5 * (a + b), x, held)).sum()
            of_a, of_b = torch.autograd.grad(phi, [a, b])
            a, b = of_a - b1 * net.force(a), -of_b - b2 * net.force(b)
            return torch.cat([net.respond(a), net.respond(b)], dim=1)

        return settle(step, torch.cat([free, free], dim=1)).chunk(2, dim=1)

    names = list(net.params)

    def estimate(first, second, difference):
        objective = ((first - second) * net.drive(0.5 * (first + second), x)).sum(1).mean()
        found = torch.autograd.grad(objective, [net.params[n] for n in names])
        return {n: -g / difference for n, g in zip(names, found)}

    plus, minus = asymmetric(beta), asymmetric(-beta)
    pair, single = dyadic(beta, -beta), dyadic(beta, 0.0)
    gradients = {
        "field_centered": estimate(field(beta), field(-beta), 2 * beta),
        "asymmetric_one_sided": estimate(plus, free, beta),
        "asymmetric_centered": estimate(plus, minus, 2 * beta),
        "dyadic_one_sided": estimate(*single, beta),
        "dyadic_centered": estimate(*pair, 2 * beta),
    }
    through = free
    for _ in range(400):
        through = net.respond(net.drive(through, x))
    exact = torch.autograd.grad(net.cost(through).mean(), [net.params[n] for n in names])
    gradients["exact"] = dict(zip(names, exact))
    for kind, found in gradients.items():
        pairs = [(found[n].flatten(), gradients["exact"][n].flatten()) for n in names]
        cosines = [float(a @ b / (a.norm() * b.norm())) for a, b in pairs]
        a, b = (torch.cat(side) for side in zip(*pairs))
        off = float((a - b).norm() / b.norm())
        print(f"{name} {kind:22s} lowest cosine {min(cosines):.6f} relative error {off:.2e}")

    def layers(flat):
        return {"state": [tolist(s) for s in net.split(flat)]}

    data = {
        "name": name,
        "sizes": sizes,
        "hidden": hidden,
        "output": output,
        "beta": beta,
        "params": {k: tolist(v) for k, v in net.params.items()},
        "input": tolist(x),
        "labels": net.labels.tolist(),
        "free": {**layers(free), "cost": tolist(net.cost(free))},
        "nudged": {
            "asymmetric_positive": layers(plus),
            "asymmetric_negative": layers(minus),
            "dyadic_first": layers(pair[0]),
            "dyadic_second": layers(pair[1]),
        },
        "gradients": {
            kind: {n: tolist(g) for n, g in found.items()} for kind, found in gradients.items()
        },
    }
    (HERE / f"{name}.json").write_text(json.dumps(data))


if __name__ == "__main__":
    case("untied_2_hidden", [5, 7, 6, 4], "sigmoid", "sigmoid", 0.05, seed=1)
    case("untied_3_hidden", [5, 7, 6, 5, 4], "tanh", "identity", 0.05, seed=2)
