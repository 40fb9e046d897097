"""Loading exports and asking them: what is refused, and how it is said."""

import shutil

import pytest
import tensorflow as tf

from bert_tf import InputError, MaskedLM, SequenceClassifier, export_saved_model, load_export
from bert_tf.export import answer_with, is_export
from bert_tf.export.text_model import TextModel, text_settings
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


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[1]", "holds a list, wanted an object"),
        ('{"columns": 3}', "columns is 3, wanted an object of text and text_pair"),
        ('{"columns": {}}', "columns is {}"),
        ('{"columns": {"text": null}}', "columns is {'text': None}"),
        ('{"columns": {"label": "label"}}', "columns is"),
        ('{"columns": {"text": "a", "text_pair": "b"}}', "the SavedModel takes text"),
        ('{"task": "sorting", "columns": {"text": "a"}}', "task is 'sorting'"),
        ('{"task": [1], "columns": {"text": "a"}}', "task is"),
    ],
)
def test_settings_of_another_shape_are_one_line(exported, tmp_path, content, told):
    shutil.copytree(exported, tmp_path / "copy")
    (tmp_path / "copy/1/assets.extra/bert_tf.json").write_text(content)
    with pytest.raises(InputError) as caught:
        load_export(tmp_path / "copy")
    assert told in str(caught.value) and "bert_tf.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["variables/variables.data-00000-of-00001", "saved_model.pb"])
def test_a_truncated_part_is_one_line(exported, tmp_path, part):
    shutil.copytree(exported, tmp_path / "copy")
    path = tmp_path / "copy/1" / part
    for size in (path.stat().st_size - 5, 10, 0):
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(InputError, match="copy") as caught:
            load_export(tmp_path / "copy")
        assert "\n" not in str(caught.value)


def test_texts_and_partners_of_different_number_are_named_by_the_served_signature(
    tokenizer,
):
    served = program_of(tiny.classifier(text_pair="b"), tokenizer)
    with pytest.raises(tf.errors.InvalidArgumentError, match="text_pair and text have different"):
        served(tf.constant(["a", "b"]), tf.constant(["c"]))


def program_of(model, tokenizer):
    """The function that is an export's signature, without the export."""
    return TextModel(model, tokenizer, text_settings(model, tokenizer)).answer


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_no_text_is_answered_with_no_row_by_the_served_signature(tokenizer, pooling):
    encoder = tiny.classifier().encoder
    model = SequenceClassifier(encoder, 3, pooling=pooling)
    model.data_settings = {"max_length": 24}
    served = program_of(model, tokenizer)
    shapes = {name: x.shape.as_list() for name, x in served(tf.zeros([0], tf.string)).items()}
    assert shapes == {"label": [0], "logits": [0, 3], "probabilities": [0, 3]}


def test_records_come_in_the_order_of_the_texts_and_name_the_row_that_fails(tokenizer, monkeypatch):
    from bert_tf.export import answer as module

    monkeypatch.setattr(module, "BATCH_ROWS", 2)
    answer = answer_with(tiny.classifier(), tokenizer)
    texts = ["a bad bad film", "good", "the story is not very good", "bad", "a film"]
    alone = [answer.records([text])[0] for text in texts]
    for one, other in zip(answer.records(texts), alone, strict=True):
        assert one["label"] == other["label"]
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)
    assert answer.records([]) == []
    for wrong in ([texts, texts], [["good", 3]], ["good"]):
        with pytest.raises(InputError):
            answer.records(*wrong)
    words = answer_with(MaskedLM(tiny.classifier().encoder), tokenizer)
    with pytest.raises(InputError, match="no mask token") as caught:
        words.records(["[MASK]", "good good good", "a [MASK]"])
    assert caught.value.row == 1


def test_records_name_the_classes_of_their_probabilities(tokenizer):
    record = answer_with(tiny.classifier(), tokenizer).records(["good"])[0]
    assert record["scores"] == dict(zip(("bad", "good"), record["probabilities"], strict=True))
    assert record["score"] == record["scores"][record["label"]] == max(record["probabilities"])
    several = tiny.classifier(
        label_names=("a", "b", "c"), problem_type="multi_label_classification"
    )
    several.head.projection.bias.assign([9.0, -9.0, 5.0])
    several.head.projection.kernel.assign(several.head.projection.kernel * 0)
    record = answer_with(several, tokenizer).records(["good"])[0]
    assert record["label"] == "a|c" and [x["label"] for x in record["labels"]] == ["a", "c"]
    assert [x["score"] for x in record["labels"]] == record["probabilities"][::2]
