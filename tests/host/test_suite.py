import pytest

from fiber_audit._score.directory import default_path
from fiber_audit._suite.read import override, read
from fiber_audit.errors import DataError, SuiteError, UsageError


def problems(path, catalogue, settings=()):
    with pytest.raises(SuiteError) as caught:
        read(str(path), catalogue, settings)
    return caught.value.problems


def test_every_problem_is_reported_at_once_with_its_path(toy_suite, toy_catalogue):
    path = toy_suite(
        "stren = 2\n[samplers.other]\nuse = 'toy-projectin'\n"
        "[[exclude]]\nsampler = 'projj'\n[[conditions]]\nmetric = 'toy_loss'\nmax = 'low'\n"
    )
    found = problems(path, toy_catalogue)

    assert any(p.startswith("samplers.proj.stren = 2: no such option. Did you") for p in found)
    assert any(p.startswith("samplers.other.use = 'toy-projectin'") for p in found)
    assert any("exclude[0].sampler = 'projj'" in p and "'proj'" in p for p in found)
    assert any(p.startswith("conditions[0]") for p in found)


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("draws=0", "draws = 0: Input should be greater than or equal to 1"),
        ("drawz=1", "drawz: no such key. Did you mean 'draws'"),
        ("seed='x'", "seed = 'x': Input should be a valid integer"),
        ("samplers.proj.strength=-1", "samplers.proj.strength = -1"),
        ("samplers.proj.strength=inf", "samplers.proj.strength = inf"),
        ("samplers.proj.strength=nan", "samplers.proj.strength = nan"),
        ("metrics=[]", "metrics"),
        ("target='other'", "'query' or 'reconstruction'"),
        ("name='../up'", "name = '../up'"),
    ],
)
def test_wrong_values_are_named(toy_suite, toy_catalogue, setting, part):
    assert any(part in p for p in problems(toy_suite(), toy_catalogue, [setting]))


def test_file_is_overridden_by_environment_and_that_by_settings(
    toy_suite, toy_catalogue, monkeypatch
):
    monkeypatch.setenv("FIBER_AUDIT_SET", "draws=7 seed=8")
    suite = read(str(toy_suite()), toy_catalogue, ["draws=9"])

    assert (suite.draws, suite.seed) == (9, 8)


def test_the_resolved_suite_reads_back_equal(toy_suite, toy_catalogue, tmp_path):
    suite = read(str(toy_suite("[[exclude]]\nsampler = 'proj'\n")), toy_catalogue)
    again = tmp_path / "again.toml"
    again.write_text(suite.to_toml())

    assert read(str(again), toy_catalogue) == suite


def test_conditions_and_batch_size_do_not_change_the_run_directory_but_steps_do(
    toy_suite, toy_catalogue
):
    suite = read(str(toy_suite()), toy_catalogue)
    other = read(str(toy_suite()), toy_catalogue, ["batch_size=3"])
    stronger = read(str(toy_suite()), toy_catalogue, ["samplers.proj.strength=2.0"])

    assert default_path(suite) == default_path(other) != default_path(stronger)


def test_a_suite_may_live_in_pyproject(tmp_path, toy_catalogue, toy_suite):
    text = toy_suite().read_text()
    lines = ["[tool.fiber-audit]"]
    for line in text.splitlines():
        lines.append(line.replace("[", "[tool.fiber-audit.", 1) if line.startswith("[") else line)
    path = tmp_path / "pyproject.toml"
    path.write_text("\n".join(lines))

    assert read(str(path), toy_catalogue) == read(str(toy_suite()), toy_catalogue)


def test_missing_files_and_bad_toml_are_one_sentence(tmp_path, toy_catalogue):
    with pytest.raises(DataError, match=r"'nosuch.toml': no such file"):
        read("nosuch.toml", toy_catalogue)
    with pytest.raises(DataError, match="Did you mean 'color-mnist'"):
        read("color-mnis", toy_catalogue)
    with pytest.raises(DataError, match="folder"):
        read(str(tmp_path), toy_catalogue)
    bad = tmp_path / "bad.toml"
    bad.write_text("a = [")
    with pytest.raises(SuiteError, match="not valid TOML"):
        read(str(bad), toy_catalogue)
    with pytest.raises(UsageError, match="path=value"):
        override({}, "draws")


def test_a_suite_knows_the_folder_of_its_file(toy_suite, toy_catalogue, tmp_path):
    assert read(str(toy_suite()), toy_catalogue).folder == tmp_path


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        (
            "[extractors.'a/b']\nuse = 'toy-first-two'\n",
            ["extractors.a/b: a name has no slash"],
        ),
        (
            "draws = 0\n[samplers.other]\nuse = 'nosuch'\nx = 1\n"
            "[[conditions]]\nmetric = 'toy_lost'\nmax = 1.0\n",
            ["samplers.proj.draws = 0: no such option", "samplers.other.use = 'nosuch'",
             "conditions[0].metric = 'toy_lost'"],
        ),
    ],
)  # fmt: skip
def test_shape_options_references_and_conditions_are_told_in_one_round(
    toy_suite, toy_catalogue, more, parts
):
    found = problems(toy_suite(more), toy_catalogue)

    for part in parts:
        assert any(part in p for p in found), found


def test_numbers_beyond_64_bits_are_named(toy_suite, toy_catalogue):
    for setting in ("seed=99999999999999999999", "queries.n=-99999999999999999999"):
        (found,) = problems(toy_suite(), toy_catalogue, [setting])
        assert found.startswith(setting.partition("=")[0])
        assert "64 bits" in found


@pytest.mark.parametrize("content", [b"\xff\xfe\x00a", b"\x80name = 1", b"", b"\x00\x01"])
def test_a_file_that_is_no_text_or_empty_is_one_sentence(tmp_path, toy_catalogue, content):
    path = tmp_path / "suite.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read(str(path), toy_catalogue)


def test_a_byte_order_mark_is_fine(toy_suite, toy_catalogue):
    path = toy_suite()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert read(str(path), toy_catalogue).name == "toy"
