"""The same work as bench.c in eager PyTorch, in a lean loop: no DataLoader, no .item() inside the loop.

usage: torch_peer.py train|train-wide|train-table|sample|train-images|train-images-last ROUNDS
           -> prints seconds per step (or per request), one line for each round
       torch_peer.py kernels  -> prints which kernels its libraries have chosen
"""

import ctypes
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
    optimiser = torch.optim.Adam(parameters, lr=4e-3, eps=1e-8)
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
            group["lr"] = 4e-3 * 0.5 * (1 + math.cos(math.pi * i / 16000))
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


class Norm(torch.nn.Module):
    """gain x / rms over the channels of a pixel."""

    def __init__(self, channels):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-5) * self.gain


class Block(torch.nn.Module):
    def __init__(self, inputs, outputs, embedding):
        super().__init__()
        self.norm1, self.norm2 = Norm(inputs), Norm(outputs)
        self.conv1 = torch.nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(outputs, outputs, 3, padding=1)
        self.time = torch.nn.Linear(embedding, 2 * outputs)
        self.skip = torch.nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else torch.nn.Identity()

    def forward(self, x, embedded):
        silu = torch.nn.functional.silu
        a, b = self.time(embedded)[:, :, None, None].chunk(2, 1)
        h = self.conv1(silu(self.norm1(x)))
        return self.conv2(silu(torch.addcmul(b, self.norm2(h), 1 + a))) + self.skip(x)


class UNet(torch.nn.Module):
    """The network of the preset `images`, as engine/network/unet.h has it."""

    def __init__(self, outer=32, inner=64, classes=10, timesteps=1000):
        super().__init__()
        embedding = 4 * outer
        self.register_buffer("table", sinusoid(timesteps, embedding))
        self.time = torch.nn.Linear(embedding, embedding)
        self.label = torch.nn.Embedding(classes + 1, embedding)
        self.into = torch.nn.Conv2d(4, outer, 3, padding=1)
        self.down = Block(outer, outer, embedding)
        self.shrink = torch.nn.Conv2d(4 * outer, inner, 1)
        self.middle = torch.nn.ModuleList(Block(inner, inner, embedding) for _ in range(2))
        self.grow = torch.nn.Conv2d(inner, 4 * outer, 1, bias=False)
        self.grow_bias = torch.nn.Parameter(torch.zeros(outer))
        self.up = Block(2 * outer, outer, embedding)
        self.norm = Norm(outer)
        self.out = torch.nn.Conv2d(outer, 4, 3, padding=1)

    def forward(self, x, t, label):
        functional = torch.nn.functional
        embedded = functional.silu(self.time(self.table[t]) + self.label(label))
        skip = self.down(self.into(functional.pixel_unshuffle(x, 2)), embedded)
        h = self.shrink(functional.pixel_unshuffle(skip, 2))
        for block in self.middle:
            h = block(h, embedded)
        grown = functional.conv2d(h, self.grow.weight, self.grow_bias.repeat_interleave(4))
        h = torch.cat([skip, functional.pixel_shuffle(grown, 2)], 1)
        h = self.up(h, embedded)
        return functional.pixel_shuffle(self.out(functional.silu(self.norm(h))), 2)


def train_images(steps, layout, batch=128, timesteps=1000):
    """v; a cosine schedule; Adam, with the gradient's norm limited, and averaged weights."""
    model = UNet().to(memory_format=layout)
    parameters = list(model.parameters())
    assert sum(p.numel() for p in parameters) == 282692  # as many as ours: dn_spec_parameters
    average = [p.detach().clone() for p in parameters]
    optimiser = torch.optim.Adam(parameters, lr=2e-3)
    angle = torch.linspace(0, math.pi / 2, timesteps + 2)[1:-1]
    signal, noise = angle.cos(), angle.sin()
    images = torch.rand(2 * batch, 1, 28, 28) * 2 - 1
    classes = torch.randint(0, 10, (2 * batch,))

    def step():
        chosen = torch.randperm(2 * batch)[:batch]
        x = images[chosen]
        label = classes[chosen].masked_fill(torch.rand(batch) < 0.1, 10)
        t = torch.randint(0, timesteps, (batch,))
        eps = torch.randn(batch, 1, 28, 28)
        s, n = signal[t, None, None, None], noise[t, None, None, None]
        x_t = (s * x + n * eps).contiguous(memory_format=layout)
        loss = torch.nn.functional.mse_loss(model(x_t, t, label), s * eps - n * x)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_mul_(average, 0.999)
            torch._foreach_add_(average, parameters, alpha=0.001)

    for _ in range(2):
        step()
    began = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - began) / steps


def kernels():
    """What the libraries that PyTorch has loaded say of themselves."""
    yield f"PyTorch {torch.__version__}"
    shown = (line.strip(" -") for line in torch.__config__.show().splitlines())
    yield from (line for line in shown if line.startswith(("Intel", "CPU capability")))
    with open("/proc/self/maps") as maps:
        libraries = sorted({line.split()[-1] for line in maps if "openblas" in line})
    for library in libraries[-1:]:
        core = ctypes.CDLL(library).openblas_get_corename
        core.restype = ctypes.c_char_p
        yield f"kernels of OpenBLAS {core().decode()}"


WORK = {
    "train": lambda: train(32, 3, 32, 500),
    "train-wide": lambda: train(128, 3, 512, 100),
    "train-table": lambda: train_table(14, 128, 3, 512, 56),
    "sample": lambda: sample(32, 3, 1000),
    "train-images": lambda: train_images(6, torch.contiguous_format),
    "train-images-last": lambda: train_images(6, torch.channels_last),
}

if __name__ == "__main__":
    if sys.argv[1] == "kernels":
        print("\n".join(kernels()))
        sys.exit()
    name, rounds = sys.argv[1], int(sys.argv[2])
    for _ in range(rounds):
        print(f"{WORK[name]():.9f}", flush=True)
