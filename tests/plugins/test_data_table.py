"""Tables: the numbers of a file, as they are or standardised; what is no number is named."""

import numpy as np
import pandas as pd
import pytest
import torch
from fiber_audit_data.table import NumericTable

from fiber_audit import DataError
from fiber_audit._suite import options
from fiber_audit.testing import check_dataset

VALUES = np.random.default_rng(0).normal([5, -3, 1000], [2, 0.1, 300], (40, 3)).round(3)
FRAME = pd.DataFrame(VALUES, columns=["mass", "side", "dose"]).assign(
    kind=np.arange(40) % 2, sex=np.resize(["f", "m"], 40), alive=True
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def write(tmp_path):
    """Columns of the frame, or a text, as a file."""

    def call(content=("mass", "side", "dose", "kind"), name="table.csv", **more):
        path = tmp_path / name
        if isinstance(content, (str, bytes)):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        elif name.endswith(".parquet"):
            FRAME[[*content]].to_parquet(path)
        else:
            FRAME[[*content]].to_csv(path, index=False, **more)
        return str(path)

    return call


def rows(dataset):
    return [int(name.removeprefix("row-")) for name in dataset.ids]


def test_it_keeps_the_contract(write):
    assert check_dataset(NumericTable(write(), n=12, label="kind", standardise=True)) == []


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_rows_are_those_of_the_file(write, name):
    dataset = NumericTable(write(name=name), label="kind")

    assert sorted(rows(dataset)) == [*range(40)]
    assert torch.equal(dataset.load(range(40)), torch.from_numpy(VALUES[rows(dataset)]).float())
    assert dataset.labels.tolist() == [row % 2 for row in rows(dataset)]
    assert dataset.columns == ("mass", "side", "dose")
    order = torch.randperm(40, generator=generator()).tolist()
    assert torch.equal(dataset.load(order), dataset.load(range(40))[order])
    assert NumericTable(write(name=name), n=7, label="kind").ids == dataset.ids[:7]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["", "bom"])
def test_line_ends_of_any_system_are_read(write, end, bom):
    text = FRAME[["mass", "side", "dose", "kind"]].to_csv(index=False, lineterminator=end)
    there = NumericTable(write(bom + text.encode(), "other.csv"), label="kind")
    here = NumericTable(write(), label="kind")

    assert there.columns == here.columns
    assert torch.equal(there.load(range(40)), here.load(range(40)))


def test_other_separators_and_no_header_are_read(write):
    path = write(sep=";", header=False)
    dataset = NumericTable(path, separator=";", header=False, label="column-3")

    assert dataset.columns == ("column-0", "column-1", "column-2")
    assert torch.equal(dataset.load([0]), torch.from_numpy(VALUES[rows(dataset)[:1]]).float())


def test_standardised_columns_have_mean_0_and_deviation_1_and_go_back(write):
    natural = NumericTable(write(), label="kind")
    dataset = NumericTable(write(), label="kind", standardise=True)
    z = dataset.load(range(40)).double()

    torch.testing.assert_close(z.mean(0), torch.zeros(3).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(3).double(), atol=1e-6, rtol=0)
    x = natural.load(range(40))
    torch.testing.assert_close(dataset.natural(z.float()), x, atol=1e-5, rtol=1e-6)
    again = dataset.scale.standardised(dataset.natural(z))
    torch.testing.assert_close(again.double(), z, atol=1e-5, rtol=0)  # float32 in between
    assert torch.equal(natural.natural(x), x)


def test_the_scale_is_of_the_whole_file_whatever_is_taken_of_it(write):
    whole = NumericTable(write(), label="kind", standardise=True)
    for chosen in ({"n": 3}, {"part": "rest"}, {"seed": 5}):
        some = NumericTable(write(), label="kind", standardise=True, **chosen)
        assert torch.equal(some.scale.mean, whole.scale.mean)


def test_a_scale_that_is_given_is_used(write):
    mean, std = (5.0, -3.0, 1000.0), (2.0, 0.1, 300.0)
    dataset = NumericTable(write(), label="kind", standardise=True, mean=mean, std=std)
    expected = (VALUES[rows(dataset)] - mean) / std

    torch.testing.assert_close(dataset.load(range(40)), torch.from_numpy(expected).float())
    with pytest.raises(DataError, match="used only with standardise = true"):
        NumericTable(write(), label="kind", mean=mean)
    with pytest.raises(DataError, match=r"queries.std: 2 for 3 columns \(mass, side, dose\)"):
        NumericTable(write(), label="kind", standardise=True, std=(1.0, 2.0))
    with pytest.raises(DataError, match="standard deviations of side are not above 0"):
        NumericTable(write(), label="kind", standardise=True, std=(1.0, 0.0, 2.0))


