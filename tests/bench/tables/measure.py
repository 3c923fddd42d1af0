"""How much a synthetic table resembles a real one, by the protocol of TabSyn (Zhang et al. 2024, "Mixed-type tabular data
synthesis with score-based diffusion in latent space"), and what it tells about single rows.

A table is a pandas frame of texts. `numbers` are the columns whose texts are numbers; all others are categories. A missing
value is one more category, and left out of what is computed of numbers.
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "?", "#N/A", "-"]


class Coded:
    """Tables as arrays: numbers, with NaN for missing ones, and the codes of categories."""

    def __init__(self, numbers, *frames):
        self.columns = list(frames[0])
        self.is_number = [c in numbers for c in self.columns]
        self.tables = [np.empty(frame.shape) for frame in frames]
        for i, c in enumerate(self.columns):
            if self.is_number[i]:
                for table, frame in zip(self.tables, frames):
                    table[:, i] = pd.to_numeric(frame[c].mask(frame[c].isin(MISSING)))
            else:
                levels = sorted(set().union(*(frame[c].unique() for frame in frames)))
                code = {level: k for k, level in enumerate(levels)}
                for table, frame in zip(self.tables, frames):
                    table[:, i] = frame[c].map(code)


def ks(a, b):
    """The Kolmogorov-Smirnov statistic of two samples."""
    a, b = np.sort(a[~np.isnan(a)]), np.sort(b[~np.isnan(b)])
    if not len(a) or not len(b):
        return float(len(a) != len(b))
    at = np.concatenate([a, b])
    return np.abs(np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)).max()


def total_variation(a, b):
    """Of two samples of codes 0, 1, .."""
    size = int(max(a.max(), b.max())) + 1
    shares = [np.bincount(codes.astype(int), minlength=size) / len(codes) for codes in (a, b)]
    return np.abs(shares[0] - shares[1]).sum() / 2


def shape(coded, real, other):
    """Percent, for each column."""
    return [
        100 * (ks if number else total_variation)(real[:, i], other[:, i]) for i, number in enumerate(coded.is_number)
    ]


def trend(coded, real, other):
    """Percent, for each pair of columns: half the difference of correlations for numbers, else the total variation of the joint
    table, with numbers in 10 intervals of equal width."""
    intervals = []
    for i, number in enumerate(coded.is_number):
        a, b = real[:, i], other[:, i]
        if number:
            edges = np.histogram_bin_edges(a[~np.isnan(a)], 10)[1:-1]
            a, b = (np.where(np.isnan(x), 0, np.searchsorted(edges, x, "right") + 1) for x in (a, b))
        intervals.append((a, b))
    correlations = [pd.DataFrame(x).corr().to_numpy() for x in (real, other)]
    out = {}
    for i in range(len(intervals)):
        for j in range(i + 1, len(intervals)):
            if coded.is_number[i] and coded.is_number[j]:
                a, b = (c[i, j] for c in correlations)
                distance = 0 if np.isnan(a) else 1 if np.isnan(b) else abs(a - b) / 2
            else:
                width = max(x.max() for x in intervals[j]) + 1
                joint = [x * width + y for x, y in zip(intervals[i], intervals[j])]
                distance = total_variation(*joint)
            out[coded.columns[i], coded.columns[j]] = 100 * distance
    return out


def detection(real, other, most=2500):
    """The AUC of boosted trees that tell real rows from others; 1/2 is best."""
    rng = np.random.default_rng(0)
    n = min(len(real), len(other), most)
    rows = np.r_[real[rng.permutation(len(real))[:n]], other[rng.permutation(len(other))[:n]]]
    is_other = np.arange(2 * n) >= n
    order = rng.permutation(2 * n)
    train, test = order[:n], order[n:]
    trees = HistGradientBoostingClassifier(max_iter=50, random_state=0).fit(rows[train], is_other[train])
    return roc_auc_score(is_other[test], trees.predict_proba(rows[test])[:, 1])


def efficacy(coded, train, test, target):
    """What boosted trees that were trained on `train` predict of the column `target` in `test`: the AUC (the mean over pairs of
    classes), or for numbers the root of the mean squared error of log(1 + y)."""
    at = coded.columns.index(target)
    train, test = (x[~np.isnan(x[:, at])] for x in (train, test))
    x, y = np.delete(train, at, 1), train[:, at]
    unseen, truth = np.delete(test, at, 1), test[:, at]
    if coded.is_number[at]:
        trees = HistGradientBoostingRegressor(random_state=0).fit(x, np.log1p(y))
        return np.sqrt(np.mean((trees.predict(unseen) - np.log1p(truth)) ** 2))
    trees = HistGradientBoostingClassifier(random_state=0).fit(x, y)
    shares = trees.predict_proba(unseen)
    if shares.shape[1] == 2:
        return roc_auc_score(truth == trees.classes_[1], shares[:, 1])
    return roc_auc_score(truth, shares, multi_class="ovo", labels=trees.classes_)


def privacy(coded, train, test, other, most=5000):
    """Is a synthetic row nearer to rows of training than to unseen ones? Its distance to another row is the sum over columns: 0
    or 1 for categories, the difference in units of the range for numbers. Of as many training rows as there are test rows.
    1/2 is right."""
    low, high = np.nanmin(train, 0), np.nanmax(train, 0)

    def place(table):
        parts = []
        for i, number in enumerate(coded.is_number):
            x = table[:, i]
            if number:
                missing = np.isnan(x)
                scaled = (x - low[i]) / max(high[i] - low[i], 1e-300)
                parts += [np.where(missing, 0, scaled), missing.astype(float)]
            else:
                levels = int(max(t[:, i].max() for t in (train, test, other))) + 1
                parts += list((x == np.arange(levels)[:, None]) / 2)
        return np.column_stack(parts).astype(np.float32)

    rng = np.random.default_rng(0)
    unseen = place(test)
    seen = place(train[rng.permutation(len(train))[: len(test)]])
    rows = place(other[rng.permutation(len(other))[:most]])
    nearest = [
        NearestNeighbors(n_neighbors=1, metric="manhattan", algorithm="brute").fit(x).kneighbors(rows)[0][:, 0]
        for x in (seen, unseen)
    ]
    return np.mean(nearest[0] < nearest[1]) + np.mean(nearest[0] == nearest[1]) / 2


def copies(train, other):
    """The share of rows that equal a row of training, cell for cell."""
    known = set(train.itertuples(index=False, name=None))
    return np.mean([row in known for row in other.itertuples(index=False, name=None)])
