"""The studies on images, as the pages call them."""

import pytest

from regstudy import images, studies
from tests.conftest import exactly


def test_every_study_on_images_is_there():
    assert set(images.TASKS) == set(studies.STUDIES) - {"recurrent"}
    assert all(name in studies.PROBLEMS for tasks in images.TASKS.values() for name in tasks)
    with pytest.raises(
        ValueError,
        match=exactly("study must be one of 'mnist-dropout', 'mnist-spatial', 'mnist-decay'; got 'mnist'"),
    ):
        images.show("mnist")


def test_a_whole_study_shows_as_one_table():
    for study, tasks in images.TASKS.items():
        rows = images.show(study).rows
        assert len(rows) == sum(len(studies.PROBLEMS[task].claims) for task in tasks)
        assert {row[0] for row in rows} == {
            f"{images.stored(task).words} ({images.stored(task).unit})" for task in tasks
        }
