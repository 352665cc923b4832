"""Checks of exporters, and of any component by its kind."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from fiber_audit._suite.catalogue import Catalogue
from fiber_audit.check import check_component, check_exporter
from fiber_audit.contracts import Exporter
from fiber_audit.errors import UnknownName

CATALOGUE = Catalogue.load()


def names(found):
    return {violation.name for violation in found}


@pytest.mark.parametrize("name", CATALOGUE.names("exporter"))
def test_our_exporters_keep_the_contract(name):
    assert check_component("exporter", CATALOGUE.find("exporter", name).factory) == []


@dataclass
class Writes(Exporter):
    text: str = "1"
    spoil: bool = False
    path: str = "a.json"

    def export(self, records, run, out):
        out.mkdir()
        (out / "a.json").write_text(self.text)
        if self.spoil:
            records["value"] = 0.0
        return [out / self.path]


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (Writes(text='{"value": NaN}'), "strict"),
        (Writes(text="[-Infinity]"), "strict"),
        (Writes(spoil=True), "records-kept"),
        (Writes(path="b.json"), "files"),
        (Writes(text=None), "call"),
    ],
)
def test_a_bad_exporter_is_found_by_name(bad, name):
    assert name in names(check_exporter(bad))


def test_an_exporter_that_logs_elsewhere_is_not_tried():
    class Elsewhere(Writes):
        elsewhere = True

    assert check_exporter(Elsewhere(text=None)) == []


def test_a_factory_that_raises_is_a_violation():
    (violation,) = check_component("extractor", lambda: 1 / 0)

    assert str(violation) == "make: the factory raised ZeroDivisionError: division by zero"


def test_a_factory_that_leaves_the_process_is_a_violation():
    (violation,) = check_component("extractor", lambda: exit(0))

    assert str(violation) == "make: the factory raised SystemExit: 0"


def test_a_factory_of_something_else_is_a_violation():
    (violation,) = check_component("prior", Writes)

    assert str(violation) == (
        "make: the factory made a Writes; it must be a fiber_audit.contracts.Prior."
    )


def test_a_kind_without_a_check_is_refused_by_name():
    with pytest.raises(UnknownName, match="kind 'executor': it has no contract check"):
        check_component("executor", Writes)


@pytest.mark.parametrize("kind", ["extractor", "prior", "dataset", "metric"])
def test_the_components_in_the_wheel_keep_their_contracts(kind):
    wrong = {
        component.qualified: found
        for component in CATALOGUE
        if component.kind == kind and component.plugin in ("color-mnist", "scoring")
        if (found := check_component(component.kind, component.factory))
    }

    assert wrong == {}
