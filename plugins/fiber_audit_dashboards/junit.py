"""JUnit XML: a condition is a case of its audit's suite, for any CI that shows test results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from fiber_audit.contracts import Exporter

from .cases import Case, cases
from .series import facts

if TYPE_CHECKING:
    import pandas as pd

TAGS = {"fail": "failure", "error": "error", "skipped": "skipped", "inconclusive": "skipped"}


@dataclass(frozen=True)
class JUnit(Exporter):
    """Failure, error and skipped are told apart; every audit also has the case that it finished.

    A warning is a passed case whose output tells of it. inconclusive_fails: a condition that the
    draws cannot decide is a failure; otherwise it is a skipped case with the n that would decide.
    """

    inconclusive_fails: bool = False

    def export(self, records: pd.DataFrame, run: Path, out: Path) -> Sequence[Path]:
        """Write out/junit.xml."""
        about = facts(records)
        root = ElementTree.Element("testsuites", name=f"fiber-audit {about.suite}")
        total: list[ElementTree.Element] = []
        for audit, group in groupby(cases(records, run), key=lambda case: case.audit):
            found = [self._case(case) for case in group]
            known = {"name": audit, "timestamp": about.started_at.rstrip("Z"), **_counts(found)}
            ElementTree.SubElement(root, "testsuite", known).extend(found)
            total += found
        root.attrib.update(_counts(total))
        ElementTree.indent(root)
        out.mkdir(parents=True, exist_ok=True)
        path = out / "junit.xml"
        ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
        return [path]

    def _case(self, case: Case) -> ElementTree.Element:
        element = ElementTree.Element("testcase", classname=case.audit, name=case.name, time="0")
        if case.properties:
            properties = ElementTree.SubElement(element, "properties")
            for name, value in case.properties.items():
                ElementTree.SubElement(properties, "property", name=name, value=value)
        tag = TAGS.get(case.status, "")
        if case.status == "inconclusive" and self.inconclusive_fails:
            tag = "failure"
        if tag:
            outcome = ElementTree.SubElement(element, tag, message=case.message, type=case.status)
            outcome.text = case.message
        elif case.status == "warn":
            ElementTree.SubElement(element, "system-out").text = case.message
        return element


def _counts(found: Sequence[ElementTree.Element]) -> dict[str, str]:
    tags = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {name: sum(c.find(tag) is not None for c in found) for name, tag in tags.items()}
    return {"tests": str(len(found)), **{name: str(count) for name, count in counts.items()}}
