"""The bench's work by us and by PyTorch, taking turns; medians over turns, and their ratio. A turn is the fastest of a
few measurements, because a busy neighbor on the same core slows both by half for seconds at a time.

The peer has its best: nothing in the environment chooses kernels for its libraries, and where there are two ways
to do the work, the faster one counts.

usage: compare.py BENCH_BINARY BENCH_IMAGES_BINARY
"""

import os
import statistics
import subprocess
import sys

ROUNDS = 9
PEER = os.path.join(os.path.dirname(__file__), "torch_peer.py")
CHOOSES_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA",
                   "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")  # fmt: skip
UNPINNED = {name: value for name, value in os.environ.items() if name not in CHOOSES_KERNELS}
ONE_THREAD = {**UNPINNED, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=True, env=ONE_THREAD).stdout


def seconds(command):
    return min(float(line) for line in run(command).split())


def peer(work):
    """Of both layouts of images in memory, the faster one."""
    ways = [work, work + "-last"] if work == "train-images" else [work]
    return min(seconds([sys.executable, PEER, way, "2"]) for way in ways)


def compare(binary, work):
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds([binary, work, "5"]))
        theirs.append(peer(work))
    ratios = sorted(b / a for a, b in zip(ours, theirs))
    print(
        f"{work:12} ours {1e6 * statistics.median(ours):10.1f} us   PyTorch {1e6 * statistics.median(theirs):10.1f} us"
        f"   ratio {statistics.median(ratios):6.1f}  (from {ratios[0]:.1f} to {ratios[-1]:.1f};"
        f" of the fastest rounds {min(theirs) / min(ours):.1f})",
        flush=True,
    )


print(", ".join(run([sys.executable, PEER, "kernels"]).splitlines()), flush=True)
for work in ("train", "train-wide", "train-table", "sample"):
    compare(sys.argv[1], work)
compare(sys.argv[2], "train-images")
