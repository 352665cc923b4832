"""The contracts between the host and its plugins: shapes, ranges, the direction of time.

Rows are draws: every tensor's first dimension counts independent draws, and nothing may couple
them. Heavy libraries are imported when a component is made; this package imports no torch, and
each of its names loads on first use, so that hooks which name `Offers` cost nothing.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
