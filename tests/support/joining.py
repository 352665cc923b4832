"""Work on files of a run directory, and pieces of it, as an executor has them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Piece:
    name: str
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Joining:
    """Writes what it read, all in one file; a bad piece leaves a file and raises."""

    run: Path

    def at(self, run):
        return Joining(run)

    def __call__(self, piece):
        text = "+".join((self.run / n).read_text() for n in piece.reads if (self.run / n).exists())
        target = self.run / "units" / piece.name
        target.parent.mkdir(exist_ok=True)
        target.write_text(text or piece.name)
        (target.parent / ".writing-1").write_text("half")
        if piece.name == "bad":
            raise ValueError("bad")
        return text
