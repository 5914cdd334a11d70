"""The same numbers from one process, from two, and from a cluster; a worker that dies costs what it was working on."""

import sys
import warnings

import pytest
from joblib.externals.loky import get_reusable_executor

from regstudy import __main__ as command
from regstudy import cells, runner, store, studies
from regstudy.problems.recurrent_arms import ARMS
from tests.conftest import exactly
from tests.regstudy import tiny as home
from tests.regstudy.conftest import numbers
from tests.regstudy.tiny import NOTE


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """The results of one process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(studies.PROBLEMS, "tiny", home.PROBLEMS["tiny"])
        return numbers(studies.study("tiny", tmp_path_factory.mktemp("serial"), progress=False))


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """After the third cell that is saved, the next process to train one dies; how many processes did."""
    note, written, write = tmp_path / "note", [], store.write

    def counted(file, content):
        write(file, content)
        written.append(list(content["cells"]))
        if len(written) == 3:
            note.touch()

    monkeypatch.setenv(NOTE, str(note))
    monkeypatch.setattr(store, "write", counted)
    get_reusable_executor().shutdown(wait=True)  # new processes, which know of the note
    yield lambda: len(written) >= 3 and not note.exists()
    get_reusable_executor().shutdown(wait=True)


def test_two_processes_give_the_numbers_of_one(tiny, serial, tmp_path, calls):
    file = studies.study("tiny", tmp_path, progress=False, jobs=2)
    assert numbers(file) == serial
    assert not calls  # not in this process


# Whoever sends work to the processes may find that what it was to send is gone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_process_that_dies_costs_what_it_was_working_on(tiny, serial, tmp_path, deadly):
    folder = tmp_path / "results"
    with pytest.raises(runner.WorkerError, match=r"^a process died; what was finished is saved, and the same command "):
        studies.study("tiny", folder, progress=False, jobs=2)
    assert deadly()
    saved = dict(numbers(store.path("tiny", folder, partial=True)))
    assert 3 <= len(saved) < 2 * len(ARMS)
    assert not store.path("tiny", folder).exists()
    before = {
        key: cell["seconds"] for key, cell in store.read(store.path("tiny", folder, partial=True))["cells"].items()
    }
    file = studies.study("tiny", folder, progress=False, jobs=2)
    assert numbers(file) == serial
    assert {key: store.read(file)["cells"][key]["seconds"] for key in before} == before
    assert {key: dict(serial)[key] for key in saved} == saved


def test_a_cluster_gives_the_numbers_of_one_process_even_when_a_worker_dies(tiny, serial, tmp_path, deadly):
    LocalCluster = pytest.importorskip("distributed").LocalCluster
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
            file = studies.study("tiny", tmp_path / "results", progress=False, scheduler=cluster.scheduler_address)
    assert deadly()
    assert numbers(file) == serial


def test_a_worker_with_other_code_refuses_to_work(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "code", lambda home, task: "another")
    with pytest.raises(
        runner.WorkerError, match=r"^a worker has another version of the code: [0-9a-f]{16}, not another$"
    ):
        studies.study("tiny", tmp_path, progress=False, jobs=2)
    assert not list(tmp_path.iterdir())


def test_a_scheduler_that_does_not_answer_is_named(tiny, tmp_path, monkeypatch, capsys):
    pytest.importorskip("distributed")
    monkeypatch.setattr(runner, "WAIT", 0.2)
    address = "tcp://127.0.0.1:9"
    assert command.main(["tiny", "--results", str(tmp_path), "--scheduler", address]) == 1
    assert f"tiny: no scheduler answers at {address}: " in capsys.readouterr().err


def test_a_cluster_without_workers_is_named(tiny, tmp_path, monkeypatch):
    LocalCluster = pytest.importorskip("distributed").LocalCluster
    monkeypatch.setattr(runner, "WAIT", 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as cluster,
            pytest.raises(runner.WorkerError, match=r"^the scheduler at tcp://.* has no workers$"),
        ):
            studies.study("tiny", tmp_path, progress=False, scheduler=cluster.scheduler_address)


def test_a_cluster_needs_a_package(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    expected = "a cluster needs the package distributed: pip install distributed"
    with pytest.raises(runner.WorkerError, match=exactly(expected)):
        studies.study("tiny", tmp_path, progress=False, scheduler="tcp://127.0.0.1:9")


def test_an_error_in_a_worker_is_that_error(tiny, tmp_path, monkeypatch):
    call = (tiny.home, "tiny", "none", [{"rate": 0.0}], [0], False)  # no learning rate
    for jobs in (1, 2):
        with pytest.raises(AttributeError, match="learning_rate"):
            runner.run({"a": call}, print, code=store.code(tiny.home, "tiny"), jobs=jobs)


@pytest.mark.parametrize("count", [1, 3, 4, 6, 25])
def test_the_settings_of_a_cell_are_shared_out(count):
    settings = [{"rate": float(k)} for k in range(count)]
    pieces = runner._pieces(("home", "task", "arm", settings, [0, 1], True), 4)
    assert len(pieces) == {1: 1, 3: 3, 4: 4, 6: 3, 25: 4}[count]
    assert [setting for piece in pieces for setting in piece[3]] == settings
    assert {(*piece[:3], *piece[4], piece[5]) for piece in pieces} == {("home", "task", "arm", 0, 1, True)}


def test_cells_are_divided_where_some_process_would_wait():
    counts = {(8, 2): 1, (5, 2): 2, (3, 2): 2, (8, 3): 3, (1, 3): 3, (2, 16): 4, (16, 16): 1, (5, 7): 4}
    assert {case: runner._parts(*case) for case in counts} == counts


def test_an_odd_cell_is_shared_and_gives_the_numbers_of_one_process(tiny):
    call = (tiny.home, "tiny", "state", list(tiny.arm("state").settings), [0, 1], False)
    found = {jobs: {} for jobs in (1, 2)}
    for jobs, cell in found.items():
        runner.run({"a": call}, cell.__setitem__, code=store.code(tiny.home, "tiny"), jobs=jobs)
    one, two = ({k: v for k, v in found[jobs]["a"].items() if "seconds" not in k} for jobs in (1, 2))
    assert list(one.items()) == list(two.items())


def test_nothing_to_do_starts_no_process(monkeypatch):
    monkeypatch.setattr(cells, "train", None)
    runner.run({}, None, code="", jobs=2)


def train(problem, settings, seeds):
    """Train settings of the arm "state"."""
    return cells.train(problem.home, "tiny", "state", settings, seeds, test=True)


def test_cells_of_some_settings_join_to_that_of_all(tiny):
    settings = tiny.arm("state").settings
    whole = train(tiny, settings, [0, 1])
    parts = [train(tiny, some, [0, 1]) for some in (settings[:1], settings[1:4], settings[4:])]
    one = runner.joined(parts)
    assert list(one) == list(whole)
    same = [name for name in whole if "seconds" not in name]
    assert {name: one[name] for name in same} == {name: whole[name] for name in same}
    assert one["seconds"] == pytest.approx(sum(part["seconds"] for part in parts))
    assert runner.joined(parts[:1]) == parts[0]


def test_cells_of_different_lengths_join_without_their_curves(tiny):
    settings = [{"rate": 0.1, "learning_rate": 0.02, "epochs": epochs} for epochs in (2, 3)]
    whole = train(tiny, settings, [0])
    one = runner.joined([train(tiny, [some], [0]) for some in settings])
    for name in ("steps", "train_curve", "validation_curve", "validation", "best_step"):
        assert one[name] == whole[name]
    assert one["steps"] == []
