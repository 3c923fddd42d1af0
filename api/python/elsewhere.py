#!/usr/bin/env python3
"""Draws samples from an exported model without the server, with numpy alone.

    curl -s localhost:8080/v1/models/latest/weights.safetensors -o model.safetensors
    python3 elsewhere.py model.safetensors --n 1000 --seed 7 --sampler ddim --steps 20

prints the points of /v1/models/latest/samples.csv?n=1000&seed=7&sampler=ddim&steps=20, up to the rounding of
32-bit numbers. The server computes in float32, this program in float64. /docs/elsewhere has the same in formulas.
"""

import argparse
import json
import math
from statistics import NormalDist

import numpy as np

START, REVERSE, CLASS = 8, 9, 10  # the streams of random numbers: the start noise, the noise of each step, the first class


def read_safetensors(data):
    """The metadata, and the tensors by name: the length of a JSON header, the header, then the numbers."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    metadata = header.pop("__metadata__")
    return metadata, {name: np.frombuffer(data, "<f4", math.prod(entry["shape"]), end + entry["data_offsets"][0])
                      .reshape(entry["shape"]) for name, entry in header.items()}  # fmt: skip


# ---------------------------------------------------------------- schedule: x_t = signal[t] x_0 + noise[t] eps


def schedule(d):
    """signal and noise for t = 0..T, of the spec's part `diffusion`."""
    T, kind = d["timesteps"], d["beta_schedule"]
    if kind == "flow":  # a straight line from the data to the noise
        return [1 - t / T for t in range(T + 1)], [t / T for t in range(T + 1)]
    between = lambda first, last, t: first if T == 1 else first + (last - first) * (t - 1) / (T - 1)
    if kind in ("linear", "quadratic"):  # beta, or its square root, in equal steps
        first, last = 1000 / T * d["beta_start"], 1000 / T * d["beta_end"]
        if kind == "linear":
            beta = [between(first, last, t) for t in range(1, T + 1)]
        else:
            beta = [between(math.sqrt(first), math.sqrt(last), t) ** 2 for t in range(1, T + 1)]
    elif kind == "log_linear":  # (noise / signal)^2 in equal ratios
        first, last = math.log(d["ratio_min"]), math.log(d["ratio_max"])
        ratio = [0] + [math.exp(2 * (last if T == 1 else between(first, last, t))) for t in range(1, T + 1)]
        beta = [(ratio[t] - ratio[t - 1]) / (1 + ratio[t]) for t in range(1, T + 1)]
    else:  # alpha_bar is given, up to a factor
        if kind == "cosine":
            bar = [(math.cos((t / T + 0.008) / 1.008 * math.pi / 2)) ** 2 for t in range(T + 1)]
        else:  # sigmoid
            bar = [1 / (1 + math.exp(6 * t / T - 3)) - 1 / (1 + math.exp(3)) for t in range(T + 1)]
        beta = [min(max(1 - bar[t] / bar[t - 1], 0), 0.999) for t in range(1, T + 1)]
    bar = np.cumprod([1] + [1 - b for b in beta])  # alpha_bar
    signal, noise = np.sqrt(bar), np.sqrt(1 - bar)
    if d["zero_terminal_snr"]:
        signal[1:] = (signal[1:] - signal[T]) * signal[1] / (signal[1] - signal[T])
        noise[1:] = np.sqrt(1 - signal[1:] ** 2)
    return signal.tolist(), noise.tolist()


def timesteps(signal, noise, steps):
    """T = t_0 > t_1 > .. > t_steps = 0, such that atan(noise / signal) falls like (1 - k / steps)^2."""
    angle = [math.atan2(n, s) for s, n in zip(signal, noise)]
    chosen = [len(angle) - 1]
    for k in range(1, steps):
        wanted, t = angle[-1] * (1 - k / steps) ** 2, chosen[-1] - 1
        while t > steps - k and angle[t] + angle[t - 1] > 2 * wanted:
            t -= 1
        chosen.append(t)
    return [*chosen, 0]


# ---------------------------------------------------------------- noise: Philox 4x32-10, then Box-Muller


