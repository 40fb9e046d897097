"""The floor plan holds: who imports whom, no cycles, sizes, names, docstrings; all by reading."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.glob("bert_tf/**/*.py"))
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}

# Room, or file with a rule of its own -> what else of ours it may import.
MAY_IMPORT = {
    "errors": [],
    "atomic": ["errors"],
    "hub": ["errors"],
    "settings": ["errors"],
    "tags": ["errors"],
    "outlines": ["errors"],
    "sections": ["settings", "errors"],
    "compression_sections": ["settings", "errors"],
    "pretraining_sections": ["compression_sections", "sections", "settings", "errors"],
    "config": "compression_sections pretraining_sections sections settings errors".split(),
    "layers": [],
    "conversion": ["atomic", "hub", "errors"],
    "encoders": ["layers", "conversion", "errors"],
    "text": ["atomic", "hub", "errors"],
    "data": ["tags", "outlines", "errors"],
    "pretraining_data": ["data", "text", "config", "atomic", "errors"],
    # The four leaves of training that a task model stands on.
    "training.written_gradients": [],
    "training.step": ["training.written_gradients"],
    "training.distribution": ["errors"],
    "training.optimizers": [],
    "training": ["", "atomic", "errors"],
    "tasks": "layers conversion tags outlines training.step training.distribution "
    "training.optimizers training.written_gradients errors".split(),
    "loading": ["encoders", "tasks", "conversion", "text", "atomic", "errors"],
    "datasets": ["data", "outlines", "tags", "tasks", "errors"],
    "export": ["layers", "tasks", "text", "loading", "atomic", "errors"],
    "compression": "layers encoders tasks text data training loading errors".split(),
    "analysis": ["encoders", "tasks", "text", "data", "training", "loading", "errors"],
    "recipes": "config text tags outlines data pretraining_data layers encoders tasks training "
    "loading datasets conversion export compression analysis atomic hub errors".split(),
    # "": the package itself, whose public names load lazily.
    "cli": ["", "config", "recipes", "loading", "export", "analysis", "errors"],
}
BESIDE_KERAS = set(
    "bert_tf collections contextlib contextvars dataclasses difflib functools math typing".split()
)


def imports(name, whole=True):
    """(line, module) of every import of a module; not whole: of those outside of functions."""
    for node in ast.walk(TREES[name]) if whole else TREES[name].body:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield node.lineno, full if full in FILES else node.module


def place(module):
    """The room of a module of ours, and room.file: bert_tf.training.step -> both its places."""
    parts = module.split(".")[1:]
    return "".join(parts[:1]), ".".join(parts[:2])


@pytest.mark.parametrize("name", FILES)
def test_a_room_imports_only_the_rooms_it_may(name):
    room, file = place(name)
    if not room:
        return
    own_rule = file in MAY_IMPORT and file != room
    may = set(MAY_IMPORT[file if own_rule else room]) | (set() if own_rule else {room})
    for line, target in imports(name):
        if target.split(".")[0] == "bert_tf":
            assert may & set(place(target)), f"{name}, line {line}: imports {target}"
        elif room in ("layers", "encoders"):
            top = target.split(".")[0]
            assert top in BESIDE_KERAS | {"keras"}, f"{name}, line {line}: imports {target}"


@pytest.mark.parametrize("name", [x for x in FILES if x.startswith("bert_tf.tasks")])
def test_tasks_load_tensorflow_in_functions_only_so_that_they_run_under_jax(name):
    tensorflow = {"tensorflow", "tensorflow_text", "sklearn", "scipy"}
    tops = {target.split(".")[0] for _, target in imports(name, whole=False)}
    if name != "bert_tf.tasks.metrics":  # imported in functions itself
        assert not tops & tensorflow
        deep = {target for _, target in imports(name, whole=False) if target in FILES}
        deep -= {"bert_tf.training.written_gradients"}  # which loads it in a function, too
        assert not [x for x in deep if place(x)[0] in ("training", "text") or "metrics" in x]


def test_there_are_no_cycles():
    done = set()

    def visit(name, path):
        assert name not in path, " -> ".join([*path, name])
        if name not in done:
            for _, target in imports(name, whole=False):
                if target in FILES:
                    visit(target, [*path, name])
            done.add(name)

    for name in FILES:
        visit(name, [])


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_short_well_named_and_says_what_it_holds(name):
    tree = TREES[name]
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) <= 330
    assert not {"utils", "helpers", "common", "base", "misc"} & set(name.split("."))
    assert ast.get_docstring(tree)
    kinds = (ast.FunctionDef, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = node.body[min(len(node.body) - 1, bool(ast.get_docstring(node)))]
            assert node.end_lineno - first.lineno < 60, f"{node.name} is too long"


# The rooms in the order of the data's way; errors, atomic and hub, which are leaves, left out.
WAY = """settings sections compression_sections pretraining_sections config text tags outlines
data pretraining_data
layers conversion encoders
training.step training.distribution training.optimizers tasks loading datasets training
compression export recipes cli""".split()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def drawing():
    """The imports as a picture, a line a room: `<` in the column of each room that it imports."""
    drawn = {room: set() for room in WAY}
    for name in FILES:
        for _, target in imports(name):
            room, other = (
                file if file in MAY_IMPORT else room for room, file in map(place, (name, target))
            )
            if target.startswith("bert_tf.") and room in drawn and other in drawn:
                drawn[room].add(other)
    lines = []
    for row, room in enumerate(WAY):
        line, begun = "", False
        for other in WAY[:row]:
            begun |= other in drawn[room]
            later = any(other in drawn[below] for below in WAY[row + 1 :])
            mark = "<" if other in drawn[room] else "|" if later else "-" if begun else " "
            line += mark + ("--" if begun else "  ")
        lines.append(f"    {room:24}{line}o")
    return "\n".join(lines) + "\n"


def test_contributing_draws_the_imports_as_they_are():
    assert drawing() in CONTRIBUTING, "the picture in CONTRIBUTING.md is now\n" + drawing()


def test_contributing_has_the_same_table_of_imports():
    words = {"nothing": [], "the version": [""], "the public names": [""]}
    table = {
        room: {x for other in others.split(", ") for x in words.get(other, [other])}
        for rooms, others in re.findall(r"^\| ([\w., ]+) \| ([\w., ]+) \|$", CONTRIBUTING, re.M)
        for room in rooms.split(", ")
    }
    there = {"", "atomic", "hub", *WAY}  # and not yet: rooms that are planned
    for room in {*WAY} - {"layers", "recipes"}:  # these are told in words
        assert table[room] == there & set(MAY_IMPORT[room]), room


def test_contributing_names_functions_that_there_are():
    named = re.findall(r"`([\w/]+\.py):\s+([\w.]+)`", CONTRIBUTING)
    assert len(named) > 20
    for file, name in named:
        modules = [x for x, path in FILES.items() if path.as_posix().endswith(f"/{file}")]
        nodes = [node for module in modules for node in ast.walk(TREES[module])]
        names = {getattr(node, "name", None) or getattr(node, "id", None) for node in nodes}
        assert name.split(".")[-1] in names, f"{file}: {name}"


# Law 9: a task and a family are named in their own rooms. Of a family's config what no BERT has.
OF_TASKS = "SequenceClassifier TokenClassifier ExtractiveQA MultipleChoice MaskedLM Pretraining "
OF_TASKS += "DependencyParser ElectraPretraining CausalLM SentenceEncoder MultiTask Seq2Seq "
OF_TASKS += "Distillation SkipGram BidirectionalLM BlankInfilling"
OF_FAMILIES = "bert albert electra roberta distilbert modernbert deberta gpt2 mobilebert "
OF_FAMILIES += "transformer BertConfig AlbertConfig ElectraConfig TransformerConfig "
OF_FAMILIES += "Word2VecConfig elmo ElmoConfig "
OF_FAMILIES += "num_hidden_groups inner_group_num position_embedding layer_drop_rate"


def test_tasks_and_families_are_named_in_their_own_rooms():
    found = []
    for name, tree in TREES.items():
        room, _ = place(name)
        for node in ast.walk(tree):
            word = getattr(node, "id", None) or getattr(node, "attr", None)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                word = node.value
            of_task = word in OF_TASKS.split() and room not in ("tasks", "conversion", "")
            of_family = word in OF_FAMILIES.split() and room not in ("encoders", "conversion", "")
            if of_task or of_family:
                found.append(f"{name}, line {node.lineno}: {word}")
    assert len(found) <= 8, "\n".join(found)
