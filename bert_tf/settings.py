"""How a configuration is read: a tree of dataclasses, strict YAML, dotted overrides.

A configuration is a dataclass whose fields are sections (dataclasses), lists of sections
(`tuple[Section, ...]`), sections by name (`dict[str, Section]`) and `setting`s. Nothing here knows
what a key means, so the configuration of another command is just another dataclass. `load` is the
one door: it checks every value once, and what it returns can be trusted.
"""

import dataclasses
import re
import sys
import typing

import yaml

from bert_tf.errors import ConfigError, nearest, shown, shown_name


class Kind(typing.NamedTuple):
    """How messages name the values of a setting, which they are, what is kept; integers' bounds."""

    wanted: str
    accepts: typing.Callable
    kept: typing.Callable = lambda value: value
    bounds: tuple | None = None


def setting(kind, *default):
    """A dataclass field that takes values of `kind`; without a default it must be given."""
    if not default:
        return dataclasses.field(metadata={"kind": kind})
    if isinstance(default[0], dict):
        return dataclasses.field(default_factory=default[0].copy, metadata={"kind": kind})
    return dataclasses.field(default=default[0], metadata={"kind": kind})


def is_whole(value):
    """Whether a YAML value is an integer (true and false are not)."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value):
    """Whether a YAML value is a finite number (true and false are not)."""
    return (is_whole(value) or isinstance(value, float)) and abs(value) <= sys.float_info.max


def is_word(value):
    """Whether a YAML value is a string with something in it."""
    return isinstance(value, str) and value != ""


def whole(minimum, most=2**31 - 1):
    """Integers of at least `minimum`, at most `most`, which no run comes near."""
    wanted, bounds = f"an integer, {minimum} or more", (minimum, most)
    return Kind(wanted, lambda v: is_whole(v) and minimum <= v <= most, bounds=bounds)


def one_of(*names):
    """These words."""
    return Kind("one of " + ", ".join(names), lambda v: isinstance(v, str) and v in names)


def optional(kind):
    """`kind` or null."""
    return Kind(
        f"{kind.wanted}, or null",
        lambda value: value is None or kind.accepts(value),
        lambda value: None if value is None else kind.kept(value),
        kind.bounds,
    )


POSITIVE = Kind("a number above 0", lambda value: is_number(value) and value > 0, float)
NOT_NEGATIVE = Kind("a number, 0 or more", lambda value: is_number(value) and value >= 0, float)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
WORD = Kind("a word or a path (in quotes, if it looks like a number)", is_word)
MAPPING = Kind(
    "a mapping of names to values",
    lambda value: isinstance(value, dict) and all(isinstance(name, str) for name in value),
    dict,
)


def load(config_class, path=None, overrides=()):
    """Read a configuration from a YAML file, then lay the overrides over it.

    Args:
      config_class: a dataclass of sections, such as `config.FinetuneConfig`.
      path: str or None. The YAML file; None starts from the defaults.
      overrides: strings `section.key=value`, the value in YAML; a later one wins.
    Returns:
      A config_class.
    Raises:
      ConfigError: the file cannot be read or parsed, a key is unknown, missing or given twice, or a
        value is not one of its kind.
    """
    values = {} if path is None else _checked(config_class, _read_yaml(path), path)
    for override in overrides:
        source = f"--set {shown_name(override, limit=200)}"
        key, separator, text = override.partition("=")
        if not (key and separator):
            raise ConfigError(f"{source}: wanted section.key=value")
        value = parse_value(text, source)
        for name in reversed(key.split(".")):
            value = {name: value}
        values = _overlaid(values, _checked(config_class, value, source))
    return _constructed(config_class, values, path or "configuration")


def from_dict(config_class, values, source="configuration"):
    """Check nested dicts as `load` checks a file; `source` is what a ConfigError calls them."""
    return _constructed(config_class, _checked(config_class, values, source), source)


def to_dict(config):
    """The configuration as nested plain dicts and lists, every default filled in."""

    def plain(value):
        if dataclasses.is_dataclass(value):
            return to_dict(value)
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, tuple) else value

    return {field.name: plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def to_yaml(config):
    """The configuration as YAML text, every default filled in; `load` reads it back as equal."""
    return yaml.dump(to_dict(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def differing_keys(one, other):
    """Where two configurations of one class differ: {dotted key: (value of one, of the other)}."""
    differing, lists = {}, _lists(type(one))
    for field in dataclasses.fields(one):
        values = getattr(one, field.name), getattr(other, field.name)
        pairs = {}
        if field.name in lists and _names(values[0]) == _names(values[1]):
            items = [x.values() if isinstance(x, dict) else x for x in (_names(values[0]), *values)]
            pairs = {f"{field.name}.{name}": pair for name, *pair in zip(*items, strict=True)}
        elif dataclasses.is_dataclass(values[0]):
            pairs = {field.name: values}
        elif values[0] != values[1] or (field.name in lists and list(values[0]) != list(values[1])):
            differing[field.name] = values
        for name, pair in pairs.items():
            differing |= {f"{name}.{key}": both for key, both in differing_keys(*pair).items()}
    return differing


def _sections(config_class):
    """The fields that are sections: {name: dataclass}."""
    types = typing.get_type_hints(config_class)
    return {name: kind for name, kind in types.items() if dataclasses.is_dataclass(kind)}


def _lists(config_class):
    """The fields that are lists of sections, or sections by name: {name: the dataclass of each}."""
    types = typing.get_type_hints(config_class)
    items = {name: typing.get_args(kind)[:2] for name, kind in types.items()}
    kinds = {name: kind[kind[0] is str] for name, kind in items.items() if len(kind) == 2}
    return {name: x for name, x in kinds.items() if dataclasses.is_dataclass(x)}


def _are_named(config_class, name):
    """Whether the sections of a field are told apart by names, not numbers."""
    return typing.get_origin(typing.get_type_hints(config_class)[name]) is dict


def _names(sections):
    """The names of some sections, or their numbers from 1, as a list."""
    return list(sections) if isinstance(sections, dict) else list(range(1, len(sections) + 1))


def _checked(config_class, values, source, prefix=""):
    """What was given, each value as its kind keeps it; what was not given stays absent."""
    if not isinstance(values, dict):
        place = f"{prefix.rstrip('.')} is" if prefix else "the file holds"
        raise ConfigError(f"{source}: {place} {shown(values)}, wanted a mapping of keys to values")
    sections, lists = _sections(config_class), _lists(config_class)
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    checked = {}
    for key, value in values.items():
        if key not in fields:
            hint = _nearest(config_class, key, prefix)
            raise ConfigError(f"{source}: unknown key {prefix}{shown_name(str(key))}; {hint}")
        if key in sections:
            value = {} if value is None else value  # a section with nothing below its name
            checked[key] = _checked(sections[key], value, source, f"{prefix}{key}.")
            continue
        if key in lists:
            if "kind" not in fields[key].metadata and value in ([], {}):
                continue  # as `to_yaml` writes that there are none
            named = _are_named(config_class, key)
            checked[key] = _checked_list(lists[key], value, source, prefix + key, named)
            continue
        kind = fields[key].metadata["kind"]
        if not kind.accepts(value):
            over = kind.bounds and is_whole(value) and value > kind.bounds[1]
            wanted = "an integer from {} to {}".format(*kind.bounds) if over else kind.wanted
            raise ConfigError(f"{source}: {prefix}{key} is {shown(value)}, wanted {wanted}")
        checked[key] = kind.kept(value)
    return checked


def _checked_list(section, value, source, name, named):
    """A list of sections as {"1": ..., "2": ...}: so `--set phases.2.steps=9` can be laid over."""
    if not isinstance(value, dict if named else list | dict) or not value:
        wanted = "sections by their names" if named else "a list of sections"
        raise ConfigError(f"{source}: {name} is {shown(value)}, wanted {wanted}")
    numbered = value.items() if isinstance(value, dict) else enumerate(value, 1)
    return {
        str(number): _checked(section, item, source, f"{name}.{number}.")
        for number, item in numbered
    }


def _nearest(config_class, key, prefix):
    """The hint for an unknown key: a near name beside or below it, or else all names there are."""
    names = [field.name for field in dataclasses.fields(config_class)]
    places = {name: name for name in names}
    inside = _sections(config_class)
    for name, kind in _lists(config_class).items():
        inside[f"{name}.NAME" if _are_named(config_class, name) else f"{name}.1"] = kind
    for section, section_class in inside.items():
        for field in dataclasses.fields(section_class):
            places.setdefault(field.name, f"{section}.{field.name}")
    near = nearest(key, places)
    if near:
        return f"did you mean {prefix}{places[near]}?"
    return "there are " + ", ".join(prefix + name for name in names)


def _overlaid(values, others):
    """`values` with `others` over them, mapping by mapping; an empty one empties what was there."""
    both = dict(values)
    for key, other in others.items():
        inside = other and isinstance(other, dict) and isinstance(both.get(key), dict)
        both[key] = _overlaid(both[key], other) if inside else other
    return both


def _constructed(config_class, values, source, prefix=""):
    """A config_class from checked values, which must hold all that has no default."""
    values = dict(values)
    for name, section in _sections(config_class).items():
        values[name] = _constructed(section, values.get(name, {}), source, f"{prefix}{name}.")
    for name in set(_lists(config_class)) & set(values):
        kind, given = _lists(config_class)[name], values[name]
        each = {x: _constructed(kind, y, source, f"{name}.{x}.") for x, y in given.items()}
        named = _are_named(config_class, name)
        values[name] = each if named else _in_order(each, source, name)
    for field in dataclasses.fields(config_class):
        needed = field.default is field.default_factory is dataclasses.MISSING
        if needed and field.name not in values:
            wanted = field.metadata["kind"].wanted
            raise ConfigError(f"{source}: {prefix}{field.name} is missing, wanted {wanted}")
    try:
        return config_class(**values)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def _in_order(sections, source, name):
    """A tuple of sections from {"1": ..., "2": ...}, which must lack no number."""
    numbers = [str(number) for number in range(1, len(sections) + 1)]
    odd = [number for number in sections if number not in numbers]
    if odd:
        raise ConfigError(f"{source}: {name}.{odd[0]} is given, wanted 1, 2, 3, ...")
    return tuple(sections[number] for number in numbers)


def keys_of(path):
    """The top-level keys of a YAML file, a set; what is wrong with it `load` tells."""
    try:
        values = _read_yaml(path)
    except ConfigError:
        return set()
    return set(values) if isinstance(values, dict) else set()


def _read_yaml(path):
    try:
        with open(path, encoding="utf-8") as file:
            values = parse_value(file.read(), path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start + 1} is not UTF-8") from None
    return {} if values is None else values


def parse_value(text, source):
    """What YAML says, as `--set` does; ConfigError, which names the source, where it is none."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{source}, line {line}: {shown_name(error.problem, 200)}") from None
    # PyYAML's own constructors fail over the 13th month, and what is not as its tag says.
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        reason = shown_name((str(error) or "unreadable").splitlines()[0], limit=200)
        raise ConfigError(f"{source}: not YAML: {reason}") from None


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key given twice is an error."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"key {key.value} is given twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Safe YAML that puts quotes round words which `_Loader` would take for numbers."""


# Of hexadecimal digits Python reads any number, and writes none of over 4,300: it fails here.
_Loader.add_constructor(
    "tag:yaml.org,2002:int", lambda loader, node: int(str(loader.construct_yaml_int(node)))
)
# YAML 1.1 takes 5e-5 for a word, because it has no point; whoever writes it means the number.
_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$")
for _yaml in (_Loader, _Dumper):
    _yaml.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))
