"""A plugin of pytest: rows of the acceptance of many nodes, chosen by ROWS=kills,takeover, and a table of what they measured.

A test belongs to a row by @pytest.mark.row("kills"). Figures are printed at the end. What was asked for is only checked with
SOAK=1, when the machine is for this alone: in `make test`, a duration says more about the machine.
"""

import os

import pytest

SOAK = bool(os.environ.get("SOAK"))
CHOSEN = [name for name in os.environ.get("ROWS", "").replace(",", " ").split() if name]

table = []


def size(short, full):
    """How often, or for how long."""
    return full if SOAK else short


def figure(row, what, value, at_most=None, at_least=None):
    shown = f"{value:.2f}" if isinstance(value, float) else str(value)
    asked = f"<= {at_most}" if at_most is not None else f">= {at_least}" if at_least is not None else ""
    table.append((row, what, shown, asked))
    if SOAK:
        assert at_most is None or value <= at_most, f"{what}: {shown}, but {asked} is asked for"
        assert at_least is None or value >= at_least, f"{what}: {shown}, but {asked} is asked for"


def durations(row, what, seconds, at_most=None):
    """The median and the worst of some."""
    ordered = sorted(seconds)
    figure(row, f"{what}, median of {len(ordered)}, s", ordered[len(ordered) // 2])
    figure(row, f"{what}, worst, s", ordered[-1], at_most=at_most)


def pytest_configure(config):
    config.addinivalue_line("markers", "row(name): the row of the acceptance that a test belongs to")


def row_of(item):
    mark = item.get_closest_marker("row")
    return mark.args[0] if mark else None


def pytest_collection_modifyitems(config, items):
    if not CHOSEN:
        return
    kept = [item for item in items if row_of(item) in CHOSEN]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    widths = [max(len(line[column]) for line in table) for column in range(4)] if table else []
    for line in table:
        terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