def test_columns_have_an_order_and_units(write):
    dataset = NumericTable(write(), columns=("dose", "mass"), units=("mg", ""))

    expected = torch.from_numpy(VALUES[rows(dataset)][:, [2, 0]]).float()
    assert torch.equal(dataset.load(range(40)), expected)
    assert (dataset.columns, dataset.units) == (("dose", "mass"), ("mg", ""))
    assert dataset.facts["columns"] == "dose [mg], mass"
    with pytest.raises(DataError, match=r"queries.units: 1 for 2 columns"):
        NumericTable(write(), columns=("dose", "mass"), units=("mg",))


def test_categories_are_refused_by_name_with_the_way_out(write):
    with pytest.raises(DataError) as caught:
        NumericTable(write(("mass", "sex", "dose", "alive")))

    assert "'sex' ('f' in row 0); 'alive' ('True' in row 0)" in str(caught.value)
    assert 'columns = ["mass", "dose"]' in str(caught.value)
    assert NumericTable(write(("mass", "sex")), label="sex").facts["labels"] == "sex: 0 f, 1 m"
    with pytest.raises(DataError, match=r"'age' \('n\.a\.!' in row 1\)"):
        NumericTable(write("mass,age\n1,2\n3,n.a.!\n"))
    with pytest.raises(DataError, match=r"'day' \('2026-11-25'"):
        NumericTable(write("mass,day\n1,2026-11-25\n"))


def test_rows_with_gaps_are_refused_or_left_out_and_told(write):
    path = write("mass,side,kind\n1,2,0\n3,,1\n,inf,1\n5,6,\n7,8,1\n")
    with pytest.raises(DataError) as caught:
        NumericTable(path, label="kind")
    assert "3 of 5 rows have empty or infinite cells" in str(caught.value)
    assert "'mass' (1), 'side' (2), 'kind' (1)" in str(caught.value)

    dataset = NumericTable(path, label="kind", missing="drop")
    assert sorted(rows(dataset)) == [0, 4]
    assert dataset.facts["left out"].endswith("left out")
    assert check_dataset(dataset) == []
    labels = dict(zip(rows(dataset), dataset.labels.tolist(), strict=True))
    assert labels == {0: 0, 4: 1}


def test_reference_rows_are_other_ones(write):
    dataset = NumericTable(write(), label="kind", n=10)
    others = dataset.reference(30, generator())

    assert torch.cdist(dataset.load(range(10)), others).min() > 0
    assert dataset.reference(31, generator()) is None
    assert NumericTable(write(), n=21).reference(1, generator()) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "cannot be read as a table"),
        ("a,b\n1,2,3\n4,5,6\n", "cannot be read as a table"),
        ("a,b\n1,2\n4,5,6\n", "cannot be read as a table"),
        (b"\xff\xfe\x00,b\n1,2\n", "cannot be read as a table"),
        ("a,b\n", "has no rows"),
        ("a;b\n1;2\n", "'a;b' ('1;2' in row 0); is the separator right?"),
    ],
)
def test_what_is_no_table_is_one_sentence(write, content, words):
    with pytest.raises(DataError) as caught:
        NumericTable(write(content))

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_mistakes_are_one_sentence(write, tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        NumericTable(str(tmp_path / "nowhere.csv"))
    with pytest.raises(DataError, match=r"columns = 'm': no such column in .* it has: mass, side"):
        NumericTable(write(), columns=("m",))
    with pytest.raises(DataError, match="'mass' is named twice"):
        NumericTable(write(), columns=("mass", "mass"))
    with pytest.raises(DataError, match=r"queries.n = 41: there are 40 rows in"):
        NumericTable(write(), n=41)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"bad\.parquet: cannot be read as a table"):
        NumericTable(str(tmp_path / "bad.parquet"))


def test_options_are_checked_as_those_of_a_suite():
    good = {"path": "x", "columns": ["a"], "mean": [1, 2.5], "n": 3, "missing": "drop"}

    assert options.problems_of(NumericTable, good, "queries") == []
    assert options.validated(NumericTable, good)["mean"] == (1.0, 2.5)