def philox(seed, stream, step, index):
    """Four 32-bit words for each block number of an array. Key: the seed; counter: block number, step, stream."""
    low = np.uint64(0xFFFFFFFF)
    index = np.asarray(index, np.uint64)
    c = [index & low, index >> np.uint64(32), np.full_like(index, step), np.full_like(index, stream)]
    for i in range(10):
        keys = [np.uint64(((seed >> shift) + i * weyl) & 0xFFFFFFFF) for shift, weyl in ((0, 0x9E3779B9), (32, 0xBB67AE85))]
        p, q = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [q >> np.uint64(32) ^ c[1] ^ keys[0], q & low, p >> np.uint64(32) ^ c[3] ^ keys[1], p & low]
    return c


def normals(seed, stream, step, count):
    """The first elements of an endless sequence of N(0, 1). 16 blocks make 64: words 0 and 1 of block b of a group
    become its elements b and 16 + b, words 2 and 3 the elements 32 + b and 48 + b."""
    words = philox(seed, stream, step, np.arange((count + 63) // 64 * 16))
    group = []
    for first, second in (words[:2], words[2:]):
        u = (first & np.uint64(0x7FFFFFFF)).astype(np.float32) * np.float32(2**-31) + np.float32(2**-32)
        turn = second.astype(np.uint32).view(np.int32).astype(np.float32).astype(float) * 2**-32
        radius = np.sqrt(-2 * np.log(u.astype(float)))
        group += [radius * np.cos(2 * np.pi * turn), radius * np.sin(2 * np.pi * turn)]
    return np.stack([words.reshape(-1, 16) for words in group], axis=1).reshape(-1)[:count]


# ---------------------------------------------------------------- the model


def sinusoid(H, t):
    """Sines and cosines of t in turn, each pair slower than the one before."""
    f = 10000.0 ** (-np.arange(0, H, 2) / max(H - 2, 1))
    return np.stack([np.sin(t * f), np.cos(t * f)], axis=1).reshape(H)


def swish(z):
    """z sigmoid(z); the minimum prevents an overflow."""
    return z / (1 + np.exp(np.minimum(-z, 80)))


def patches(x):
    """Images [n][h][w][c] to [n][h/2][w/2][c 2 2]."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, 4 * c)


def pixels(x):
    """Back."""
    n, h, w, c = x.shape
    return x.reshape(n, h, w, c // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * h, 2 * w, c // 4)


class Model:
    def __init__(self, data, dtype=np.float64):
        metadata, tensors = read_safetensors(data)
        self.dtype = dtype  # that the network and the points are computed in
        self.w = {name: tensor.astype(dtype) for name, tensor in tensors.items()}
        self.spec = json.loads(metadata["spec"])
        self.dim, self.classes = int(metadata["dim"]), int(metadata["classes"])
        transform = json.loads(metadata["transform"])
        dataset = self.spec["dataset"]
        self.shape = (dataset[0] if isinstance(dataset, list) else dataset).get("shape")  # of images
        self.shift, self.scale, self.low, self.high = (
            np.resize(transform[key], self.dim) for key in ("shift", "scale", "low", "high"))  # of images: for each channel
        self.class_counts = json.loads(metadata.get("class_counts", "[]"))
        self.quantiles = json.loads(metadata.get("quantiles", "null"))
        self.signal, self.noise = schedule(self.spec["diffusion"])
        self.ends = self.ends_of_levels() if self.quantiles and self.spec["network"]["output_levels"] else None
        self.moments = {name[8:]: np.array(tensor, float) for name, tensor in tensors.items() if name.startswith("moments.")}

    def ends_of_levels(self):
        """For each coordinate the upper ends of its values' intervals, as normal scores, each of which has an output; one
        end for a coordinate that the network predicts itself. Those with the fewest values come first."""
        spare = self.dim * (self.spec["network"]["output_levels"] - 1)
        shares = [[c["missing"]] * (c["missing"] > 0) + c["shares"] if not c["interpolates"] else [] for c in self.quantiles]
        ends = [np.array([np.inf])] * self.dim
        for count, j in sorted((len(column), j) for j, column in enumerate(shares) if len(column) > 1):
            if count - 1 > spare:
                break
            spare -= count - 1
            ends[j] = np.array([*map(normal_score, shares[j][:-1]), np.inf])
        return ends

    def labels(self, n, seed):
        """The class of each of the first n points: as often as in the data, or in turn if the classes are equally frequent."""
        if len(set(self.class_counts)) < 2:
            return np.arange(n) % max(self.classes, 1)
        start = [int(word[0]) for word in philox(seed, CLASS, 0, [0])]
        share = [((start[0] << 32) + start[1] + i * 0x9E3779B97F4A7C15) % 2**64 for i in range(n)]
        rows = [each * sum(self.class_counts) >> 64 for each in share]
        return np.searchsorted(np.cumsum(self.class_counts), rows, "right")

    def to_data(self, x):
        """From model units to data units. With quantiles: the share of N(0, 1) below a score, and the value there."""
        x = x / self.scale + self.shift
        if not self.quantiles:
            return x
        shares = 0.5 * np.vectorize(math.erfc)(-x / math.sqrt(2))
        return np.stack([value_at(column, shares[..., j]) for j, column in enumerate(self.quantiles)], axis=-1)

    def to_model(self, data):
        """From data units to model units."""
        if self.quantiles:
            middle = [[normal_score(share_of(column, value)) for value in data[:, j]] for j, column in enumerate(self.quantiles)]
            data = np.array(middle).T
        return (data - self.shift) * self.scale

    def network(self, x, t, labels, known):
        """The output for points x [n][dim] in model units at t = 1..T; label number `classes` is "no label". known [n][dim]:
        which coordinates are given."""
        w, spec = self.w, self.spec["network"]
        if spec.get("kind") == "unet":
            return self.unet(x, t, labels)
        s = sinusoid(spec["hidden_size"], t).astype(self.dtype)
        near = np.clip(x, -1000, 1000)
        waves = [wave(3 * 2**k * near) for k in range(spec["input_features"]) for wave in (np.sin, np.cos)]
        seen = [x, *waves]
        if self.spec["training"]["conditioning"] == "any":
            seen = [np.where(known, 0, h) for h in seen] + [known] + [np.where(known, h, 0) for h in seen]
        point, x = x, np.concatenate(seen, axis=1).astype(self.dtype)
        for layer in (f"layers.{l}." for l in range(spec["hidden_layers"])):
            if spec["time_embedding"] == "sinusoidal":
                e = w[layer + "time.weight"] @ s + w[layer + "time.bias"]
            else:
                e = w[layer + "time.weight"][t - 1]
            if self.classes:
                e = e + w[layer + "label.weight"][labels]
            z = x @ w[layer + "weight"].T + w[layer + "bias"]
            z = z + e if spec["conditioning"] == "add" else z * e
            x = swish(z)
        out = x @ w["out.weight"].T + w["out.bias"]
        return out if self.ends is None else self.predict(out, point, t)

    def unet(self, x, t, labels):
        """The same for images: two levels of residual blocks, on patches of 2x2 pixels and on patches of 2x2 of those."""
        w, blocks = self.w, self.spec["network"]["blocks"]
        dense = lambda name, x: x @ w[name + ".weight"].T + w.get(name + ".bias", 0)
        norm = lambda name, x: x * w[name + ".weight"] / np.sqrt((x * x).mean(-1, keepdims=True) + self.dtype(1e-5))

        def conv(name, x):  # 3x3, with zeros around the image
            n, h, w_, _ = x.shape
            x, weight = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), w[name + ".weight"]
            return w[name + ".bias"] + sum(x[:, i : i + h, j : j + w_] @ weight[:, :, i, j].T for i in range(3) for j in range(3))

        def block(name, x):
            a, b = np.split(dense(name + ".time", e)[:, None, None], 2, axis=-1)
            h = conv(name + ".conv1", swish(norm(name + ".norm1", x)))
            h = conv(name + ".conv2", swish(norm(name + ".norm2", h) * (1 + a) + b))
            return h + (dense(name + ".skip", x) if name + ".skip.weight" in w else x)

        e = dense("time", sinusoid(len(w["time.bias"]), t).astype(self.dtype)) + np.zeros((len(x), 1), self.dtype)
        e = swish(e + w["label.weight"][labels] if self.classes else e)
        h = conv("in", patches(x.reshape(-1, *self.shape)))
        for i in range(blocks[0]):
            h = block(f"down.{i}", h)
        skip, shrink, grow = h, w["shrink.weight"], w["grow.weight"]
        h = patches(h) @ shrink.reshape(len(shrink), -1).T + w["shrink.bias"]
        for i in range(2 * blocks[1]):
            h = block(f"middle.{i}", h)
        h = np.concatenate([skip, pixels(h @ grow.reshape(len(grow), -1)) + w["grow.bias"]], axis=-1)
        for i in range(blocks[0]):
            h = block(f"up.{i}", h)
        return pixels(conv("out", swish(norm("norm", h)))).reshape(x.shape)

    def predict(self, out, x, t):
        """The prediction at x [n][dim]: of a coordinate with several outputs by the probabilities of its values."""
        signal, noise, sigma = self.signal[t], self.noise[t], self.scale[0]
        variance = signal**2 * sigma**2 + noise**2
        spread = noise / math.sqrt(variance)
        of_x, of_x0 = {"epsilon": (1 / noise, signal / noise),
                       "sample": (0, -1),
                       "v_prediction": (signal / noise, (signal**2 + noise**2) / noise),
                       "flow": (1 / noise, (signal + noise) / noise)}[self.spec["diffusion"]["prediction_type"]]  # fmt: skip
        columns, first = [], 0
        for j, ends in enumerate(self.ends):
            logits, first = out[:, first : first + len(ends)], first + len(ends)
            if len(ends) == 1:
                columns.append(logits[:, 0])
                continue
            center = signal * sigma / variance * x[:, j : j + 1]
            at = (ends - center) / spread
            share = 0.5 * np.vectorize(math.erfc)(-at / math.sqrt(2))
            density = np.exp(-(at**2) / 2) / math.sqrt(2 * math.pi)
            weight = np.exp(np.clip(logits, -10, 10))
            mean = (weight * -np.diff(density, prepend=0)).sum(1) / (weight * np.diff(share, prepend=0)).sum(1)
            columns.append(of_x * x[:, j] - of_x0 * sigma * (center[:, 0] + spread * mean))
        return np.stack(columns, axis=1).astype(self.dtype)

    def estimate(self, x, t, labels, guidance, clip, given):
        """The estimate of x_0. given [n][dim]: known coordinates in model units, NaN for the others."""
        nobody, known = np.full(len(x), self.classes), ~np.isnan(given)
        x = np.where(known, given, x)
        out = self.network(x, t, nobody if guidance == 0 else labels, known)
        if guidance not in (0, 1):
            without = self.network(x, t, nobody, known)
            out = without + guidance * (out - without)
        signal, noise = self.signal[t], self.noise[t]
        x0 = {"epsilon": lambda: (x - noise * out) / signal,
              "sample": lambda: out,
              "v_prediction": lambda: (signal * x - noise * out) / (signal**2 + noise**2),
              "flow": lambda: (x - noise * out) / (signal + noise)}[self.spec["diffusion"]["prediction_type"]]()  # fmt: skip
        x0 = np.clip(x0, self.low.astype(self.dtype), self.high.astype(self.dtype)) if clip else x0
        return np.where(known, given, x0)

    def step(self, sampler, eta, last, t, u):
        """A step from t to u, where the step before began at `last` (None: there is none), and the deviation of its fresh
        noise. The step is a function of x, of an estimator of x_0, and of the estimate of the step before; it returns its
        own estimate, and x at u without the noise."""
        signal, noise = self.signal, self.noise
        kept = signal[t] * noise[u] / (signal[u] * noise[t]) if signal[u] > 0 else 0
        fresh = noise[u] * eta * math.sqrt(1 - kept**2)  # deviation of the noise that is drawn again
        rest = math.sqrt(noise[u] ** 2 - fresh**2)  # and of what remains of the old
        tame = lambda t: math.asinh(signal[t] / noise[t])  # like log(signal / noise), but 0 where there is no signal
        move = lambda x, x0: signal[u] * x0 + rest / noise[t] * (x - signal[t] * x0)

        def step(x, estimate, before):
            x0 = there = estimate(x, t)
            share = 0
            if sampler == "heun" and u:
                there, share = estimate(move(x, x0), u), noise[t] / (2 * noise[u])
            elif sampler.startswith("dpmpp_2m") and u and last is not None and 0 < tame(t) - tame(last) >= (tame(u) - tame(t)) / 1000:
                there, share = before, -(tame(u) - tame(t)) / (2 * (tame(t) - tame(last)))
            return x0, move(x, (1 - share) * x0 + share * there)

        return step, fresh

    def restore(self, x, step, fresh, last, t, u, together):
        """x at u with the variance that estimates leave out: each principal axis becomes as much wider as Gaussian data
        would have to, times the share that the model leaves open. together: of such data, the covariance of x at t and the
        estimate before, None without fresh noise; that of the next step is returned, too."""
        v, open_, axes = (self.moments[key] for key in ("variance", "open", "axes"))
        T, N = len(self.signal) - 1, len(open_)
        nodes = [T] if N == 1 else [1 + (i * (T - 1) + (N - 1) // 2) // (N - 1) for i in range(N)]
        share = np.array([np.interp(t, nodes, column) for column in open_.T])
        state = lambda t: np.sqrt(self.signal[t] ** 2 * v + self.noise[t] ** 2)  # one deviation of Gaussian data
        estimate = lambda x, t: self.signal[t] * v / state(t) ** 2 * x  # of such data, from its mean
        before = 0 * v if last is None else estimate(state(last), last)
        now, own = step(state(t), estimate, 0 * v)
        other = step(state(t), estimate, before)[1] - own  # what the estimate before adds
        square = (own + other) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            if together is not None and last is not None:
                square -= 2 * (1 - np.where(before > 0, together / (state(t) * before), 1)) * own * other
            square = np.fmin((state(u) ** 2 - fresh**2) / square, 4)
        scale = np.where(v > 0, np.sqrt(1 + share * (square - 1)), 1)
        if together is not None:
            part = np.divide(other, before, out=0 * v, where=before > 0)
            together = scale * now * (own + part * together / state(t))
        return x + (x - self.signal[u] * self.moments["mean"]) @ axes.T * (scale - 1) @ axes, together

    def trajectory(self, n=1, seed=0, sampler=None, steps=None, eta=0.0, guidance=None, labels=None, clip=True, start=None,
                   given=None, guidance_ratio_min=None, guidance_ratio_max=None):  # fmt: skip
        """The timesteps [S+1], x [S+1][n][dim], and the estimates of x_0 [S][n][dim], all in data units. labels: a class
        number for each point, or None: as often as in the data. start: noise [n][dim] in data units, or None: of the seed. given:
        known coordinates [dim] or [n][dim] in data units, NaN for the others; the frames of x before the last have noise there.
        guidance_ratio_min, guidance_ratio_max: guidance is 1 where noise / signal is outside of them."""
        n = n if start is None else len(start)
        is_guided = self.classes and self.shape and self.spec["training"]["p_uncond"]
        usual, low, high = (2, 0.2, 5) if is_guided else (1 if self.classes else 0, 0, 1e4)
        guidance = usual if guidance is None else guidance
        low = low if guidance_ratio_min is None else guidance_ratio_min
        high = high if guidance_ratio_max is None else guidance_ratio_max
        labels = self.labels(n, seed) if labels is None else np.asarray(labels)
        usual = "dpmpp_2m_sde" if given is not None else "dpmpp_2m" if self.quantiles or self.shape else "ddpm"
        T = len(self.signal) - 1
        sampler = sampler or usual
        few = 20 if self.shape else 50 if self.quantiles else T
        steps = steps or (min(T, few) if sampler == usual else T)
        eta = {"ddpm": 1, "dpmpp_2m_sde": 1, "ddim": eta}.get(sampler, 0)
        times = timesteps(self.signal, self.noise, steps)
        if start is None:
            x = normals(seed, START, 0, n * self.dim).reshape(n, self.dim)
        else:
            x = self.to_model(np.asarray(start, float))
        x = x.astype(self.dtype)
        known = np.broadcast_to(np.nan if given is None else np.asarray(given, float), x.shape)
        known = np.where(np.isnan(known), np.nan, self.to_model(np.nan_to_num(known))).astype(self.dtype)
        ratio = lambda t: self.noise[t] / max(self.signal[t], self.noise[t] / 1e4)
        guided = lambda t: guidance == 0 or low <= ratio(t) <= high
        estimate = lambda x, t: self.estimate(x, t, labels, guidance if guided(t) else 1, clip, known)
        xs, x0s, before, last, together = [x], [], None, None, 0.0 if eta else None
        for t, u in zip(times, times[1:]):
            step, fresh = self.step(sampler, eta, last, t, u)
            before, x = step(x, estimate, before)
            x0s.append(before)
            if self.moments and guidance == 0 and given is None:
                x, together = self.restore(x, step, fresh, last, t, u, together)
                x = x.astype(self.dtype)
            if clip and not u:
                x = np.clip(x, self.low.astype(self.dtype), self.high.astype(self.dtype))
            if not u:
                x = np.where(np.isnan(known), x, known)
            if fresh:
                x = x + fresh * normals(seed, REVERSE, t, x.size).reshape(x.shape).astype(self.dtype)
            xs.append(x)
            last = t
        return times, self.to_data(np.stack(xs)), self.to_data(np.stack(x0s))


# ---------------------------------------------------------------- quantiles: shares of rows, and values


def value_at(column, share):
    """The value at each share of a column's rows; nan: missing."""
    values, shares = np.array(column["values"]), np.array(column["shares"])
    if not len(values):
        return np.full_like(share, np.nan)
    above = np.searchsorted(shares, share, "right")
    here = values[np.minimum(above, len(values) - 1)]
    if column["interpolates"]:
        i = np.clip(above, 1, max(len(values) - 1, 1))
        with np.errstate(all="ignore"):
            part = (share - shares[i - 1]) / (shares[i % len(shares)] - shares[i - 1])
            line = values[i - 1] + (values[i % len(values)] - values[i - 1]) * part
        here = np.where((above > 0) & (above < len(values)), line, here)
    return np.where(share < column["missing"], np.nan, here)


def share_of(column, value):
    """The middle of the shares of a value; of one that was not seen, the place between its neighbors."""
    values, shares = np.array(column["values"]), np.array(column["shares"])
    value = min(max(value, values[0]), values[-1])
    first, above = np.searchsorted(values, value, "left"), np.searchsorted(values, value, "right")
    if not column["interpolates"]:
        ends = np.concatenate([[column["missing"]], shares])
        return (ends[above] + ends[above if first == above else above - 1]) / 2
    if first < above:
        return (shares[first] + shares[above - 1]) / 2
    return shares[first - 1] + (shares[first] - shares[first - 1]) * (value - values[first - 1]) / (values[first] - values[first - 1])


def normal_score(share):
    return NormalDist().inv_cdf(share)


def main():
    parser = argparse.ArgumentParser(description="Draws samples from an exported model.")
    parser.add_argument("model", help="weights.safetensors")
    for name, kind, default in [("n", int, 1000), ("seed", int, 0), ("sampler", str, None), ("steps", int, None),
                                ("eta", float, 0.0), ("guidance", float, None), ("guidance-ratio-min", float, None),
                                ("guidance-ratio-max", float, None), ("class", int, None)]:  # fmt: skip
        parser.add_argument("--" + name, type=kind, default=default)
    arguments = vars(parser.parse_args())
    with open(arguments.pop("model"), "rb") as file:
        model = Model(file.read())
    if (label := arguments.pop("class")) is not None:
        arguments["labels"] = [label] * arguments["n"]
    _, x, _ = model.trajectory(**arguments)
    for point in x[-1]:
        print(",".join(f"{value:.7g}" for value in point))


if __name__ == "__main__":
    main()
