"""Bad values at every public door of reglib: each is refused by a message that names the argument, or is legal.

Every argument of a valid call (`tests.reglib.bad_input`) is replaced by each bad value in turn. A call may end with a
TypeError or a ValueError that names the argument, with one of the package's own errors, or with a result, if a rule or
`ALLOWED` says that the value is legal there.
"""

import importlib
import inspect
from fnmatch import fnmatchcase

import numpy as np
import pytest

from tests.reglib.bad_input import models, networks
from tests.reglib.bad_input.allowed import ALLOWED, FLOAT64, FOREIGN, INSIDE, RECORDS, UNUSED
from tests.reglib.bad_input.values import arrays, bad_values, outcome
from tools.packages import modules

# In the names of the changed copies that `tools.mutants` puts beside every function.
MUTANT = "__mutmut_"


def public():
    """Return every public function, constructor and method by its dotted name without "reglib."."""
    found = {}
    for module in modules("reglib"):
        if module.rpartition(".")[2].startswith("_"):
            continue
        for name, member in vars(importlib.import_module(module)).items():
            path = f"{module}.{name}".removeprefix("reglib.")
            if name.startswith("_") or getattr(member, "__module__", None) != module or MUTANT in name:
                continue
            if inspect.isfunction(member):
                found[path] = member
            elif inspect.isclass(member) and not issubclass(member, Exception):
                if set(inspect.signature(member).parameters):
                    found[path] = member
                for own, method in vars(member).items():
                    if (
                        MUTANT not in own
                        and not own.startswith("_")
                        and (inspect.isfunction(method) or isinstance(method, classmethod))
                    ):
                        found[f"{path}.{own}"] = method.__func__ if isinstance(method, classmethod) else method
    return found


PUBLIC = public()
FIXTURES = {dtype: networks.Fixtures(dtype) for dtype in (np.float64, np.float32)}
CALLS = {dtype: networks.calls(fixtures) | models.calls(fixtures) for dtype, fixtures in FIXTURES.items()}


def exempt(name):
    """Return whether a callable needs no entry: records, and what is called behind a door that has checked."""
    return any(fnmatchcase(name, pattern) for pattern in (*RECORDS, *INSIDE))


def bound(name, arguments):
    """Return the signature, the arguments by name, the names of `*` and `**`, and a call that takes all by name."""
    function, (args, kwargs) = PUBLIC[name], arguments
    signature = inspect.signature(function)
    by_name = dict(signature.bind(*args, **kwargs).arguments)
    rest = [p.name for p in signature.parameters.values() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]

    def call(**changed):
        positional, named = [], {}
        for key, parameter in signature.parameters.items():
            if key not in changed:
                continue
            if parameter.kind is parameter.VAR_KEYWORD:
                named |= changed[key]
            elif parameter.kind is parameter.VAR_POSITIONAL:
                positional += changed[key]
            elif parameter.kind is parameter.KEYWORD_ONLY:
                named[key] = changed[key]
            else:
                positional.append(changed[key])
        return function(*positional, **named)

    return signature, by_name, rest, call


def several(name, dtype=np.float64):
    """Return the valid calls of a function, one or more, made anew."""
    entry = CALLS[dtype][name]()
    return entry if isinstance(entry, list) else [entry]


def test_every_public_callable_has_a_valid_call():
    names = {name for name in PUBLIC if not exempt(name)}
    assert names == set(CALLS[np.float64])
    assert not [pattern for pattern in (*RECORDS, *INSIDE) if not any(fnmatchcase(name, pattern) for name in PUBLIC)]


@pytest.mark.parametrize("name", CALLS[np.float64])
def test_the_valid_call_gives_every_argument(name):
    for arguments in several(name):
        signature, by_name, rest, call = bound(name, arguments)
        assert set(by_name) | set(rest) == set(signature.parameters)
        call(**by_name)


def attempts(name):
    """Yield each attempt with a bad value: the argument, what is bad, and what is wrong with how the call ended."""
    for position, arguments in enumerate(several(name)):
        signature, by_name, rest, call = bound(name, arguments)
        valid_result = call(**by_name)
        skipped = {*rest, "self", "cls"}
        for argument, valid in by_name.items():
            if argument in skipped:
                continue
            default = signature.parameters[argument].default
            for what in bad_values(valid):
                _, fresh, _, call = bound(name, several(name)[position])
                bad = bad_values(fresh[argument])[what]
                is_default = bad is default
                yield argument, what, outcome(call, fresh, argument, bad, what, valid_result, is_default), valid


def allowed(name, argument, what, end):
    """Return whether the lists of `tests.reglib.bad_input.allowed` say that a call may end in this way."""
    place = f"{name}({argument})"
    if end == "":
        return any(fnmatchcase(place, pattern) and (what in values or "*" in values) for pattern, values, _ in ALLOWED)
    return any(fnmatchcase(place, pattern) for pattern in (UNUSED if end == "NaN was lost" else FOREIGN))


@pytest.mark.parametrize("name", CALLS[np.float64])
def test_bad_values_are_refused_by_name(name):
    wrong = []
    for argument, what, end, valid in attempts(name):
        if end is None or (end == "" and by_rule(valid, what)) or allowed(name, argument, what, end):
            continue
        wrong.append(f"{name}({argument}={what}): {end or 'a result'}")
    assert not wrong, "\n".join(wrong)


def by_rule(valid, what):
    """Return whether a value of this kind is legal wherever the ``valid`` one is."""
    if isinstance(valid, float):
        return what == "no axes"
    if callable(valid):
        return what == "function"
    return isinstance(valid, bool) and what == "bool"


@pytest.mark.parametrize("name", CALLS[np.float32])
def test_float32_comes_out_of_float32(name):
    for arguments in several(name, np.float32):
        _, by_name, _, call = bound(name, arguments)
        single = "dtype" in by_name or any(array.dtype == np.float32 for array in arrays(by_name))
        if single and not any(fnmatchcase(name, pattern) for pattern in FLOAT64):
            assert {array.dtype for array in arrays(call(**by_name))} <= {np.dtype(np.float32)}
