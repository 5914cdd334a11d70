"""The study: resuming, equal budgets, what is stored, and a rerun that agrees with it."""

import dataclasses
import math
import tomllib

import numpy as np
import pytest

from regstudy import __main__ as command
from regstudy import cells, recurrent, store, studies
from regstudy.problems.recurrent_arms import ARMS, CLAIMS
from tests.conftest import ROOT, exactly
from tests.regstudy.conftest import numbers

ALL = tuple(studies.PROBLEMS)


@pytest.fixture
def interrupted(monkeypatch):
    """A function that lets so many more cells be trained before the user interrupts; 0 for no interruption."""
    left, train = [0], cells.train

    def stopping(*arguments, **options):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    monkeypatch.setattr(cells, "train", stopping)
    return lambda count: left.__setitem__(0, count + 1 if count else 0)


def test_an_interrupted_run_goes_on_where_it_stopped(tiny, tmp_path, calls, interrupted):
    whole = studies.study("tiny", tmp_path / "whole", progress=False)
    assert len(calls) == len(ARMS) * 2
    planned = list(calls)
    calls.clear()
    interrupted(11)
    with pytest.raises(KeyboardInterrupt):
        studies.study("tiny", tmp_path, progress=False)
    assert len(store.read(store.path("tiny", tmp_path, partial=True))["cells"]) == 11
    with pytest.raises(FileNotFoundError, match="python -m regstudy tiny"):
        studies.stored("tiny", tmp_path)
    interrupted(0)
    file = studies.study("tiny", tmp_path, progress=False)
    assert calls == planned
    assert numbers(file) == numbers(whole)
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["tiny.json"]


# Whoever sends work to the processes may find that what it was to send is gone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_interruption_of_two_processes_costs_what_they_were_working_on(tiny, tmp_path, monkeypatch):
    write, written = store.write, []

    def interrupting(file, content):
        write(file, content)
        written.append(file)
        if len(written) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(store, "write", interrupting)
    with pytest.raises(KeyboardInterrupt):
        studies.study("tiny", tmp_path, progress=False, jobs=2)
    assert len(store.read(store.path("tiny", tmp_path, partial=True))["cells"]) == 3
    file = studies.study("tiny", tmp_path, progress=False, jobs=2)
    assert len(written) == 2 * len(ARMS) + 1
    assert len(store.read(file)["cells"]) == 2 * len(ARMS)


def test_complete_results_are_left_alone_unless_a_fresh_start_is_asked_for(tiny, tmp_path, calls):
    file = studies.study("tiny", tmp_path, progress=False)
    before = file.read_bytes()
    calls.clear()
    assert studies.study("tiny", tmp_path, progress=False) == file
    assert not calls
    assert file.read_bytes() == before
    studies.study("tiny", tmp_path, fresh=True, progress=False)
    assert len(calls) == len(ARMS) * 2


def test_old_results_stay_until_the_new_ones_are_complete(tiny, tmp_path, interrupted):
    file = studies.study("tiny", tmp_path, progress=False)
    before = file.stat().st_mtime_ns
    interrupted(len(ARMS) * 2 - 1)
    with pytest.raises(KeyboardInterrupt):
        studies.study("tiny", tmp_path, fresh=True, progress=False)
    assert file.stat().st_mtime_ns == before
    interrupted(0)
    studies.study("tiny", tmp_path, progress=False)  # goes on with the fresh start
    assert file.stat().st_mtime_ns > before
    assert not store.path("tiny", tmp_path, partial=True).exists()


def test_cells_of_other_code_are_run_again(tiny, tmp_path, calls, interrupted):
    interrupted(3)
    with pytest.raises(KeyboardInterrupt):
        studies.study("tiny", tmp_path, progress=False)
    interrupted(0)
    partial = store.path("tiny", tmp_path, partial=True)
    content = store.read(partial)
    first, *_ = content["cells"]
    content["cells"][first]["code"] = "another"
    store.write(partial, content)
    calls.clear()
    studies.study("tiny", tmp_path, progress=False)
    assert len(calls) == len(ARMS) * 2 - 2


