"""JUnit XML: a condition is a case of its audit's suite, for any CI that shows test results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from fiber_audit.contracts import Exporter
from fiber_audit.records import printable, write_atomically

from .cases import Case, cases
from .run_facts import facts

if TYPE_CHECKING:
    import pandas as pd

TAGS = {"fail": "failure", "error": "error", "skipped": "skipped", "inconclusive": "skipped"}


@dataclass(frozen=True)
class JUnit(Exporter):
    """Failure, error and skipped are told apart; every audit also has the case that it finished.

    It is valid against the schema of Jenkins' xUnit plugin, so numbers are in a case's output, not
    its properties. A warning is a passed case whose output tells of it. inconclusive_fails: a
    condition that the draws cannot decide is a failure; otherwise it is a skipped case with the n
    that would decide.
    """

    inconclusive_fails: bool = False

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/junit.xml."""
        about = facts(records)
        root = ElementTree.Element("testsuites", name=printable(f"fiber-audit {about.suite}"))
        start = about.moment.strftime("%Y-%m-%dT%H:%M:%S")
        total: list[ElementTree.Element] = []
        for audit, group in groupby(cases(records, run), key=lambda case: case.audit):
            found = [self._case(case) for case in group]
            skipped = {"skipped": str(_count(found, "skipped"))}
            known = {"name": audit, "timestamp": start, **_counts(found), **skipped}
            ElementTree.SubElement(root, "testsuite", known).extend(found)
            total += found
        root.attrib.update(_counts(total))
        ElementTree.indent(root)
        text = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
        return [write_atomically(out / "junit.xml", text)]

    def _case(self, case: Case) -> ElementTree.Element:
        element = ElementTree.Element("testcase", classname=case.audit, name=case.name, time="0")
        tag = TAGS.get(case.status, "")
        if case.status == "inconclusive" and self.inconclusive_fails:
            tag = "failure"
        if tag:
            outcome = ElementTree.SubElement(element, tag, message=case.message, type=case.status)
            outcome.text = case.message
        said = [case.message] if case.status == "warn" else []
        said += [f"{name} = {value!r}" for name, value in case.numbers.items()]
        if said:
            ElementTree.SubElement(element, "system-out").text = "\n".join(said)
        return element


def _counts(found: Sequence[ElementTree.Element]) -> dict[str, str]:
    counts = {f"{tag}s": str(_count(found, tag)) for tag in ("failure", "error")}
    return {"tests": str(len(found)), **counts}


def _count(found: Sequence[ElementTree.Element], tag: str) -> int:
    return sum(case.find(tag) is not None for case in found)
