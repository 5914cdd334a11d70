"""The studies: resuming, atomic files, equal budgets, what is stored, and a rerun that agrees with it."""

import ast
import dataclasses
import json
import os
import re
import tomllib

import numpy as np
import pytest

from regbook import sequences
from reglib.layers.cells import LSTM
from regstudy import __main__ as command
from regstudy import cell_run, recurrent, store, tasks
from regstudy.arms import ARMS, RATES
from regstudy.claims import CLAIMS
from tests.conftest import ROOT, exactly


def tiny_data(rng):
    """Four steps of the adding problem."""
    return tuple(sequences.adding(rng, n, 4) for n in (8, 6, 6))


@pytest.fixture
def tiny(monkeypatch):
    """A task that takes a moment, known by the name "tiny"."""
    small = {"hidden": 3, "batch": 4, "updates": 5, "every": 2, "seeds": 10, "tuning_seeds": 2}
    task = dataclasses.replace(recurrent.TASKS["adding"], name="tiny", data=tiny_data, **small)
    monkeypatch.setitem(recurrent.TASKS, "tiny", task)
    return task


def numbers(file):
    """What a run computed, without what it cost and when."""
    cells = store.read(file)["cells"]
    return {key: {k: v for k, v in cell.items() if "seconds" not in k and k != "date"} for key, cell in cells.items()}


@pytest.fixture
def calls(monkeypatch):
    """A record of the cells that were trained."""
    record, train = [], cell_run.train

    def spy(task, arm, setting, seeds, *, test):
        record.append((arm.name, setting, tuple(seeds), test))
        return train(task, arm, setting, seeds, test=test)

    monkeypatch.setattr(cell_run, "train", spy)
    return record


