"""Every command of docs/cluster.md does what the page says, at the size of a toy."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import torch
from toy_suite import TOY_SUITE

from fiber_audit._suite.read import parse
from fiber_audit.commands.shard import SCHEDULERS, scheduled

PAGE = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()
SECTIONS = {
    part.partition("\n")[0]: re.findall(r"```(\w+)\n(.*?)```", part, re.DOTALL)
    for part in PAGE.split("\n## ")
}
RAY = ("Ray on this machine", "A Ray cluster", "Without a common folder")
ELSEWHERE = {"device=cuda", "executor.use=gpus", "executor.gpus=1"}
"""Settings of machines with GPUs."""


def blocks(heading, language):
    return [text for kind, text in SECTIONS[heading] if kind == language]


def commands(heading, language="shell"):
    """The words after `fiber-audit` of every line that begins with it."""
    lines = "".join(blocks(heading, language)).splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("fiber-audit ")]


def elsewhere(words):
    """Whether a command needs a GPU."""
    return bool(ELSEWHERE & {*words})


def here(words, folder):
    """The same command without what this machine has not: GPUs, /shared, a bucket."""
    kept = []
    for word in words:
        if word in ELSEWHERE:
            kept.pop()  # its --set
        else:
            word = word.replace("/shared", str(folder / "shared"))
            kept.append(word.replace("s3://", f"file://{folder}/"))
    return kept


@pytest.fixture
def run(command, tmp_path, monkeypatch):
    """Run a command of the page on the toy suite; it must succeed."""
    (tmp_path / "audit.toml").write_text(TOY_SUITE)
    for name in SCHEDULERS:
        monkeypatch.delenv(name, raising=False)

    def call(words, **environment):
        done = command(*here(words, tmp_path), **environment)
        assert done.returncode == 0, (words, done.stderr)
        return done

    return call


def test_every_command_is_in_a_test_below():
    tested = {"One core", "More cores", "GPUs of one machine", "An array of SLURM", *RAY}
    found = {name for name in SECTIONS if commands(name) or commands(name, "bash")}

    assert found <= tested


def test_one_core_then_the_forecast_then_more_cores_of_the_same_run(run):
    first, forecast = commands("One core")
    (more,) = commands("More cores")
    run(first)
    said = run(forecast)
    again = run(more)

    assert "0 of 15 to draw" in said.stdout
    assert again.stdout.splitlines()[-1].endswith("report.html")


def test_gpus_are_used_or_missed_in_one_sentence(command, tmp_path):
    (tmp_path / "audit.toml").write_text(TOY_SUITE)
    (words,) = commands("GPUs of one machine")
    done = command(*words)

    assert elsewhere(words)
    assert done.returncode == (0 if torch.cuda.is_available() else 4), done.stderr
    assert "Traceback" not in done.stderr


def test_the_array_of_the_script_draws_all_and_the_last_command_nothing(run, tmp_path):
    (script,) = blocks("An array of SLURM", "bash")
    first, last = map(int, re.search(r"--array=(\d+)-(\d+)", script).groups())
    (words,) = commands("An array of SLURM", "bash")
    known = {"MIN": first, "MAX": last, "COUNT": last - first + 1}
    for task in range(first, last + 1):
        of_slurm = {f"SLURM_ARRAY_TASK_{k}": str(v) for k, v in {**known, "ID": task}.items()}
        run(words[: words.index("--workers")], **of_slurm)
    drawn = sorted((tmp_path / "run" / "units").iterdir())

    submit = "".join(blocks("An array of SLURM", "shell"))
    run(shlex.split(re.search(r'--wrap "fiber-audit (.*)"', submit)[1]))
    assert sorted((tmp_path / "run" / "units").iterdir()) == drawn
    assert (tmp_path / "run" / "report.html").exists()


def test_the_jobs_of_githubs_matrix_draw_what_the_last_one_merges(run, tmp_path):
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load(blocks("A matrix in CI", "yaml")[0])["jobs"]
    shards = jobs["draw"]["strategy"]["matrix"]["shard"]

    def lines(job, **values):
        for step in jobs[job]["steps"]:
            line = re.sub(r"\$\{\{ (.+?) \}\}", lambda m: str(values[m[1]]), step.get("run", ""))
            if line.startswith("fiber-audit "):
                yield shlex.split(line)[1:]

    for shard in shards:
        (words,) = lines("draw", **{"matrix.shard": shard, "strategy.job-total": len(shards)})
        run(words)
    (merge,) = lines("finish")
    run(merge)

    assert (tmp_path / "run" / "report.html").exists()


def test_gitlabs_jobs_are_a_partition():
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load(blocks("A matrix in CI", "yaml")[1])["draw"]
    n = job["parallel"]

    assert any("--shard auto" in line for line in job["script"])
    assert [
        scheduled({"CI_NODE_INDEX": str(i + 1), "CI_NODE_TOTAL": str(n)})[0] for i in range(n)
    ] == [(i, n) for i in range(n)]


def test_the_executor_of_the_page_is_one(toy_catalogue):
    (text,) = blocks("A Ray cluster", "toml")
    suite = parse(tomllib.loads(TOY_SUITE + text), toy_catalogue)

    assert suite.executor.use == "ray"


@pytest.mark.slow  # one Ray, and its workers four times
def test_the_commands_of_ray_do_what_they_say(run, tmp_path):
    pytest.importorskip("ray")
    from fiber_audit_ray.session import Session

    with Session("", 2, 0):  # executors use it, whatever their address
        for heading in RAY:
            for words in commands(heading):
                run(words)
                (tmp_path / "run").exists() and (tmp_path / "run").rename(
                    tmp_path / f"run-{len([*tmp_path.iterdir()])}"
                )

    assert (tmp_path / "shared" / "run" / "report.html").exists()
    assert (tmp_path / "again" / "report.html").exists()
    assert (tmp_path / "bucket" / "audits" / "run" / "units").is_dir()
