"""CheXpert: chest radiographs with findings, grouped by patient."""

from __future__ import annotations

from typing import Literal

from fiber_audit.contracts import Count, NonNegativeInt

from .folder import Folder
from .labels import coded, legend
from .order import All, Part, part_of, shuffled
from .picture_set import OnError, PictureSet
from .radiographs import Uncertain, View, findings, patient_of, radiographs
from .resize import Channels, Look, Resize


class CheXpert(PictureSet):
    """Radiographs in the layout of CheXpert (Irvin et al., AAAI 2019).

    Its tables have the columns Path (.../patient00001/study1/view1_frontal.jpg), Frontal/Lateral,
    AP/PA, Sex, Age and one per finding: 1, 0, -1 for uncertain, empty for not mentioned. Patients
    are never torn apart: reference pictures are of other patients than the queries, and so are the
    two sides of `part`.

    Args:
        path: The folder CheXpert-v1.0 or CheXpert-v1.0-small, which holds the tables.
        n: How many radiographs, or "all".
        table: The table, relative to that folder.
        view: Which ones; AP and PA are the two kinds of frontal ones.
        label: A column for the labels: a finding (not mentioned counts as 0), or Sex; "" is none.
        uncertain: What becomes of a finding of -1: its row is left out, or it counts as 1 or 0.
        per_patient: "one" takes at most one radiograph of a patient.
        part: "held-out" is about a fifth of the patients by a hash, "rest" the others.
        size: Side, or [height, width], in pixels.
        resize: "crop", "pad" (with black) or "squash".
        channels: "grey", "rgb" or "auto".
        on_error: "raise", or "skip" damaged files.
        seed: Which n, and their order.
    """

    classes: tuple[str, ...] = ("0", "1")
    """What the labels number."""

    def __init__(
        self,
        path: str,
        n: All = "all",
        table: str = "valid.csv",
        view: View = "frontal",
        label: str = "",
        uncertain: Uncertain = "drop",
        per_patient: Literal["one", "all"] = "one",
        part: Part = "all",
        size: Count | tuple[Count, Count] = 224,
        resize: Resize = "pad",
        channels: Channels = "grey",
        on_error: OnError = "raise",
        seed: NonNegativeInt = 0,
    ) -> None:
        folder = Folder.at(path)
        rows = radiographs(folder, table, view, label)
        values = rows[label] if label else None
        if values is not None:
            found = findings(values, uncertain)
            self.classes = self.classes if found is not None else tuple(sorted({*values}))
            values = values if found is None else found
        usable = list(rows.index if values is None else values.index)
        names = shuffled(part_of(usable, part, patient_of), seed)
        if per_patient == "one":
            of: dict[str, str] = {}
            for name in names:
                of.setdefault(patient_of(name), name)
            names = [*of.values()]
        what = f"{'' if view == 'all' else view + ' '}radiographs in {folder.root / table}"
        super().__init__(folder, names, n, Look(size, resize, channels), on_error, what)
        patients = {patient_of(name) for name in self.ids}
        self.others = [name for name in self.others if patient_of(name) not in patients]
        self.facts = {**self.facts, "patients": str(len(patients))}
        if values is not None:
            self.labels = coded([values[name] for name in self.ids], self.classes)
            self.facts = {**self.facts, "labels": f"{label}: {legend(self.classes)}"}
