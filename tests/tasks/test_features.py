"""What a task makes of cells fits the model, or nothing begins: a graph would not notice."""

import dataclasses

import pytest

from bert_tf import ConfigError, InputError, SequenceClassifier, build_encoder
from bert_tf.config import DataSection, FinetuneConfig, ModelSection, TrainSection
from bert_tf.export import answer_with
from bert_tf.recipes.evaluate import evaluate
from bert_tf.recipes.finetune import finetune
from bert_tf.tasks import TASKS
from bert_tf.tasks.features import check_token_types, text_cut_at_half
from tests import tiny

SETTINGS = {"max_length": 8}
PAIRS = {**SETTINGS, "text_pair": "second"}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("vocabulary") / "t")


@pytest.fixture
def one_type():
    """A classifier of pairs whose encoder has a single token type."""
    config = dataclasses.replace(tiny.classifier().encoder.config, type_vocab_size=1)
    model = SequenceClassifier(build_encoder(config), 2, ["bad", "good"])
    model.data_settings = {"text": "first", "text_pair": "second", "label": "label"} | SETTINGS
    return model


def test_questions_alone_are_cut_at_half_a_row():
    """Not the texts of a tagger, beside which a language may stand."""
    cut = {name: text_cut_at_half(task) for name, task in TASKS.items()}
    assert {name: column for name, column in cut.items() if column} == {
        "question_answering": "question"
    }


def test_a_token_type_that_the_table_lacks_is_refused(tokenizer, one_type):
    config = one_type.encoder.config
    check_token_types(SequenceClassifier, tokenizer, SETTINGS, config)
    with pytest.raises(InputError, match="type_vocab_size: 1, and the rows have .* types 0 to 1"):
        check_token_types(SequenceClassifier, tokenizer, PAIRS, config)
    two = dataclasses.replace(config, type_vocab_size=2)
    check_token_types(SequenceClassifier, tokenizer, PAIRS, two)


def test_a_template_that_gives_type_0_to_both_texts_needs_one_row(tokenizer, one_type):
    def alike(texts, text_pairs=None, **options):
        batch = tokenizer(texts, text_pairs, **options)
        return {**batch, "token_type_ids": 0 * batch["token_type_ids"]}

    check_token_types(SequenceClassifier, alike, PAIRS, one_type.encoder.config)


def test_no_command_begins_with_such_a_model(tokenizer, one_type, tmp_path):
    with pytest.raises(InputError, match="type_vocab_size: 1"):
        answer_with(one_type, tokenizer)
    one_type.save_pretrained(str(tmp_path / "model"), tokenizer)
    (tmp_path / "rows.tsv").write_text(
        "first\tsecond\tlabel\n" + "good\ta\tgood\nbad\tb\tbad\n" * 8
    )
    with pytest.raises(InputError, match="type_vocab_size: 1"):
        evaluate(tmp_path / "model", tmp_path / "rows.tsv")
    data = DataSection(
        train=str(tmp_path / "rows.tsv"), text="first", text_pair="second", max_length=8
    )
    config = FinetuneConfig(
        model=ModelSection(path=str(tmp_path / "model")),
        data=data,
        train=TrainSection(batch_size=4),
    )
    with pytest.raises(InputError, match="model: type_vocab_size: 1") as caught:
        finetune(config, str(tmp_path / "workdir"))
    assert not isinstance(caught.value, ConfigError)
    assert not (tmp_path / "workdir" / "checkpoints").exists()
