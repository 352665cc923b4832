"""`card.md`: what a fitted generator is and how good it was on held-out data."""

from __future__ import annotations

from pathlib import Path

from fiber_audit.fitting import Record, write_file

READING = """
The fiber loss is that of fresh draws for held-out features, the root mean square over features in
units of their spread: 0 on the fiber, about 1.4 for a random one. `fiber-audit run` measures
fidelity and consistency on queries.
"""


def write_card(folder: Path, record: Record) -> None:
    """Write it from the record."""
    options = ", ".join(f"{k} {v}" for k, v in record.options.items() if k != "generator")
    lines = {
        "data": f"{record.data['items']:,} items of {tuple(record.data['shape'])}",
        "seed": record.seed,
        "steps": f"{record.step:,}",
        **dict(record.facts or {}),
        "options": options,
    }
    text = f"# {record.options['generator']}, conditioned on features\n\n"
    text += "".join(f"- {name}: {value}\n" for name, value in lines.items())
    write_file(folder / "card.md", text + READING)
