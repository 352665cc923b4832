"""The suite of the toy world of tests/host/toy.py; a test adds its own lines."""

TOY_SUITE = """
name = "toy"
draws = 3
metrics = ["toy_loss"]
[queries]
use = "toy-points"
[extractors.two]
use = "toy-first-two"
[priors.gauss]
use = "toy-gaussian"
[samplers.proj]
use = "toy-projecting"
"""
