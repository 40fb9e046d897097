"""The post-processor of tokenizer.json: its template, and whether it trims offsets."""

from bert_tf.errors import shown
from bert_tf.text.template import Part, Template

_KINDS = ("TemplateProcessing", "RobertaProcessing", "BertProcessing", "ByteLevel", "Sequence")


def read(step, ids):
    """What a post-processor does.

    Args:
      step: Entries of it, empty where there is none.
      ids: dict of str -> int, the vocabulary.
    Returns:
      Template; and None, or bool: offsets are trimmed, with this `add_prefix_space`.
    Raises:
      InputError: it is of another kind, or names a token that is not in the vocabulary.
    """
    if not step:
        return Template.none(second_type=1), None
    kind = step.one_of("type", *_KINDS)
    if kind == "TemplateProcessing":
        return Template(_parts(step, "single", ids), _parts(step, "pair", ids)), None
    if kind == "ByteLevel":
        return Template.none(second_type=1), _trimming(step)
    if kind == "BertProcessing":
        return Template.of_ends(_token(step, "cls", ids), _token(step, "sep", ids)), None
    if kind == "RobertaProcessing":
        begin, end = (Part(None, _token(step, key, ids), 0) for key in ("cls", "sep"))
        single = (begin, Part(0, None, 0), end)
        return Template(single, (*single, end, Part(1, None, 0), end)), _trimming(step)
    if kind != "Sequence":
        raise step.fault("type", f"one of {', '.join(_KINDS)}")
    template, trims = Template.none(second_type=1), None
    inner = step.items("processors")
    for key in inner.values:
        found, trimmed = read(inner.inner(key), ids)
        trims = trimmed if trims is None else trims
        if found.added(1) or found.added(2):
            template = found
    return template, trims


def _trimming(step):
    """add_prefix_space where offsets are trimmed; both are true where the file does not say."""
    if step.get("trim_offsets", bool) is False:
        return None
    return step.get("add_prefix_space", bool) is not False


def _token(step, key, ids):
    """The id of a token that stands as [token, id]."""
    value = step.get(key, list)
    if not value or len(value) != 2 or not isinstance(value[0], str) or value[0] not in ids:
        raise step.fault(key, "[token, id] of a token of the vocabulary")
    if value[1] != ids[value[0]]:
        raise step.fault(key, f"[{shown(value[0])}, {ids[value[0]]}]")
    return ids[value[0]]


def _parts(step, key, ids):
    """The tuple of Part that `single` or `pair` is."""
    parts, described = [], step.inner("special_tokens")
    items = step.items(key)
    for number in items.values:
        item = items.inner(number)
        inner = item.inner("Sequence") or item.inner("SpecialToken")
        name, kind = inner.get("id", str), inner.get("type_id", int)
        if kind is None or not 0 <= kind < 1 << 15:
            raise inner.fault("type_id", "a token type")
        if item.inner("Sequence"):
            if name not in ("A", "B"):
                raise inner.fault("id", "A or B")
            parts.append(Part("AB".index(name), None, kind))
            continue
        numbers = described.inner(name or "").get("ids", list)
        if not numbers or any(type(i) is not int or i not in set(ids.values()) for i in numbers):
            raise described.fault(name or "", "the ids of a token of the vocabulary")
        parts += [Part(None, i, kind) for i in numbers]
    if [part.text for part in parts if part.text is not None] != [[0], [0, 1]][key == "pair"]:
        raise step.fault(key, "each text once and in order")
    return tuple(parts)
