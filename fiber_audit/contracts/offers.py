"""How components are offered. A plugin's hooks need no more of the contracts, so it is light."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Factory = Callable[..., Any]
"""Makes one component. Its keyword arguments, with their types, are the component's options."""
Offers = Mapping[str, str | Factory]
"""What a hook returns: name -> "module:Class" (imported when it is needed), or a factory."""