def test_the_choice_is_made_on_seeds_of_its_own_and_the_test_comes_last(tiny, tmp_path, calls):
    studies.study("tiny", tmp_path, progress=False)
    assert [(arm, seeds, test) for arm, _, seeds, test in calls] == [
        *((arm, (1000, 1001), False) for arm in ARMS),
        *((arm, tuple(range(10)), True) for arm in ARMS),
    ]
    results = studies.stored("tiny", tmp_path)
    for arm in ARMS:
        means = [result.validation.mean() for result in results.tuning[arm]]
        best, final = results.tuning[arm][int(np.argmin(means))], results.final[arm]
        assert (final.rate, final.learning_rate) == (best.rate, best.learning_rate)
        assert len(means) == 6


def test_unknown_names_are_named(tiny, tmp_path, capsys):
    known = ", ".join(map(repr, studies.PROBLEMS))
    for call in (studies.stored, studies.study, lambda name: studies.run(name, "none")):
        with pytest.raises(ValueError, match=exactly(f"task must be one of {known}; got 'words'")):
            call("words")
    with pytest.raises(ValueError, match=r"^arm must be one of 'none', .*; got 'dropout'$"):
        studies.run("tiny", "dropout", setting={"rate": 0.1, "learning_rate": 0.1})
    with pytest.raises(ValueError, match=exactly("seeds must hold at least one seed, got none")):
        studies.run("tiny", "none", seeds=[], setting={"rate": 0.0, "learning_rate": 0.1})
    with pytest.raises(ValueError, match=exactly("jobs must be at least 1, got 0")):
        studies.study("tiny", tmp_path, jobs=0)
    with pytest.raises(
        FileNotFoundError, match=exactly("there are no results of 'tiny' yet; run: python -m regstudy tiny")
    ):
        studies.stored("tiny", tmp_path)
    for arguments, words in (
        (["words"], "unknown study or task 'words'; there are recurrent (digits, "),
        (["--jobs", "0"], "--jobs must be at least 1, got 0"),
    ):
        with pytest.raises(SystemExit):
            command.main(arguments)
        assert words in capsys.readouterr().err


def test_results_of_settings_that_differ_in_the_last_digit_are_known(tiny, tmp_path):
    content = store.read(studies.study("tiny", tmp_path, progress=False))
    setting = content["cells"]["state/tuning"]["settings"][0]
    setting["learning_rate"] = math.nextafter(setting["learning_rate"], 1)
    store.write(store.path("tiny", tmp_path), content)
    assert studies.stored("tiny", tmp_path).final["state"].setting["rate"] >= 0


def test_results_of_other_settings_are_refused(tiny, tmp_path):
    content = store.read(studies.study("tiny", tmp_path, progress=False))
    content["cells"]["state/tuning"]["settings"][0]["rate"] = 0.9
    store.write(store.path("tiny", tmp_path), content)
    expected = (
        "the results of 'tiny' must be of the settings and seeds of now, but arm 'state' has others; "
        "run: python -m regstudy tiny --fresh"
    )
    with pytest.raises(ValueError, match=exactly(expected)):
        studies.stored("tiny", tmp_path)
    assert f"tiny: {expected}" in studies.report(["tiny"], tmp_path).splitlines()