def test_an_interrupted_run_goes_on_where_it_stopped(tiny, tmp_path, monkeypatch, calls):
    whole = recurrent.study("tiny", tmp_path / "whole", progress=False)
    assert len(calls) == len(ARMS) * 7
    planned = list(calls)
    calls.clear()
    train = cell_run.train

    def interrupted(*arguments, **options):
        if len(calls) == 20:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    monkeypatch.setattr(cell_run, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recurrent.study("tiny", tmp_path, progress=False)
    assert len(store.read(store.path("tiny", tmp_path, partial=True))["cells"]) == 20
    with pytest.raises(FileNotFoundError, match="python -m regstudy tiny"):
        recurrent.stored("tiny", tmp_path)
    monkeypatch.setattr(cell_run, "train", train)
    file = recurrent.study("tiny", tmp_path, progress=False)
    assert calls == planned
    assert numbers(file) == numbers(whole)
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["tiny.json"]


def test_complete_results_are_left_alone_unless_a_fresh_start_is_asked_for(tiny, tmp_path, calls):
    file = recurrent.study("tiny", tmp_path, progress=False)
    before = file.read_bytes()
    calls.clear()
    assert recurrent.study("tiny", tmp_path, progress=False) == file
    assert not calls
    assert file.read_bytes() == before
    recurrent.study("tiny", tmp_path, fresh=True, progress=False)
    assert len(calls) == len(ARMS) * 7


def test_old_results_stay_until_the_new_ones_are_complete(tiny, tmp_path, monkeypatch):
    file = recurrent.study("tiny", tmp_path, progress=False)
    before, train, seen = file.read_bytes(), cell_run.train, []

    def watched(*arguments, **options):
        seen.append(file.read_bytes() == before)
        if len(seen) == 30:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    monkeypatch.setattr(cell_run, "train", watched)
    with pytest.raises(KeyboardInterrupt):
        recurrent.study("tiny", tmp_path, fresh=True, progress=False)
    assert all(seen)
    assert file.read_bytes() == before


def test_cells_of_other_code_are_run_again(tiny, tmp_path, monkeypatch, calls):
    train = cell_run.train

    def interrupted(*arguments, **options):
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    monkeypatch.setattr(cell_run, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recurrent.study("tiny", tmp_path, progress=False)
    monkeypatch.setattr(cell_run, "train", train)
    partial = store.path("tiny", tmp_path, partial=True)
    content = store.read(partial)
    first, *_ = content["cells"]
    content["cells"][first]["code"] = "another"
    store.write(partial, content)
    calls.clear()
    recurrent.study("tiny", tmp_path, progress=False)
    assert len(calls) == len(ARMS) * 7 - 2


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "deep" / "tiny.json"
    store.write(file, {"task": "tiny", "cells": {"a": {"x": [1, 2]}, "b": {}}})
    before = file.read_bytes()
    assert json.loads(before) == {"task": "tiny", "cells": {"a": {"x": [1, 2]}, "b": {}}}

    def broken(*_, **__):
        raise OSError("the disk is full")

    for place, name in ((os, "replace"), (type(file), "write_text")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, broken)
            with pytest.raises(OSError, match="the disk is full"):
                store.write(file, {"task": "tiny", "cells": {}})
        assert file.read_bytes() == before
        assert [entry.name for entry in file.parent.iterdir()] == ["tiny.json"]


def test_the_fingerprint_sees_code_but_not_words(tiny):
    first = store.code(tiny)
    assert store.code(tiny) == first
    assert store.code(dataclasses.replace(tiny, updates=6)) != first
    assert store.code(dataclasses.replace(tiny, measure=tasks.error_rate)) != first
    texts = ['def f():\n    """One."""\n    return 1  # two\n', "def f():\n    return 1\n", "def f():\n    return 2\n"]
    one, same, other = (ast.dump(store._bare(ast.parse(text))) for text in texts)
    assert one == same != other


def test_a_seeds_numbers_do_not_depend_on_its_neighbors(tiny):
    for arm in ARMS.values():
        setting = arm.settings(tiny)[-1]
        together = cell_run.train(tiny, arm, setting, [4, 7, 2], test=True)
        alone = cell_run.train(tiny, arm, setting, [7], test=True)
        for part in ("train", "validation", "test"):
            assert together[part][1] == pytest.approx(alone[part][0], rel=1e-5)
        assert together["best_update"][1] == alone["best_update"][0]
        assert len(set(together["test"])) == 3


def test_arms_share_data_start_and_batches(tiny):
    """At rate 0 every arm is the arm without noise, number by number."""
    plain = cell_run.train(tiny, ARMS["none"], (0.0, 0.02), [0, 1], test=True)
    for arm in ARMS.values():
        same = cell_run.train(tiny, arm, (0.0, 0.02), [0, 1], test=True)
        np.testing.assert_allclose(same["test"], plain["test"], rtol=1e-5)
        noisy = cell_run.train(tiny, arm, (0.5, 0.02), [0, 1], test=True)
        assert np.allclose(noisy["train_curve"], plain["train_curve"], rtol=1e-5) is (arm.name == "none")


def test_every_arm_puts_its_noise_where_and_when_it_says():
    params = recurrent.cell_run._start(recurrent.TASKS["adding"], 2, [0])
    single = [array[0] for array in params]
    for arm in ARMS.values():
        noise = arm.draw(np.random.default_rng(0), LSTM(), single, 5, 6, 0.5)
        present = {name: mask.shape[-2] for name, mask in vars(noise).items() if mask is not None}
        assert present == dict.fromkeys(arm.places, 6 if arm.schedule == "step" else 1)
        inference = arm.inference(0.3)
        if arm.name == "zoneout":
            assert {k: v for k, v in vars(inference).items() if v is not None} == {"zone_h": 0.3, "zone_c": 0.3}
        else:
            assert inference is None


@pytest.mark.parametrize("task", recurrent.TASKS.values(), ids=lambda task: task.name)
def test_every_arm_has_the_same_budget(task):
    settings = {arm.name: arm.settings(task) for arm in ARMS.values()}
    assert {len(set(each)) for each in settings.values()} == {6}
    for name, each in settings.items():
        rates = {rate for rate, _ in each}
        assert rates == ({0.0} if name == "none" else set(RATES))
        assert set(task.learning_rates) <= {learning_rate for _, learning_rate in each}


@pytest.mark.parametrize("name", recurrent.TASKS)
def test_parts_are_disjoint_paired_and_scored_as_they_say(name):
    task = recurrent.TASKS[name]
    train, validation, test = task.parts((0, 1))
    assert len({part.x.shape[2:] for part in (train, validation, test)}) == 1
    for s in range(2):
        rows = [{row.tobytes() for row in part.x[s]} for part in (train, validation, test)]
        if name == "digits":
            assert not rows[0] & rows[1]
            assert not (rows[0] | rows[1]) & rows[2]
    assert not np.array_equal(train.x[0], train.x[1])
    again = task.parts((1,))[0]
    np.testing.assert_array_equal(again.x[0], train.x[1])
    index = np.array([[3, 0], [1, 2]])
    some = train.rows(index)
    np.testing.assert_array_equal(some.x[1], train.x[1][[1, 2]])
    np.testing.assert_array_equal(some.y[0], train.y[0][[3, 0]])
    assert re.fullmatch("[0-9a-f]{64}", task.fingerprint())


def test_a_third_of_the_digits_labels_is_wrong_in_training_alone():
    clean = {row.tobytes(): label for row, label in zip(*_digits(), strict=True)}
    for part, share in zip(recurrent.TASKS["digits"].parts((5,)), (0.3, 0, 0), strict=True):
        wrong = [clean[row.tobytes()] != label for row, label in zip(part.x[0], part.y[0], strict=True)]
        assert np.mean(wrong) == pytest.approx(share)


def _digits():
    data = sequences.digit_rows()
    return data.x.astype(np.float32), data.y


def test_measures_by_hand():
    part = tasks.Part(np.zeros((1, 2, 3, 1)), np.array([[1, 0]]), None, None)
    assert tasks.error_rate(np.array([[[0.0, 1.0], [0.0, 1.0]]]), part) == 0.5
    part = tasks.Part(part.x, np.array([[[1.0], [0.0]]]), None, None)
    assert tasks.squared(np.array([[[3.0], [1.0]]]), part) == 2.5
    y, critical = np.array([[[0, 1, 0], [1, 1, 1]]]), np.array([[1, 0]])
    logits = np.log(np.array([[[[0.5, 0.5], [0.75, 0.25], [0.5, 0.5]], [[0.5, 0.5], [0.9, 0.1], [0.9, 0.1]]]]))
    part = tasks.Part(part.x, y, None, critical)
    assert tasks.critical_bits(logits, part) == pytest.approx([(2 + 1) / 2])
    expected = -np.log2([0.5, 0.25, 0.5, 0.5, 0.1, 0.1]).mean()
    assert tasks.bits(logits, part) == pytest.approx([expected])


def test_unknown_names_are_named(tiny, tmp_path, capsys):
    tasks_known = "'digits', 'adding', 'reber', 'characters', 'tiny'"
    for call in (recurrent.stored, recurrent.study, lambda name: recurrent.run(name, "none")):
        with pytest.raises(ValueError, match=exactly(f"task must be one of {tasks_known}; got 'words'")):
            call("words")
    with pytest.raises(ValueError, match=r"^arm must be one of 'none', .*; got 'dropout'$"):
        recurrent.run("tiny", "dropout", setting=(0.1, 0.1))
    with pytest.raises(ValueError, match=exactly("seeds must hold at least one seed, got none")):
        recurrent.run("tiny", "none", seeds=[], setting=(0.0, 0.1))
    with pytest.raises(
        FileNotFoundError, match=exactly("there are no results of 'tiny' yet; run: python -m regstudy tiny")
    ):
        recurrent.stored("tiny", tmp_path)
    with pytest.raises(SystemExit):
        command.main(["words"])
    assert "unknown task 'words'; there are digits" in capsys.readouterr().err


def test_the_command_runs_reports_and_leaves_alone_what_is_complete(tiny, tmp_path, capsys):
    folder = ["--results", str(tmp_path)]
    assert command.main(["tiny", *folder]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"tiny: complete: {tmp_path / 'tiny.json'}\n  56 cells, ")
    assert f"{len(ARMS) * 7}/{len(ARMS) * 7}" in shown.err
    assert command.main(["--report", *folder]) == 0
    text = capsys.readouterr().out
    assert "digits: there are no results" in text
    final = recurrent.stored("tiny", tmp_path).final
    for arm in ARMS:
        assert f"{final[arm].test.mean():.4g} [" in text
    for claim in CLAIMS:
        assert claim.words in text
    assert command.main(["tiny", *folder]) == 0
    again = capsys.readouterr()
    assert again.out == shown.out.replace("complete", "complete already; --fresh runs it again", 1)
    assert not again.err


def test_a_verdict_compares_the_test_numbers_seed_by_seed(tiny, tmp_path):
    recurrent.study("tiny", tmp_path, progress=False)
    results = recurrent.stored("tiny", tmp_path)
    verdict = results.verdict("state", "none")
    assert verdict.arms == ("state", "none")
    assert verdict.better == "lower"
    assert verdict.difference == pytest.approx((results.final["state"].test - results.final["none"].test).mean())
    assert len(results.verdicts()) == len(CLAIMS)
    with pytest.raises(ValueError, match=r"^arm must be one of .*; got 'dropout'$"):
        results.verdict("dropout", "none")


def test_agreement_can_fail(tiny, tmp_path):
    recurrent.study("tiny", tmp_path, progress=False)
    reference = recurrent.stored("tiny", tmp_path)
    final = reference.final["state"]
    setting = final.rate, final.learning_rate
    rerun = recurrent.run("tiny", "state", seeds=[3, 1], setting=setting)
    same = recurrent.agrees(rerun, reference)
    assert same.exact
    assert same
    assert str(same).startswith("The rerun gives the stored numbers (largest difference ")
    near = recurrent.agrees(dataclasses.replace(rerun, test=rerun.test * 1.001), reference)
    assert not near.exact
    assert near.inside
    assert near
    fresh = recurrent.agrees(recurrent.run("tiny", "state", seeds=[500, 501], setting=setting), reference)
    assert not fresh.exact
    far = recurrent.agrees(dataclasses.replace(rerun, test=rerun.test + 10 * final.test.std()), reference)
    assert not far
    assert "lies outside the stored interval [" in str(far)
    with pytest.raises(ValueError, match=r"^result must be a run at the chosen setting .*, got \(0\.9, "):
        recurrent.agrees(dataclasses.replace(rerun, rate=0.9), reference)


@pytest.mark.parametrize("task", recurrent.TASKS)
def test_stored_results_are_complete_and_fair(task):
    results, size = recurrent.stored(task), recurrent.TASKS[task]
    assert list(results.final) == list(results.tuning) == list(ARMS)
    tuning_seeds, seeds = results.tuning["none"][0].seeds, results.final["none"].seeds
    assert len(seeds) >= (10 if task == "characters" else 20)
    assert not set(seeds) & set(tuning_seeds)
    for name, arm in ARMS.items():
        tried, final = results.tuning[name], results.final[name]
        assert [(r.rate, r.learning_rate) for r in tried] == list(arm.settings(size))
        assert {r.seeds for r in tried} == {tuning_seeds}
        assert all(r.test is None for r in tried)
        best = min(tried, key=lambda r: r.validation.mean())
        assert (final.rate, final.learning_rate) == (best.rate, best.learning_rate)
        assert final.seeds == seeds
        assert final.test.shape == final.validation.shape == (len(seeds),)
        assert np.isfinite(final.test).all()
        assert final.updates[-1] == size.updates
        assert len(final.updates) == len(final.train_curve) == len(final.validation_curve)
    assert {v.n for v in results.verdicts()} == {len(seeds)}


@pytest.mark.parametrize("task", recurrent.TASKS)
def test_stored_results_say_where_they_come_from(task):
    provenance = recurrent.stored(task).provenance
    assert {"code", "commit", "python", "numpy", "date", "seconds", "cpu_seconds", "data_sha256"} <= set(provenance)
    assert provenance["seeds"] == list(recurrent.stored(task).final["none"].seeds)
    cells = store.read(store.path(task))["cells"].values()
    assert {cell["code"] for cell in cells} == {provenance["code"]}
    assert provenance["cpu_seconds"] == pytest.approx(sum(cell["cpu_seconds"] for cell in cells), abs=1)
    if task != "characters":  # the manual is another one in other versions of Python
        assert recurrent.TASKS[task].fingerprint() == provenance["data_sha256"]


@pytest.mark.parametrize(("task", "arm"), [("digits", "candidate"), ("adding", "none")])
def test_a_reduced_rerun_agrees_with_what_is_stored(task, arm):
    rerun = recurrent.run(task, arm, seeds=[2, 11])
    agreement = recurrent.agrees(rerun)
    assert agreement, str(agreement)


def test_the_arm_without_noise_overfits_in_every_task():
    for task in recurrent.TASKS:
        final = recurrent.stored(task).final["none"]
        assert final.train_curve[-1] < 0.75 * final.validation_curve[-1]


def test_an_installation_carries_the_results():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    (pattern,) = setup["package-data"]["regstudy"]
    found = {file.name for file in (ROOT / "regstudy").glob(pattern) if not file.stem.endswith(".partial")}
    assert found == {f"{task}.json" for task in recurrent.TASKS}
