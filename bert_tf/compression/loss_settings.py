"""The losses of distillation and their settings, as configurations and Python give them."""

from bert_tf.errors import InputError, hint, shown

# Loss -> what it has besides its weight, and what that is where nothing is said; see Distillation.
LOSSES = {
    "labels": {},
    "logits": {"temperature": 2.0},
    "vectors": {"distance": "cosine"},
    "hidden": {"layers": None},
    "attentions": {"layers": None, "of": "scores"},
    "relations": {
        "pairs": ["query-query", "key-key", "value-value"],
        "heads": None,
        "layer": None,
        "teacher_layer": None,
    },
    "cosine": {},
    "patient": {"layers": None},
}
# Those that compare tokens, and want both sides to have the same.
OF_TOKENS = ("hidden", "attentions", "relations", "cosine")
_CHOICES = {"of": ("scores", "probabilities"), "distance": ("cosine", "squared")}
_SIDES = ("query", "key", "value")


def settings_of(losses):
    """The losses with all their settings, dict of name -> dict.

    Args:
      losses: dict of name -> dict or weight.
    Raises:
      InputError: no such loss, no such setting, or a value that it does not take.
    """
    if not isinstance(losses, dict) or not losses:
        raise InputError(f"losses: {shown(losses)}, wanted some of {', '.join(LOSSES)}")
    found = {}
    for name, given in losses.items():
        if name not in LOSSES:
            raise InputError(f"losses: no {shown(name)}; {hint(name, LOSSES)}")
        given = given if isinstance(given, dict) else {"weight": given}
        for key, value in given.items():
            if key not in ("weight", *LOSSES[name]):
                known = ("weight", *LOSSES[name])
                raise InputError(f"losses.{name}: no {shown(key)}; {hint(key, known)}")
            _check(f"losses.{name}", key, value)
        found[name] = {"weight": 1.0, **LOSSES[name], **given}
    return found


def _check(where, key, value):
    """Raises InputError for a value that a setting does not take."""
    wanted = None
    if key in ("weight", "temperature"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        most = 1e6 if key == "weight" else 1e4
        wanted = None if number and 0 < value <= most else f"a number above 0, at most {most:.0f}"
    elif key in _CHOICES:
        wanted = None if value in _CHOICES[key] else f"one of {', '.join(_CHOICES[key])}"
    elif key == "layers" and value is not None:
        whole = isinstance(value, dict) and value != {}
        whole = whole and all(_whole(x, 0) for x in (*value, *value.values()))
        wanted = None if whole else "a map of the student's layers to the teacher's, or null"
    elif key == "pairs":
        right = isinstance(value, list | tuple) and len(value) > 0
        right = right and all(isinstance(pair, str) and _is_pair(pair) for pair in value)
        wanted = None if right else "a list of pairs such as query-key and value-value"
    elif value is not None:  # heads, layer, teacher_layer
        wanted = None if _whole(value, 1) else "a whole number, 1 or more, or null"
    if wanted:
        raise InputError(f"{where}: {key} {shown(value)}, wanted {wanted}")


def _whole(value, least):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_pair(text):
    return text.count("-") == 1 and all(side in _SIDES for side in text.split("-"))


def layer_map(name, given, student, teacher, first=1, last=None):
    """Which layer of the teacher each layer of the student learns of, dict of int -> int.

    Args:
      name: str, of the loss, for messages.
      given: dict of int, or None: every layer of the student, spread evenly; 0 are embeddings.
      student, teacher: int, how many layers each has.
      first, last: int, the student's layers that can be compared; None: its last one.
    Raises:
      InputError: there is no such layer, the teacher's are not a multiple of the student's, or none
        is left to compare.
    """
    last = student if last is None else last
    if given is None:
        if student and last < first:
            raise InputError(
                f"losses.{name}: layers: {student} of the student, and the last one is left out "
                f"where none is named; wanted a map such as {{{student}: {teacher}}}"
            )
        if not student or teacher % student:
            raise InputError(
                f"losses.{name}: layers: {student} of the student and {teacher} of the teacher do "
                "not go together evenly; wanted a map such as {1: 2, 2: 5}"
            )
        return {layer: layer * (teacher // student) for layer in range(first, last + 1)}
    for own, theirs in given.items():
        for layer, depth, whose in ((own, student, "student"), (theirs, teacher, "teacher")):
            if not first <= layer <= depth:
                raise InputError(
                    f"losses.{name}: layers: {own}: {theirs}, and the {whose}'s layers are "
                    f"{first} to {depth}"
                )
    return dict(given)
