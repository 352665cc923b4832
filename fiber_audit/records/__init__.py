"""The result table: one row per audit, metric and statistic (and query, where per query).

The kit of exporter authors: the table's columns, its files, its headlines, text that every format
can hold, and files that are never half written. Importing it imports no pandas.
"""

from ..files import write_atomically
from .csv_text import read_csv, to_csv
from .pooled import alike, headline, headlines
from .saved import read, text_beside, write
from .schema import COLUMNS, KEY, NUMBER, SCHEMA_VERSION, TEXT, WHOLE, Kind, frame
from .text import guarded, printable

__all__ = [
    "COLUMNS",
    "KEY",
    "NUMBER",
    "SCHEMA_VERSION",
    "TEXT",
    "WHOLE",
    "Kind",
    "alike",
    "frame",
    "guarded",
    "headline",
    "headlines",
    "printable",
    "read",
    "read_csv",
    "text_beside",
    "to_csv",
    "write",
    "write_atomically",
]
