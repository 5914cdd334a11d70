"""Studies of models that are fitted at once: the same choices, verdicts and tables as `regbook.study`.

A `Model` is a way to fit, with the settings to try. `race` fits every setting of every model on the same seeds, chooses
on validation data, and returns a `regbook.study.Study`. Where the fits are made elsewhere, `compare` takes their
`Scores`. `verdicts` puts one comparison from several studies into one table.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from regbook.notebook import table
from regbook.study import Study, shares
from regbook.task import DATA, Measure, Part
from reglib._validate import integer


@dataclass(frozen=True, eq=False)
class Scores:
    """What the settings of one arm scored: arrays with the settings first, then the seeds.

    Attributes
    ----------
    settings : sequence of dict, of length K
        See `regbook.task.grid`.
    validation, test : ndarray, (K, S)
    train : ndarray, (K, S), optional
        On the data that the model was fitted to.
    """

    settings: tuple
    validation: np.ndarray
    test: np.ndarray
    train: np.ndarray | None = None

    def __post_init__(self):
        object.__setattr__(self, "settings", tuple(dict(setting) for setting in self.settings))
        for name in ("validation", "test", "train"):
            scores = getattr(self, name)
            if scores is None and name == "train":
                continue
            scores = np.asarray(scores, float)
            if scores.ndim != 2 or len(scores) != len(self.settings):
                wanted = f"({len(self.settings)}, S), a row a setting"
                raise ValueError(f"{name} must have shape {wanted}; got {scores.shape}")
            object.__setattr__(self, name, scores)

    @property
    def seeds(self):
        """The seeds, 0, ..., S - 1."""
        return range(self.test.shape[1])


@dataclass(frozen=True)
class Model:
    """One way to fit, and the settings to try.

    Parameters
    ----------
    name : str
    settings : sequence of dict
        See `regbook.task.grid`.
    fit : callable
        ``(s, x, y) -> predict``, with the values of all settings as attributes of ``s``, arrays (K,). It fits every
        setting to x (N, D) and y (N,); ``predict(x)`` gives (K, N). ``lambda s, x, y: ridge(x, y, s.l2).predict``.
    refit : bool
        Fit the settings again on training and validation data together for the test. The choice goes by the first fit.
    """

    name: str
    settings: tuple
    fit: Callable = field(repr=False)
    refit: bool = False


def squared_error(predictions, part):
    """Return the mean squared error of ``predictions`` (K, N) on a ``part``, one number a setting."""
    return np.mean((part.y - predictions) ** 2, axis=-1)


def race(data, models, *, seeds=24, measure=squared_error, better="lower", unit="test error"):
    """Fit, tune and compare models on the same seeds.

    Parameters
    ----------
    data : callable
        ``(rng) -> train, validation, test``, each a `regbook.task.Part` of one seed.
    models : sequence of Model
        All with the same number of settings, or with one: nothing to choose.
    seeds : int
        Paired seeds, 0, 1, ...
    measure : callable
        ``(predictions (K, N), part) -> (K,)``, one number a setting.
    better : {"lower", "higher"}
    unit : str
        Of the measure, in words.

    Returns
    -------
    Study
        With `Scores` in ``tried``.
    """
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise ValueError(f"models must have different names, got {', '.join(names)}")
    drawn = [data(np.random.default_rng([seed, DATA])) for seed in range(integer("seeds", seeds, low=2))]
    scores = {model.name: _scores(model, drawn, measure) for model in models}
    return compare(scores, better=better, unit=unit)


def compare(scores, *, better="lower", unit="test error"):
    """Choose settings by validation scores, for each seed apart, and return a study of what was chosen.

    Parameters
    ----------
    scores : dict of str to Scores
        By arm; all with the same number of settings, or with one: nothing to choose.
    better : {"lower", "higher"}
    unit : str
        Of the scores, in words.

    Returns
    -------
    Study
        `Study.verdicts` and `Study.table` show it; settings that tie share a seed.
    """
    budgets = {name: len(arm.settings) for name, arm in scores.items()}
    if len(set(budgets.values()) - {1}) > 1:
        raise ValueError(f"every arm must try the same number of settings, or have only one; got {budgets}")
    share = {name: shares(arm.validation, better) for name, arm in scores.items()}
    test, validation = (
        {name: _chosen(share[name], getattr(arm, part)) for name, arm in scores.items()}
        for part in ("test", "validation")
    )
    return Study(Measure(better, unit), scores, scores, share, test, validation, scores)


def train_scores(study, arm):
    """Return what an ``arm`` of a ``study``, as chosen, scored on the data it was fitted to, one number a seed."""
    return _chosen(study.share[arm], study.tried[arm].train)


def single(study, picks):
    """Return a study of single settings that another ``study`` tried: what each gave in all seeds, nothing chosen.

    Parameters
    ----------
    study : Study
        Without tuning seeds of its own, which has test results of all settings.
    picks : dict
        By a new name an arm and the position of one of its settings: ``{"dropout at 0.5": ("dropout", 2)}``.

    Returns
    -------
    Study
    """

    def one(arm, k):
        tried = study.tried[arm]
        return Scores(tried.settings[k : k + 1], tried.validation[k : k + 1], tried.test[k : k + 1])

    scores = {name: one(arm, k) for name, (arm, k) in picks.items()}
    return compare(scores, better=study.task.better, unit=study.task.unit)


def verdicts(studies, a, b, *, claim="{}", digits=3, **options):
    """Return one table with the verdict on two arms in several studies.

    Parameters
    ----------
    studies : dict of Study
        By what is claimed, or by what stands for "{}" in ``claim``; all in one unit.
    a, b : str
        The arms: that a is better.
    claim : str
        In words, for instance "with {} irrelevant inputs".
    digits : int
    **options
        Those of `regbook.experiment.paired`.

    Returns
    -------
    Table
    """
    tables = [study.verdicts((a, b, claim.format(key)), digits=digits, **options) for key, study in studies.items()]
    caption = max((each.caption for each in tables), key=len)  # with the note on the asterisk where one has it
    return table([row for each in tables for row in each.rows], tables[0].columns, caption=caption, digits=digits)


def _scores(model, drawn, measure):
    """Return the scores of all settings of a model, seed by seed."""
    settings = [dict(setting) for setting in model.settings]
    values = SimpleNamespace(**{name: np.array([setting[name] for setting in settings]) for name in settings[0]})
    rows = []
    for train, validation, test in drawn:
        predict = model.fit(values, train.x, train.y)
        judged = measure(np.asarray(predict(validation.x)), validation)
        if model.refit:
            train = Part(*(np.concatenate([getattr(part, name) for part in (train, validation)]) for name in "xy"))
            predict = model.fit(values, train.x, train.y)
        rows.append([judged, *(measure(np.asarray(predict(part.x)), part) for part in (test, train))])
    return Scores(tuple(settings), *np.stack(rows, axis=-1))


def _chosen(share, scores):
    """Return the scores (K, S) of what was chosen, one number a seed; the mean where settings tie."""
    return np.where(share > 0, share * scores, 0).sum(axis=0)
