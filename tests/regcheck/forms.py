"""The forms of a right answer: the same results in another type or shape, as readers with other habits give them."""

import numpy as np


def of(answer):
    """Return {form: answer} for a solution: a function, a number or a letter."""
    if isinstance(answer, str):
        return {"a capital": answer.upper(), "in brackets": f"({answer})", "with a bracket": f" {answer})"}
    if callable(answer):
        return of_function(answer)
    return {
        "float32": np.float32(answer),
        "an array of no axis": np.array(answer),
        "an array of one number": np.array([answer]),
        "a list": [answer],
        "six digits": float(f"{answer:.6g}") if abs(answer) < 1 else float(f"{answer:.7g}"),
    }


def of_function(function):
    """Return {form: function}: the same function with its results, or its arguments, in another form."""
    convert = {
        "float32": _each(_float32),
        "lists": _each(lambda value: np.asarray(value).tolist()),
        "lists of scalars": _each(_scalars),
        "lists of float32": _each(lambda value: _scalars(_float32(value))),
        "an axis in front": _each(lambda value: np.asarray(value)[None]),
        "arrays of no axis": _each(lambda value: np.asarray(value)),
        "several results in a list": lambda result: list(result) if isinstance(result, tuple) else result,
        "several results in an array": _stacked,
        "several results in an array of float32": lambda result: _float32(_stacked(result)),
        "one result in float32": lambda result: (_float32(result[0]), *result[1:]) if _several(result) else result,
    }
    found = {form: _then(function, change) for form, change in convert.items()}
    found["float32 arguments"] = lambda *given: function(*map(_narrow, given))
    return found


def _then(function, change):
    return lambda *given: change(function(*given))


def _several(result):
    """Return whether a result is several numbers or arrays of floats, and not a shape."""
    return isinstance(result, tuple) and not all(isinstance(part, int | np.integer) for part in result)


def _each(change):
    """Return a function that changes each of several results, or the only one."""
    return lambda result: tuple(map(change, result)) if _several(result) else change(result)


def _stacked(result):
    return np.array(result) if _several(result) and len({np.shape(part) for part in result}) == 1 else result


def _float32(value):
    """Return floats in float32; a shape stays as it is."""
    if isinstance(value, tuple):
        return tuple(map(_float32, value)) if _several(value) else value
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "f" else value


def _scalars(value):
    return [_scalars(row) for row in value] if np.ndim(value) else np.asarray(value)[()]


def _narrow(value):
    """Return an argument with its floats, arrays or not, in float32."""
    if isinstance(value, tuple | list):
        return type(value)(map(_narrow, value))
    if isinstance(value, np.ndarray) and value.dtype == float:
        return value.astype(np.float32)
    return np.float32(value) if isinstance(value, float) else value
