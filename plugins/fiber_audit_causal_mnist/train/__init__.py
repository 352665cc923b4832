"""How the shipped networks were trained: `python -m fiber_audit_causal_mnist.train NAME`."""
