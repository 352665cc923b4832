"""`python -m fiber_audit` is `fiber-audit`."""

from .commands.main import main

main()
