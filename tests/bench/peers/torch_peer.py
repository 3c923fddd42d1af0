"""The same work as bench.c in eager PyTorch, in a lean loop: no DataLoader, no .item() inside the loop.

usage: torch_peer.py train|train-wide|train-table|sample  -> prints seconds per step (or per request), one line for each round
"""

import math
import sys
import time

import torch

torch.set_num_threads(1)
torch.manual_seed(0)


def sinusoid(timesteps, width):
    position = torch.arange(1, timesteps + 1, dtype=torch.float32)[:, None]
    r = torch.arange(0, width, 2, dtype=torch.float32)
    angle = position / 10000 ** (r / (width - 2))
    table = torch.empty(timesteps, width)
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
    return table


class Chain(torch.nn.Module):
    def __init__(self, width, layers, timesteps):
        super().__init__()
        sizes = [2] + [width] * layers
        self.hidden = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.times = torch.nn.ModuleList(torch.nn.Linear(width, width) for _ in range(layers))
        self.out = torch.nn.Linear(width, 2)
        self.register_buffer("table", sinusoid(timesteps, width))

    def forward(self, x, t):
        embedded = self.table[t]
        for hidden, times in zip(self.hidden, self.times):
            x = torch.nn.functional.silu(hidden(x) + times(embedded))
        return self.out(x)


def schedule(timesteps):
    beta = torch.linspace(8e-6, 9e-5, timesteps) * 1000 / timesteps
    return beta, torch.cumprod(1 - beta, 0)


def train(width, layers, batch, steps, timesteps=40):
    model = Chain(width, layers, timesteps)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    _, abar = schedule(timesteps)
    signal, noise = abar.sqrt(), (1 - abar).sqrt()
    points = torch.rand(10000, 2) * 2 - 1
    order = torch.randperm(10000)

    def step(i):
        first = i * batch % (10000 - batch)
        x = points[order[first : first + batch]]
        t = torch.randint(0, timesteps, (batch,))
        eps = torch.randn(batch, 2)
        x_t = signal[t, None] * x + noise[t, None] * eps
        loss = torch.nn.functional.mse_loss(model(x_t, t), eps)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    for i in range(20):
        step(i)
    began = time.process_time()
    for i in range(steps):
        step(i)
    return (time.process_time() - began) / steps


class TableChain(torch.nn.Module):
    """The network of the preset `table`: Fourier features of the input, given coordinates, time and label as a factor,
    and the probabilities of the values of every third column, which has 8."""

    OCTAVES = 3
    LEVELS = 8
    CLASSES = 2

    def __init__(self, dim, width, layers, timesteps):
        super().__init__()
        sizes = [dim * (2 * (1 + 2 * self.OCTAVES) + 1)] + [width] * layers
        self.hidden = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.times = torch.nn.ModuleList(torch.nn.Linear(width, width) for _ in range(layers))
        self.labels = torch.nn.ModuleList(torch.nn.Embedding(self.CLASSES + 1, width) for _ in range(layers))
        self.few = torch.arange(1, dim, 3)
        self.many = torch.tensor([j for j in range(dim) if j % 3 != 1])
        self.order = torch.cat([self.many, self.few]).argsort()
        self.out = torch.nn.Linear(width, len(self.many) + self.LEVELS * len(self.few))
        self.register_buffer("table", sinusoid(timesteps, width))
        inner = torch.special.ndtri(torch.arange(1, self.LEVELS) / self.LEVELS)
        self.register_buffer("ends", torch.cat([torch.tensor([-50.0]), inner, torch.tensor([50.0])]))

    def from_levels(self, logits, x, signal, noise):
        """v of the columns with few values: x [n][columns], logits [n][columns][levels]."""
        variance = signal**2 / 4 + noise**2
        center, spread = signal / 2 / variance * x, noise / variance.sqrt()
        at = (self.ends - center[..., None]) / spread[..., None]
        share, density = torch.special.ndtr(at).diff(), (at**2 / -2).exp().diff() / -math.sqrt(2 * math.pi)
        weight = logits.clamp(-20, 20).exp()
        mean = (weight * density).sum(-1) / (weight * share).sum(-1)
        return (signal * x - (center + spread * mean) / 2) / noise

    def forward(self, x, given, t, label, signal, noise):
        parts, sine, cosine = [x], (3 * x).sin(), (3 * x).cos()
        for _ in range(self.OCTAVES):
            parts += [sine, cosine]
            sine, cosine = 2 * sine * cosine, 1 - 2 * sine * sine
        features = torch.cat(parts, 1)
        known = given.repeat(1, len(parts))
        h = torch.cat([features * (1 - known), given, features * known], 1)
        embedded = self.table  # of all timesteps, because a batch has nearly all of them
        for hidden, times, labels in zip(self.hidden, self.times, self.labels):
            factor = torch.nn.functional.embedding(t, times(embedded)) + labels(label)  # faster backward than [t]
            h = torch.nn.functional.silu(hidden(h) * factor)
        out, logits = self.out(h).split([len(self.many), self.LEVELS * len(self.few)], 1)
        logits = logits.unflatten(1, (len(self.few), self.LEVELS))
        few = self.from_levels(logits, x[:, self.few], signal, noise)
        return torch.cat([out, few], 1).index_select(1, self.order)


