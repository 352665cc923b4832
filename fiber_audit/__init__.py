"""fiber-audit: what can your network not tell apart?

    import fiber_audit

    result = fiber_audit.audit(my_network, prior="color-mnist-latent", queries=images)
    run = fiber_audit.run("suite.toml")

Importing this package imports no torch; what needs it loads on first use. Authors of plugins find
their kits in `fiber_audit.contracts`, `fiber_audit.sampling` and `fiber_audit.measuring`, those of
exporters in `fiber_audit.records`, and all of them `fiber_audit.testing`.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
