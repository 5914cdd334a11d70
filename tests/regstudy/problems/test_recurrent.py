"""Four tasks: data that are disjoint and paired, and measures by hand."""

import re

import numpy as np
import pytest

from regbook import sequences
from regbook.task import Part
from regstudy.problems import recurrent as tasks

UPDATES = {"digits": 420, "adding": 500, "reber": 500, "characters": 400}


@pytest.mark.parametrize("name", tasks.PROBLEMS)
def test_parts_are_disjoint_and_paired(name):
    task = tasks.PROBLEMS[name].task
    train, validation, test = task.parts((0, 1))
    assert {part.inputs().dtype for part in (train, validation, test)} == {np.dtype(np.float32)}
    assert {part.inputs().shape[-1] for part in (train, validation, test)} == {task.net.inputs}
    for s in range(2):
        rows = [{row.tobytes() for row in part.inputs()[s]} for part in (train, validation, test)]
        if name == "digits":
            assert not rows[0] & rows[1]
            assert not (rows[0] | rows[1]) & rows[2]
    assert not np.array_equal(train.inputs()[0], train.inputs()[1])
    again = task.parts((1,))[0]
    np.testing.assert_array_equal(again.inputs()[0], train.inputs()[1])
    assert re.fullmatch("[0-9a-f]{64}", tasks.PROBLEMS[name].fingerprint())


@pytest.mark.parametrize("name", tasks.PROBLEMS)
def test_a_run_has_its_length_and_is_looked_at_as_often(name):
    task = tasks.PROBLEMS[name].task
    updates = task.epochs * (task.parts((0,))[0].y.shape[1] // task.batch_size)
    assert updates == UPDATES[name]
    assert updates == task.looks * (20 if name == "digits" else 25)
    assert (task.stop, task.better, task.drop_last) == ("best", "lower", True)


def test_a_third_of_the_digits_labels_is_wrong_in_training_alone():
    data = sequences.digit_rows()
    clean = {row.tobytes(): label for row, label in zip(data.x.astype(np.float32), data.y, strict=True)}
    for part, share in zip(tasks.PROBLEMS["digits"].task.parts((5,)), (0.3, 0, 0), strict=True):
        wrong = [clean[row.tobytes()] != label for row, label in zip(part.inputs()[0], part.y[0], strict=True)]
        assert np.mean(wrong) == pytest.approx(share)


def test_measures_by_hand():
    x = np.zeros((1, 2, 3, 1))
    assert tasks.error_rate(np.array([[[0.0, 1.0], [0.0, 1.0]]]), Part(x, np.array([[1, 0]]))) == 0.5
    assert tasks.squared(np.array([[[3.0], [1.0]]]), Part(x, np.array([[[1.0], [0.0]]]))) == 2.5
    y, critical = np.array([[[0, 1, 0], [1, 1, 1]]]), np.array([[1, 0]])
    logits = np.log(np.array([[[[0.5, 0.5], [0.75, 0.25], [0.5, 0.5]], [[0.5, 0.5], [0.9, 0.1], [0.9, 0.1]]]]))
    part = Part(x, y, extra=critical)
    assert tasks.critical_bits(logits, part) == pytest.approx([(2 + 1) / 2])
    expected = -np.log2([0.5, 0.25, 0.5, 0.5, 0.1, 0.1]).mean()
    assert tasks.bits(logits, part) == pytest.approx([expected])


def test_every_task_knows_where_it_is_at_home():
    assert {problem.home for problem in tasks.PROBLEMS.values()} == {"regstudy.problems.recurrent"}
    assert [problem.task.name for problem in tasks.PROBLEMS.values()] == list(tasks.PROBLEMS)