def train_table(dim, width, layers, batch, steps, timesteps=100, rows=28672, focus=0.3):
    """Normal scores of intervals of ranks, drawn anew in each epoch; masks; v; Adam with a cosine; averaged weights."""
    model = TableChain(dim, width, layers, timesteps)
    parameters = list(model.parameters())
    average = [p.detach().clone() for p in parameters]
    optimiser = torch.optim.Adam(parameters, lr=6e-3, eps=1e-8)
    ratio = 0.01 * 1000 ** torch.linspace(0, 1, timesteps)
    signal, noise = 1 / (1 + ratio**2).sqrt(), ratio / (1 + ratio**2).sqrt()
    angles = torch.atan(ratio / focus)  # uniform in the angle: half of the batch has less noise than the focus
    edges = torch.cat([angles[:1] * 0, (angles[1:] + angles[:-1]) / 2, angles[-1:] + 1])
    classes = torch.randint(0, TableChain.CLASSES, (rows,))
    low = torch.rand(rows, dim) * 0.9
    high = low + 0.1 * torch.rand(rows, dim)

    def draw():
        u = torch.lerp(low, high, torch.rand(rows, dim))
        return 0.5 * torch.special.ndtri(u.clamp(1e-6, 1 - 1e-6)), torch.randperm(rows)

    points, order = draw()

    def step(i):
        nonlocal points, order
        first = i * batch % (rows - batch + 1)
        if first < batch:
            points, order = draw()
        for group in optimiser.param_groups:
            group["lr"] = 6e-3 * 0.5 * (1 + math.cos(math.pi * i / 16000))
        chosen = order[first : first + batch]
        x = points[chosen]
        label = classes[chosen].masked_fill(torch.rand(batch) < 0.1, TableChain.CLASSES)
        t = torch.searchsorted(edges, torch.rand(batch) * float(angles[-1]), right=True).clamp(1, timesteps) - 1
        share = torch.rand(batch, 1) * (torch.arange(batch)[:, None] % 2)
        given = (torch.rand(batch, dim) < share).float()
        eps = torch.randn(batch, dim)
        s, n = signal[t, None], noise[t, None]
        x_t = torch.where(given > 0, x, s * x + n * eps)
        free = 1 - given
        loss = ((model(x_t, given, t, label, s, n) - (s * eps - n * x)) ** 2 * free).sum() / free.sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            torch._foreach_mul_(average, 0.999)
            torch._foreach_add_(average, parameters, alpha=0.001)

    for i in range(20):
        step(i)
    began = time.process_time()
    for i in range(steps):
        step(i)
    return (time.process_time() - began) / steps


@torch.no_grad()
def sample(width, layers, n, timesteps=40):
    model = Chain(width, layers, timesteps)
    beta, abar = schedule(timesteps)
    before = torch.cat([torch.ones(1), abar[:-1]])
    from_x0 = beta * before.sqrt() / (1 - abar)
    from_xt = (1 - before) * (1 - beta).sqrt() / (1 - abar)
    deviation = (beta * (1 - before) / (1 - abar)).sqrt()

    def once():
        x = torch.randn(n, 2)
        for t in reversed(range(timesteps)):
            eps = model(x, torch.full((n,), t))
            x0 = (x / abar[t].sqrt() - (1 / abar[t] - 1).sqrt() * eps).clamp(-1, 1)
            x = from_x0[t] * x0 + from_xt[t] * x
            if t > 0:
                x = x + deviation[t] * torch.randn(n, 2)
        return x

    once()
    began = time.process_time()
    once()
    return time.process_time() - began


WORK = {
    "train": lambda: train(32, 3, 32, 500),
    "train-wide": lambda: train(128, 3, 512, 100),
    "train-table": lambda: train_table(14, 128, 3, 512, 56),
    "sample": lambda: sample(32, 3, 1000),
}

if __name__ == "__main__":
    name, rounds = sys.argv[1], int(sys.argv[2])
    for _ in range(rounds):
        print(f"{WORK[name]():.9f}", flush=True)
