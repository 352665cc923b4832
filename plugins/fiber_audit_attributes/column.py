"""An attribute of tables: one column."""

from __future__ import annotations

from torch import Tensor

from fiber_audit import DataError
from fiber_audit.contracts import Attribute, NonNegativeInt


class Column(Attribute):
    """`column`: one column of a table, (n,). A definition.

    Args:
        index: which, from 0.
    """

    def __init__(self, index: NonNegativeInt) -> None:
        self.index = index

    def read(self, x: Tensor) -> Tensor:
        """Rows (n, d) -> (n,)."""
        if x.ndim != 2 or self.index >= x.shape[1]:
            raise DataError(
                f"attribute 'column': index = {self.index}, but inputs are {tuple(x.shape)}; give "
                f"the number of a column, from 0."
            )
        return x[:, self.index].double()
