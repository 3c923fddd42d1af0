"""The same work as bench.c in eager PyTorch, in a lean loop: no DataLoader, no .item() inside the loop.

usage: torch_peer.py train|train-wide|sample  -> prints seconds per step (or per request), one line for each round
"""

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
    began = time.perf_counter()
    for i in range(steps):
        step(i)
    return (time.perf_counter() - began) / steps


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
    began = time.perf_counter()
    once()
    return time.perf_counter() - began


WORK = {
    "train": lambda: train(32, 3, 32, 500),
    "train-wide": lambda: train(128, 3, 512, 100),
    "sample": lambda: sample(32, 3, 1000),
}

if __name__ == "__main__":
    name, rounds = sys.argv[1], int(sys.argv[2])
    for _ in range(rounds):
        print(f"{WORK[name]():.9f}", flush=True)
