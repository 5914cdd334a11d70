"""Parameters by name and role: which weights a penalty, a constraint or a decay acts on.

The parameters of a network are a dict from names to arrays, in the order in which they are drawn: for a network of
two layers ``{"w1": W1, "b1": b1, "w2": W2, "b2": b2}``. The beginning of a name says the role:

    w           weight      multiplies what comes in
    b           bias
    gain        gain        of a normalization
    shift       shift       of a normalization
    log_alpha   strength    of a noise that is learned

and the end of a weight's name says where it stands: ``w_x`` is an "input" weight, ``w_h`` a "recurrent" one, ``w_out``
an "output" weight. In a name with dots, such as ``block1.w_x``, the last part counts.

A choice (the ``on`` of penalties, the ``decay_on`` of optimizers) is a role, a place, a name, "all", or a tuple of
these. A list of arrays has no names: it can be trained, but only "all" of it can be chosen.
"""

import re
from typing import Any

from reglib._validate import function as checked_function
from reglib._validate import instance, text

ROLES = {
    "w": "weight",
    "b": "bias",
    "gain": "gain",
    "shift": "shift",
    "log_alpha": "strength",
}
PLACES = {"x": "input", "h": "recurrent", "out": "output"}
_NAME = re.compile(rf"(?:.*\.)?({'|'.join(ROLES)})(?:\d*|_(\w+))")


def role(name):
    """Return the role that a parameter's ``name`` says, one of the values of `ROLES`; None for another name."""
    match = _NAME.fullmatch(text("name", name))
    return ROLES[match[1]] if match else None


def place(name):
    """Return where a weight stands by its ``name``: "input", "recurrent" or "output"; None for any other parameter."""
    match = _NAME.fullmatch(text("name", name))
    return PLACES.get(match[2]) if match and match[1] == "w" else None


def choose(params, on="weight"):
    """Return the names of the chosen parameters; for a list, its positions.

    Parameters
    ----------
    params : dict of arrays by name, or list of arrays
    on : str or tuple of str
        Roles, places or names, see the head of this module; "all" means every parameter.

    Returns
    -------
    list
        In the order of ``params``.

    Raises
    ------
    ValueError
        For a word that chooses none of the parameters.
    TypeError
        For a list of which not all is chosen.
    """
    chosen = words("on", on)
    chosen = (chosen,) if isinstance(chosen, str) else chosen
    instance("params", params, dict | list | tuple, "a dict by name or a list")
    if not isinstance(params, dict):
        if chosen != ("all",):
            raise TypeError(
                f'params must be a dict by name where on chooses some of them, or on="all"; got {on!r}'
            )
        return list(range(len(params)))
    known = {name: {"all", name, role(name), place(name)} for name in params}
    for word in chosen:
        if not any(word in answers for answers in known.values()):
            raise ValueError(
                f"on must hold roles, places or names of the parameters {', '.join(params)}, or be 'all'; got {word!r}"
            )
    return [
        name for name, answers in known.items() if answers.intersection(chosen)
    ]


def words(name, on):
    """Return a choice, a word or a tuple of them; complain, by the argument's ``name``, where ``on`` is neither."""
    if isinstance(on, str):
        return on
    if (
        not isinstance(on, list | tuple)
        or not on
        or not all(isinstance(word, str) for word in on)
    ):
        raise TypeError(
            f"{name} must be a role, a place or a name of parameters, or a tuple of these; got {on!r}"
        )
    return tuple(on)


def each(function, params, *others) -> Any:
    """Apply a function to every parameter, and to what belongs to it in ``others``; return the same structure.

    Parameters
    ----------
    function : callable
        Takes one entry of ``params`` and of each of the others.
    params : dict by name, or list
    *others : the same names, or the same length

    Returns
    -------
    dict or list
    """
    checked_function("function", function)
    if isinstance(params, dict):
        for other in others:
            if not isinstance(other, dict) or other.keys() != params.keys():
                raise ValueError(
                    f"others must have the names of params, {', '.join(map(str, params))}; got {other!r}"
                )
        return {
            name: function(entry, *(other[name] for other in others))
            for name, entry in params.items()
        }
    instance("params", params, list | tuple, "a dict by name or a list")
    if any(
        not isinstance(other, list | tuple) or len(other) != len(params)
        for other in others
    ):
        raise ValueError(
            f"others must be lists as long as params, {len(params)}"
        )
    return [
        function(*entries) for entries in zip(params, *others, strict=True)
    ]
