"""The tables that are measured, and how a file becomes one.

A row of TABLES says what a table's file alone does not: names, columns of codes that are no numbers, and the column that the
trees predict. The files are those that circulate in public repositories; two of them are damaged there, and are mended
before they are split. The server refuses the damaged ones.
"""

import math
from typing import Callable, NamedTuple

import pandas as pd


class Table(NamedTuple):
    file: str
    target: str
    codes: tuple[str, ...] = ()  # columns of numbers that are names
    names: tuple[str, ...] = ()  # of a file without a row of names
    delimiter: str = ","
    mend: Callable[[str], str] | None = None


def mend_california(text):
    """Somebody wrote the bytes of the file as Python prints them: b'...' around the text."""
    return text.removeprefix("b'").rstrip("'\n") + "\n"


def mend_shoppers(text):
    """A spreadsheet took decimal points for marks of thousands: 2.666666667 became 2.666.666.667. The digits are right, but
    where the point was is lost. Such a number gets the power of ten that brings it closest to the median of the column's
    undamaged numbers above 0, on a logarithmic scale."""
    rows = [line.split(";") for line in text.splitlines()]
    for column in range(len(rows[0])):
        cells = [row[column] for row in rows[1:]]
        if all(cell.count(".") < 2 for cell in cells):
            continue
        whole = sorted(float(cell) for cell in cells if cell.count(".") < 2 and float(cell) > 0)
        middle = math.log10(whole[len(whole) // 2])
        for row in rows[1:]:
            if row[column].count(".") >= 2:
                digits = row[column].replace(".", "")
                power = round(middle - math.log10(int(digits)))
                row[column] = repr(float(f"{digits}e{power}"))
    return "\n".join(";".join(row) for row in rows) + "\n"


MAGIC = "fLength fWidth fSize fConc fConc1 fAsym fM3Long fM3Trans fAlpha fDist class"
TABLES = {
    "adult": Table("adult.csv", "income"),
    "magic": Table("magic04.csv", "class", names=tuple(MAGIC.split())),
    "shoppers": Table(
        "shoppers.csv",
        "Revenue",
        codes=("OperatingSystems", "Browser", "Region", "TrafficType"),
        delimiter=";",
        mend=mend_shoppers,
    ),
    "beijing": Table("beijing.csv", "pm2.5"),
    "california": Table("california.csv", "median_house_value", mend=mend_california),
    "diamonds": Table("diamonds.csv", "price"),
    "credit_data": Table("credit_data.csv", "Status"),
    "penguins": Table("penguins.csv", "Species"),
}


def load(table, folder):
    """All cells as text; blanks around them are no part of them."""
    text = (folder / table.file).read_text(encoding="utf-8")
    if table.mend:
        text = table.mend(text)
    if table.names:
        text = ",".join(table.names) + "\n" + text
    return table_of(text, table.delimiter)


def table_of(text, delimiter=","):
    from io import StringIO

    return pd.read_csv(StringIO(text), sep=delimiter, dtype=str, keep_default_na=False, skipinitialspace=True)
