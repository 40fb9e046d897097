"""Loading exports and asking them: what is refused, and how it is said."""

import shutil

import pytest

from bert_tf import InputError, export_saved_model, load_export
from bert_tf.export import answer_with, is_export
from tests import tiny


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary"))


@pytest.fixture(scope="module")
def exported(tokenizer, tmp_path_factory):
    directory = tmp_path_factory.mktemp("export")
    export_saved_model(tiny.classifier(), tokenizer, directory)
    return directory


def test_exports_are_told_from_other_folders(exported, tmp_path):
    assert is_export(exported) and is_export(exported / "1")
    assert not is_export(tmp_path) and not is_export(tmp_path / "absent")


def test_a_model_in_memory_answers_too(tokenizer):
    answer = answer_with(tiny.classifier(text_pair="b"), tokenizer)
    assert answer(["good"], ["bad"])["probabilities"].shape == (1, 2)


@pytest.mark.parametrize(
    "texts, pairs, reason",
    [
        ("good", None, "text is one string"),
        (["good", None], None, r"text\[1\] is None"),
        (["good"], ["bad"], "takes text, got 2 lists"),
        (["half \ud83d"], None, "half a surrogate pair"),
    ],
)
def test_wrong_arguments_are_named(exported, texts, pairs, reason):
    with pytest.raises(InputError, match=reason):
        load_export(exported)(texts, pairs)


def test_pairs_of_another_number_are_refused(tokenizer):
    answer = answer_with(tiny.classifier(text_pair="b"), tokenizer)
    with pytest.raises(InputError, match="text_pair has 1 texts, text has 2"):
        answer(["good", "bad"], ["bad"])


def test_a_missing_folder_and_an_empty_one_say_so(tmp_path):
    with pytest.raises(InputError, match="absent: is no directory"):
        load_export(tmp_path / "absent")
    with pytest.raises(InputError, match="holds no export"):
        load_export(tmp_path)


@pytest.mark.parametrize(
    "damaged", ["saved_model.pb", "variables/variables.index", "assets.extra/bert_tf.json"]
)
def test_a_damaged_export_is_one_line(exported, tmp_path, damaged):
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    path = copy / "1" / damaged
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=str(copy)) as caught:
        load_export(copy)
    assert "\n" not in str(caught.value)
