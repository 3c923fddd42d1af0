"""The U-Net of engine/network/unet.h as a PyTorch module, with the names and shapes of the exported tensors."""

import torch
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, silu


class Norm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        rate = torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-5)
        return x * rate * self.weight[:, None, None]


class Block(nn.Module):
    def __init__(self, inputs, outputs, embedding):
        super().__init__()
        self.norm1, self.norm2 = Norm(inputs), Norm(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.time = nn.Linear(embedding, 2 * outputs)
        if inputs != outputs:
            self.skip = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x, e):
        a, b = self.time(e)[:, :, None, None].chunk(2, dim=1)
        h = self.conv1(silu(self.norm1(x)))
        h = self.conv2(silu(self.norm2(h) * (1 + a) + b))
        return h + (self.skip(x.movedim(1, -1)).movedim(-1, 1) if hasattr(self, "skip") else x)


class UNet(nn.Module):
    def __init__(self, colors, channels, blocks, classes):
        super().__init__()
        outer, inner = channels
        width = self.width = 4 * outer
        self.time = nn.Linear(width, width)
        if classes:
            self.label = nn.Embedding(classes + 1, width)
        self.add_module("in", nn.Conv2d(4 * colors, outer, 3, padding=1))
        self.down = nn.ModuleList(Block(outer, outer, width) for _ in range(blocks[0]))
        self.shrink = nn.Conv2d(outer, inner, 2, stride=2)
        self.middle = nn.ModuleList(Block(inner, inner, width) for _ in range(2 * blocks[1]))
        self.grow = nn.ConvTranspose2d(inner, outer, 2, stride=2)
        self.up = nn.ModuleList(Block(outer if i else 2 * outer, outer, width) for i in range(blocks[0]))
        self.norm = Norm(outer)
        self.out = nn.Conv2d(outer, 4 * colors, 3, padding=1)

    def forward(self, x, t, labels):
        """x [n][h][w][c] in model units, t a number, labels [n]."""
        r = torch.arange(0, self.width, 2)
        angle = t / 10000 ** (r / (self.width - 2))
        e = self.time(torch.stack([angle.sin(), angle.cos()], 1).reshape(1, -1))
        e = silu(e + self.label(labels) if hasattr(self, "label") else e.expand(len(x), -1))
        h = getattr(self, "in")(pixel_unshuffle(x.movedim(-1, 1), 2))
        for block in self.down:
            h = block(h, e)
        skip, h = h, self.shrink(h)
        for block in self.middle:
            h = block(h, e)
        h = torch.cat([skip, self.grow(h)], 1)
        for block in self.up:
            h = block(h, e)
        return pixel_shuffle(self.out(silu(self.norm(h))), 2).movedim(1, -1)
