import sys
from importlib.metadata import packages_distributions, version

import pandas
import torch
import yaml

from fiber_audit._score.imported import imported


def test_it_is_what_the_standard_library_tells_of_what_is_imported():
    """Its slow way, of distributions that list a module at the top."""
    tops = {name.partition(".")[0] for name in sys.modules}
    known = packages_distributions()
    expected = {name for top in tops for name in known.get(top, [])}

    assert set(imported()) >= expected
    assert all(version(name) == told for name, told in imported().items())


def test_it_holds_what_is_imported_and_not_what_is_only_installed():
    found = imported()

    assert {"torch": torch.__version__.partition("+")[0], "pandas": pandas.__version__}.items() <= {
        name: told.partition("+")[0] for name, told in found.items()
    }.items()
    assert found["PyYAML"] == yaml.__version__
    assert "mypy" not in found
