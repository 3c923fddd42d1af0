"""What synthetic tables are worth, through HTTP: train on 90 % of the rows, draw as many as were trained on, and measure
them beside what real rows reach. Prints a table in Markdown: the median over seeds, and in parentheses the floor. The
standard error stream has each seed's figures, and its worst columns and pairs.

usage: run.py DENOISED FOLDER [--only adult,magic] [--seeds N] [--rows N] [--spec JSON] [--query sampler=heun]
    make tables TABLES=FOLDER ARGS="--spec '{\"training\": {\"learning_rate\": 0.004}}'"

FOLDER has the CSV files that known.py lists; those that are not there are left out. The floors: for shape and trend the training
rows drawn again with replacement, for detection and copies the held-out rows, for the trees those that were trained on
the real rows. Seconds are of processor time, of the whole server while it trained.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

import known
import measure
import numpy as np
from served import Server

SPLIT = 1234  # the seed of the split, which stays the same
NUMBERS = ("integer", "numeric")
COLUMNS = {  # of a result: title, decimals
    "seconds": ("training, s", 1),
    "shape": ("shape, %", 2),
    "trend": ("trend, %", 2),
    "detection": ("detection, AUC", 3),
    "efficacy": ("trees, AUC or (RMSE)", 3),
    "nearer": ("nearer to training", 3),
    "copies": ("copies, %", 2),
}


def upload(server, rows, table):
    dataset = server.json("POST", "/v1/datasets", rows.to_csv(index=False), "text/csv")
    if table.codes:
        types = {"columns": {name: {"type": "categorical"} for name in table.codes}}
        dataset = server.json("PATCH", f"/v1/datasets/{dataset['id']}", types)
    return dataset


def train(server, dataset, seed, spec):
    """The model's id, and the seconds of processor time."""
    before = server.seconds()
    job = server.json("POST", "/v1/jobs", {**spec, "dataset": {"id": dataset["id"]}, "seed": seed})
    while job["status"] in ("queued", "running"):
        time.sleep(0.2)
        job = server.json("GET", f"/v1/jobs/{job['id']}")
    if job["status"] != "succeeded":
        sys.exit(f"the training failed: {job['error']}")
    return job["id"], server.seconds() - before


def errors_of(coded, real, other):
    """The errors of all columns, and of all pairs, in percent, by name."""
    columns = dict(zip(coded.columns, measure.shape(coded, real, other)))
    pairs = {f"{a} and {b}": error for (a, b), error in measure.trend(coded, real, other).items()}
    return columns, pairs


def means(errors):
    return {key: np.mean(list(by_name.values())) for key, by_name in zip(("shape", "trend"), errors)}


def describe(numbers, table, train_rows, test_rows, synthetic):
    """The measurements of synthetic rows: what COLUMNS lists, but for the seconds; and their errors."""
    coded = measure.Coded(numbers, train_rows, test_rows, synthetic)
    real, unseen, other = coded.tables
    errors = errors_of(coded, real, other)
    result = {
        **means(errors),
        "detection": measure.detection(real, other),
        "efficacy": measure.efficacy(coded, other, unseen, table.target),
        "nearer": measure.privacy(coded, real, unseen, other),
        "copies": 100 * measure.copies(train_rows, synthetic),
    }
    return result, errors


def floors(numbers, table, train_rows, test_rows):
    """The same of real rows."""
    coded = measure.Coded(numbers, train_rows, test_rows)
    real, unseen = coded.tables
    again = real[np.random.default_rng(0).integers(len(real), size=len(real))]
    errors = errors_of(coded, real, again)
    result = {
        **means(errors),
        "detection": measure.detection(real, unseen),
        "efficacy": measure.efficacy(coded, real, unseen, table.target),
        "nearer": 0.5,
        "copies": 100 * measure.copies(train_rows, test_rows),
    }
    return result, errors


def worst(errors, floor, most=5):
    """The names with the largest errors, each with its error and its floor."""
    names = sorted(errors, key=errors.get, reverse=True)[:most]
    return ", ".join(f"{name} {errors[name]:.1f} % ({floor[name]:.1f})" for name in names)


def row_of(name, results, floor):
    cells = [name, str(len(results))]
    for key, (_, decimals) in COLUMNS.items():
        cells.append(f"{statistics.median(r[key] for r in results):.{decimals}f}")
        if key in floor:
            cells[-1] += f" ({floor[key]:.{decimals}f})"
    return "| " + " | ".join(cells) + " |"


def measure_table(server, name, options):
    """The row of one table."""
    table = known.TABLES[name]
    rows = known.load(table, options.folder)
    order = np.random.default_rng(SPLIT).permutation(len(rows))
    held_out = len(rows) // 10
    if options.rows:  # as many held-out rows as training rows, so that one is as near as the other
        held_out = min(options.rows, len(rows) // 2)
    test_rows = rows.iloc[order[:held_out]]
    train_rows = rows.iloc[order[held_out : held_out + (options.rows or len(rows))]]
    dataset = upload(server, train_rows, table)
    ids = [c["name"] for c in dataset["columns"] if c["type"] == "id"]
    numbers = {c["name"] for c in dataset["columns"] if c["type"] in NUMBERS}
    train_rows, test_rows = train_rows.drop(columns=ids), test_rows.drop(columns=ids)
    floor, floor_errors = floors(numbers, table, train_rows, test_rows)
    results = []
    for seed in range(1, options.seeds + 1):
        model, seconds = train(server, dataset, seed, options.spec)
        query = f"n={len(train_rows)}&seed={seed}{options.query}"
        text = server.ask("GET", f"/v1/models/{model}/samples.csv?{query}").decode()
        synthetic = known.table_of(text).drop(columns=ids, errors="ignore")[list(train_rows)]
        if options.keep:
            for part, frame in (("train", train_rows), ("test", test_rows), (f"synthetic{seed}", synthetic)):
                frame.to_csv(options.keep / f"{name}_{part}.csv", index=False)
        result, errors = describe(numbers, table, train_rows, test_rows, synthetic)
        results.append({**result, "seconds": seconds})
        print(f"{name}, seed {seed}:", {k: round(float(v), 4) for k, v in results[-1].items()}, file=sys.stderr)
        for what, of_rows, of_real in zip(("columns", "pairs"), errors, floor_errors):
            print(f"  worst {what}: {worst(of_rows, of_real)}", file=sys.stderr, flush=True)
    return row_of(name, results, floor)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("denoised")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(known.TABLES), metavar="NAMES")
    parser.add_argument("--seeds", type=int, default=5, metavar="N")
    parser.add_argument("--rows", type=int, default=0, metavar="N", help="train on so many rows only")
    parser.add_argument("--spec", type=json.loads, default={}, help="more fields of the job", metavar="JSON")
    parser.add_argument("--query", type=lambda text: "&" + text, default="", help="parameters of the samples")
    parser.add_argument("--keep", type=pathlib.Path, help="write the rows there, as CSV", metavar="FOLDER")
    options = parser.parse_args()
    if unknown := set(options.only) - set(known.TABLES):
        parser.error(f"no such table: {', '.join(unknown)}; there are {', '.join(known.TABLES)}")
    return options


def main():
    options = arguments()
    titles = ["table", "seeds"] + [title for title, _ in COLUMNS.values()]
    print("| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|", flush=True)
    for name in options.only:
        if not (options.folder / known.TABLES[name].file).exists():
            print(f"{name}: there is no {known.TABLES[name].file} in {options.folder}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder, Server(options.denoised, folder, "--workers", "1") as server:
            print(measure_table(server, name, options), flush=True)


main()
