"""The verbs of the command line, one file each; `main.py` assembles them."""