def test_the_command_takes_studies_and_tasks(tiny, tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(studies, "report", lambda tasks, folder: asked.append(list(tasks)))
    for names in (["mnist-spatial", "tiny"], ["recurrent"], []):
        assert command.main(["--report", *names]) == 0
    capsys.readouterr()
    assert asked == [
        ["mnist-spatial-map", "mnist-spatial-class", "tiny"],
        ["digits", "adding", "reber", "characters"],
        list(studies.PROBLEMS),
    ]


def test_the_command_runs_reports_and_leaves_alone_what_is_complete(tiny, tmp_path, capsys):
    folder = ["--results", str(tmp_path)]
    assert command.main(["tiny", *folder]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"tiny: complete: {tmp_path / 'tiny.json'}\n  56 settings, ")
    assert f"{len(ARMS) * 2}/{len(ARMS) * 2}" in shown.err
    assert command.main(["--report", *folder]) == 0
    text = capsys.readouterr().out
    assert "digits: there are no results" in text
    results = studies.stored("tiny", tmp_path)
    for arm in ARMS:
        assert f"{results.final[arm].test.mean():.4g} [" in text
    for claim in CLAIMS:
        assert claim.words in text
    assert command.main(["tiny", *folder]) == 0
    again = capsys.readouterr()
    assert again.out == shown.out.replace("complete", "complete already; --fresh runs it again", 1)
    assert not again.err


def test_the_report_marks_choices_at_either_end_of_their_grid(tiny, tmp_path):
    content = store.read(studies.study("tiny", tmp_path, progress=False))
    for arm, best in (("none", 2), ("state", 0), ("zoneout", 5), ("recurrent", 2)):
        tuning, final = (content["cells"][f"{arm}/{stage}"] for stage in ("tuning", "final"))
        tuning["validation"] = [[0.0 if k == best else 1.0] * 2 for k in range(6)]
        final["settings"] = [tuning["settings"][best]]
    store.write(store.path("tiny", tmp_path), content)
    lines = {line.split()[0]: line for line in studies.report(["tiny"], tmp_path).splitlines() if "[" in line}
    assert "end of its grid" not in lines["none"]
    assert lines["state"].endswith("  (an end of its grid: rate=0.1, learning_rate=0.02)")
    assert lines["zoneout"].endswith("  (an end of its grid: rate=0.5, learning_rate=0.007)")
    assert lines["recurrent"].endswith("  (an end of its grid: learning_rate=0.02)")


def test_a_verdict_compares_the_test_numbers_seed_by_seed(tiny, tmp_path):
    studies.study("tiny", tmp_path, progress=False)
    results = studies.stored("tiny", tmp_path)
    verdict = results.verdict("state", "none")
    assert verdict.arms == ("state", "none")
    assert verdict.better == "lower"
    assert verdict.claim == "state has a lower mean squared error than none"
    assert verdict.difference == pytest.approx((results.final["state"].test - results.final["none"].test).mean())
    assert [found.claim for found in results.verdicts()] == [claim.words for claim in CLAIMS]
    with pytest.raises(ValueError, match=r"^arm must be one of .*; got 'dropout'$"):
        results.verdict("dropout", "none")


def test_stored_results_show_as_their_verdicts(tiny, tmp_path):
    studies.study("tiny", tmp_path, progress=False)
    results = studies.stored("tiny", tmp_path)
    table = results.table(digits=2)
    assert [row[0] for row in table.rows] == [claim.words for claim in CLAIMS]
    assert [row[-1].removesuffix(" *") for row in table.rows] == [found.verdict for found in results.verdicts()]
    assert table.rows[1][1] == pytest.approx(results.final["variational"].test.mean())
    assert table.caption.startswith("a task that takes a moment: mean squared error, 10 paired seeds")
    assert repr(results) == repr(results.table())
    assert results._repr_html_() == results.table()._repr_html_()


def test_the_verdicts_of_several_tasks_stand_in_one_table(tiny, tmp_path):
    studies.study("tiny", tmp_path, progress=False)
    one = studies.stored("tiny", tmp_path).table()
    both = studies.verdicts("tiny", "tiny", folder=tmp_path)
    label = "a task that takes a moment (mean squared error)"
    assert both.rows == [[label, *row] for row in one.rows] * 2
    assert both.columns == ["Task", *one.columns]
    assert both.caption.startswith("10 paired seeds")


def test_agreement_can_fail(tiny, tmp_path):
    studies.study("tiny", tmp_path, progress=False)
    reference = studies.stored("tiny", tmp_path)
    final = reference.final["state"]
    setting = final.setting
    rerun = studies.run("tiny", "state", seeds=[3, 1], setting=setting)
    same = studies.agrees(rerun, reference)
    assert same.exact
    assert same
    assert str(same).startswith("The rerun gives the stored numbers (largest difference ")
    near = studies.agrees(dataclasses.replace(rerun, test=rerun.test * 1.001), reference)
    assert not near.exact
    assert near.inside
    assert near
    fresh = studies.agrees(studies.run("tiny", "state", seeds=[500, 501], setting=setting), reference)
    assert not fresh.exact
    far = studies.agrees(dataclasses.replace(rerun, test=rerun.test + 10 * final.test.std()), reference)
    assert not far
    assert "lies outside the stored interval [" in str(far)
    with pytest.raises(ValueError, match=r"^result must be a run at the chosen setting .*, got {'rate': 0\.9, "):
        studies.agrees(dataclasses.replace(rerun, setting=setting | {"rate": 0.9}), reference)


@pytest.mark.parametrize("task", ALL)
def test_stored_results_are_complete_and_fair(task):
    results, size = studies.stored(task), studies.PROBLEMS[task]
    names = [arm.name for arm in size.arms]
    assert list(results.final) == list(results.tuning) == names
    assert (results.words, results.unit) == (size.words, size.task.unit)
    tuning_seeds, seeds = results.tuning[names[0]][0].seeds, results.final[names[0]].seeds
    assert seeds == tuple(range(size.seeds))
    assert len(seeds) >= 20
    assert len(tuning_seeds) == size.tuning_seeds
    assert not set(seeds) & set(tuning_seeds)
    for name in names:
        tried, final = results.tuning[name], results.final[name]
        assert [result.setting for result in tried] == list(size.arm(name).settings)
        assert {r.seeds for r in tried} == {tuning_seeds}
        assert all(r.test is None for r in tried)
        best = min(tried, key=lambda r: r.validation.mean())
        assert final.setting == best.setting
        assert final.seeds == seeds
        assert final.test.shape == final.validation.shape == (len(seeds),)
        assert np.isfinite(final.test).all()
        assert len(final.updates) == len(final.validation_curve)
        assert len(final.train_curve) == (len(final.updates) if size.task.training_curve else 0)
    assert {v.n for v in results.verdicts()} == {len(seeds)}


@pytest.mark.parametrize("task", ALL)
def test_stored_results_say_where_they_come_from(task):
    provenance = studies.stored(task).provenance
    assert {"code", "commit", "python", "numpy", "date", "seconds", "cpu_seconds", "data_sha256"} <= set(provenance)
    assert provenance["seeds"] == list(range(studies.PROBLEMS[task].seeds))
    done = store.read(store.path(task))["cells"].values()
    assert {cell["code"] for cell in done} == {provenance["code"]}
    assert provenance["cpu_seconds"] == pytest.approx(sum(cell["cpu_seconds"] for cell in done), abs=1)
    if task != "characters":  # the manual is another one in other versions of Python
        assert studies.PROBLEMS[task].fingerprint() == provenance["data_sha256"]


RERUNS = [
    ("digits", "candidate"),
    ("adding", "none"),
    ("mnist-dropout-500-wrong", "both"),
    ("mnist-decay-500", "SGD + L2"),
]


@pytest.mark.parametrize(("task", "arm"), [*RERUNS, ("mnist-spatial-map", "channels")])
def test_a_reduced_rerun_agrees_with_what_is_stored(task, arm):
    rerun = studies.run(task, arm, seeds=[2, 11])
    agreement = studies.agrees(rerun)
    assert agreement, str(agreement)


def test_the_arm_without_noise_overfits_in_every_task():
    for task in recurrent.TASKS:
        final = studies.stored(task).final["none"]
        assert final.train_curve[-1] < 0.75 * final.validation_curve[-1]


def test_an_installation_carries_the_results():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    (pattern,) = setup["package-data"]["regstudy"]
    found = {file.name for file in (ROOT / "regstudy").glob(pattern) if not file.stem.endswith(".partial")}
    assert found == {f"{task}.json" for task in ALL}


def test_no_study_has_the_name_of_a_task():
    assert not set(studies.STUDIES) & set(studies.PROBLEMS)
    assert len(studies.PROBLEMS) == sum(map(len, studies.STUDIES.values()))
