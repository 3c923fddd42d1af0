"""The bench's work by us and by PyTorch, taking turns; medians over turns, and their ratio. A turn is the fastest of a
few measurements, because a busy neighbor on the same core slows both by half for seconds at a time.

usage: compare.py BENCH_BINARY
"""

import os
import statistics
import subprocess
import sys

ROUNDS = 9
PEER = os.path.join(os.path.dirname(__file__), "torch_peer.py")
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def seconds(command):
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=ONE_THREAD).stdout
    return min(float(line) for line in output.split())


for work in ("train", "train-wide", "train-table", "sample"):
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds([sys.argv[1], work, "5"]))
        theirs.append(seconds([sys.executable, PEER, work, "2"]))
    ratios = sorted(b / a for a, b in zip(ours, theirs))
    print(
        f"{work:12} ours {1e6 * statistics.median(ours):10.1f} us   PyTorch {1e6 * statistics.median(theirs):10.1f} us"
        f"   ratio {statistics.median(ratios):6.1f}  (from {ratios[0]:.1f} to {ratios[-1]:.1f};"
        f" of the fastest rounds {min(theirs) / min(ours):.1f})",
        flush=True,
    )
