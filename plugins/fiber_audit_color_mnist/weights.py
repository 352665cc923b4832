"""The weights in the package."""

from pathlib import Path

from fiber_audit.loading import Shipped

SHIPPED = Shipped(Path(__file__).parent / "weights")
