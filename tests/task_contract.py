"""What it means to be a task of bert_tf: every check of CHECKS, for every task of TASKS.

A task joins by one entry in `CASES`: how to make a model of it, a batch of three rows as it is
trained on, and the texts it is asked. `tests/tasks/test_contract.py` runs one test a check and
task, so that a failure hides no other.
"""

import pathlib
import tempfile
import typing

import keras
import numpy as np
import oracles
import tensorflow as tf

from bert_tf import (
    BidirectionalLM,
    BlankInfilling,
    CausalLM,
    DependencyParser,
    ElectraConfig,
    ElectraPretraining,
    ElmoConfig,
    ExtractiveQA,
    Gpt2Config,
    LstmConfig,
    MaskedLM,
    MultipleChoice,
    MultiTask,
    Pretraining,
    Reranker,
    SentenceEncoder,
    Seq2Seq,
    SequenceClassifier,
    SkipGram,
    TokenClassifier,
    Tokenizer,
    TransformerConfig,
    Word2VecConfig,
    build_encoder,
    export_saved_model,
    load_export,
    load_task,
)
from bert_tf.conversion.table import find
from bert_tf.export import answer_with
from bert_tf.layers import new_key
from tests import tiny
from tests.toy_task import DocumentClassifier

SIZES = dict(
    vocab_size=len(tiny.vocabulary()),
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=32,
)
IDS = np.array([[2, 5, 6, 7, 3], [2, 8, 9, 3, 0], [2, 5, 5, 6, 3]], "int32")
MASK = (IDS > 0).astype("int32")
INPUTS = {
    "input_ids": IDS,
    "attention_mask": MASK,
    "token_type_ids": np.array([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0], [0, 0, 1, 1, 1]], "int32"),
}
WORDS = {"masked_positions": np.array([[1, 3], [2, 0], [1, 2]], "int32")}
WORD_LABELS = {
    "masked_ids": np.array([[10, 11], [12, 0], [10, 13]], "int32"),
    "masked_weights": np.array([[1, 1], [1, 0], [1, 1]], "float32"),
}
ROW_WEIGHTS = np.array([0.5, 2.0, 0.0], "float32")


class Case(typing.NamedTuple):
    """A model, a batch of three rows it is trained on, and what it is asked; None: nothing."""

    model: object
    inputs: dict
    labels: object
    columns: tuple | None
    name: str = ""
    still: tuple = ()  # paths of weights that no loss of the task moves


def encoder(config=None):
    return build_encoder(config or tiny.classifier().encoder.config)


def classifier(problem_type, labels, names):
    model = SequenceClassifier(encoder(), len(names), list(names), problem_type)
    return Case(model, INPUTS, labels, (["good", "a bad film", "not very good"],))


def replaced_tokens():
    discriminator = build_encoder(ElectraConfig(**SIZES, embedding_size=8))
    generator = MaskedLM(discriminator.generator(discriminator.config))
    model = ElectraPretraining(discriminator, generator)
    return Case(model, INPUTS | WORDS, WORD_LABELS, None)


def next_words():
    inputs = {name: INPUTS[name] for name in ("input_ids", "attention_mask")}
    labels = np.array([[5, 6, 7, 3, -100], [8, 9, 3, -100, -100], [5, 5, 6, 3, -100]], "int32")
    model = CausalLM(
        build_encoder(Gpt2Config(**SIZES | dict(num_hidden_layers=1))),
        generation={"max_new_tokens": 5},
    )
    return Case(model, inputs, labels, (["good", "a bad film", ""],))


def translations():
    """Three sources and their targets; the last source has more tokens than its target."""
    decoder = {"num_hidden_layers": 1, "hidden_size": 12, "num_attention_heads": 3}
    source = build_encoder(tiny.config(num_hidden_layers=1, initializer_range=0.5))
    return written_by(Seq2Seq(source, decoder, generation={"max_new_tokens": 5}))


def translations_by_the_transformer():
    """The same by the model of Vaswani et al. 2017, one table for source, target and output."""
    changes = dict(num_hidden_layers=1, type_vocab_size=0, hidden_act="relu")
    choices = dict(position_embedding="sinusoidal", word_embedding="scaled")
    source = build_encoder(TransformerConfig(**SIZES | changes | choices))
    given = dict(share_embeddings=True, label_smoothing=0.1, generation={"max_new_tokens": 5})
    return written_by(Seq2Seq(source, {"model_type": "transformer"}, **given))


def translations_by_lstms():
    """The same by LSTMs with Luong attention, which read what they attended to a word before."""
    sizes = {name: SIZES[name] for name in ("vocab_size", "hidden_size", "max_position_embeddings")}
    decoder = {"model_type": "lstm", "bos_token_id": 2, "eos_token_id": 3}
    source = build_encoder(LstmConfig(num_hidden_layers=1, **sizes))
    return written_by(Seq2Seq(source, decoder, generation={"max_new_tokens": 5}))


def written_by(model):
    """The sources and targets of a model that writes."""
    targets = np.array([[2, 9, 8, 7], [2, 6, 0, 0], [2, 7, 0, 0]], "int32")
    labels = np.array([[9, 8, 7, 3], [6, 3, -100, -100], [7, 3, -100, -100]], "int32")
    written = {"decoder_input_ids": targets, "decoder_attention_mask": (targets > 0) * 1}
    return Case(model, INPUTS | written, labels, (["good", "a bad film", ""],))


def neighbours():
    """Rows of words, the second with filling, and three noise words for each."""
    model = SkipGram(build_encoder(Word2VecConfig(vocab_size=40, hidden_dropout_prob=0.1)))
    inputs = {name: INPUTS[name] for name in ("input_ids", "attention_mask")}
    noise = {"noise_ids": np.array([[9, 8, 7], [30, 31, 32], [5, 9, 12]], "int32")}
    labels = {
        "window_sizes": np.array([[2, 1, 1, 2, 1], [1, 2, 1, 1, 0], [1, 1, 2, 2, 1]], "int32"),
        "noise_weights": np.full((3, 3), 5 / 3, "float32"),
    }
    return Case(model, inputs | noise, labels, None)


def words_beside():
    """Every next word and every one before; the second row has filling."""
    config = ElmoConfig(vocab_size=40, hidden_size=12, num_hidden_layers=2, intermediate_size=8)
    positions = np.array([[0, 1, 1, 2], [0, 1, 0, 0], [3, 4, 0, 1]], "int32")
    labels = {
        "masked_ids": np.array([[5, 2, 6, 5], [8, 2, 0, 0], [3, 6, 5, 2]], "int32"),
        "masked_weights": np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]], "float32"),
    }
    inputs = {name: INPUTS[name] for name in ("input_ids", "attention_mask")}
    model = BidirectionalLM(build_encoder(config))
    return Case(model, inputs | {"masked_positions": positions}, labels, None)


def documents():
    inputs = {name: np.stack([x, x[::-1]], axis=1) for name, x in INPUTS.items()}
    texts = [["good", "a bad film"], ["bad", "the end"], ["a story", "two"]]
    model = DocumentClassifier(encoder(), 2, ["bad", "good"])
    return Case(model, inputs, np.array([1, 0, 1], "int32"), (texts,))


def choices():
    """Three questions of which the last two have fewer choices than the first."""
    inputs = {name: np.stack([x, x[[2, 0, 1]], x[[1, 0, 2]]], 1) for name, x in INPUTS.items()}
    inputs["attention_mask"][1:, 2] = 0
    texts = ["good", "a bad film", "the end"]
    asked = [["good film", "bad story", "two"], ["is", "was"], ["a story", "not"]]
    model = MultipleChoice(encoder(), ranking="pointwise")  # a softmax does not see the bias
    model.data_settings = {"question": "question"}
    return Case(model, inputs, np.array([1, 0, 1], "int32"), (texts, asked, ["is ?", "", "a"]))


def candidates():
    """Three queries of which the last two have fewer candidates than the first."""
    case = choices()
    labels = np.array([[1, 0, 2], [0, 1, -1e9], [1, 0, -1e9]], "float32")
    model = Reranker(encoder(), ranking="pointwise")  # no other loss sees the bias
    return Case(model, case.inputs, labels, (["good", "a bad film", "the end"], ["a", "two", ""]))


def trees():
    """Three sentences; the second has two words, one with a relation that training never had."""
    starts = np.array([[1, 2, 3, 0, 0], [1, 2, 0, 0, 0], [1, 3, 0, 0, 0]], "int32")
    labels = {
        "heads": np.array([[2, 0, 2, -1, -1], [0, 1, -1, -1, -1], [2, 0, -1, -1, -1]], "int32"),
        "relations": np.array(
            [[0, 1, 2, -1, -1], [1, -1, -1, -1, -1], [2, 1, -1, -1, -1]], "int32"
        ),
        "words": np.array([3, 2, 2], "int32"),
    }
    model = DependencyParser(encoder(), 3, ["det", "root", "obj"], 8, 4)
    inputs = INPUTS | {"word_starts": starts, "words": labels["words"]}
    return Case(model, inputs, labels, (["the  good film", "good", "a story is not very bad"],))


def questions():
    """Spans of three rows, the second without an answer; and texts of several windows."""
    model = ExtractiveQA(encoder(), unanswerable=True)
    model.data_settings = {"overlap": 6}
    labels = {
        "start_positions": np.array([1, 0, 2], "int32"),
        "end_positions": np.array([3, 0, 2], "int32"),
    }
    contexts = ["a good film . " * 9, "the story", ""]
    asked = (["was the film good ?", "is a bad actor not very good ?", "a"], contexts)
    # A softmax over tokens does not see the bias.
    return Case(model, INPUTS, labels, asked, still=("head.projection.bias",))


def sentences():
    """Anchors with a positive and a negative, which the last row lacks."""
    inputs = {name: np.stack([x, x[::-1], x[[1, 2, 0]]], axis=1) for name, x in INPUTS.items()}
    inputs["attention_mask"][2, 2] = 0
    labels = {"texts": np.array([[1, 2, 3], [4, 5, 6], [7, 8, -1]])}
    model = SentenceEncoder(encoder(), dense=(12, "tanh"), objective="triplet", margin=3.0)
    return Case(model, inputs, labels, (["good", "a bad film", ""],))


def tagger(names, **options):
    """Words with labels; special tokens, and words that are not this window's, have none."""
    labels = np.array([[-100, 1, 2, 0, -100], [-100, 0, 1, -100, -100], [-100, 2, -100, 1, -100]])
    model = TokenClassifier(encoder(), len(names), list(names), **options)
    texts = ["good", "a bad film", "the long story of the actor " * 4]
    return Case(model, INPUTS, labels.astype("int32"), (texts,))


def several_tasks():
    """Three rows of each of two tasks; the first, which is asked, has no pooler."""
    shared = encoder()
    parts = {
        "topic": SequenceClassifier(shared, 3, ["a", "b", "c"], pooling="mean"),
        "score": SequenceClassifier(shared, 1, problem_type="regression"),
    }
    labels = {"topic": np.array([2, 0, 1], "int32"), "score": np.array([0.5, -1, 3], "float32")}
    model = MultiTask(shared, parts, {"score": 2.0}, learned_weights=True)
    return Case(model, dict.fromkeys(parts, INPUTS), labels, (["good", "a bad film", "two"],))


MASKED_TEXTS = (["the [MASK] is good", "a bad [MASK] and a [MASK]", "[MASK]"],)
CASES = {
    "single label": lambda: classifier(None, np.array([2, 0, 1], "int32"), ("a", "b", "c")),
    "several labels": lambda: classifier(
        "multi_label_classification", np.array([[1, 0], [0, 0], [1, 1]], "float32"), ("x", "y")
    ),
    "regression": lambda: classifier(
        "regression", np.array([0.5, -1.0, 3.0], "float32"), ("LABEL_0",)
    ),
    "choices": choices,
    "candidates": candidates,
    "trees": trees,
    "questions": questions,
    "sentences": sentences,
    "spans": lambda: tagger(("O", "B-x", "I-x")),
    "spans by a CRF": lambda: tagger(("O", "B-x", "I-x"), crf=True),
    "masked words": lambda: Case(MaskedLM(encoder()), INPUTS | WORDS, WORD_LABELS, MASKED_TEXTS),
    "blanks": lambda: Case(
        BlankInfilling(encoder(tiny.config(type_vocab_size=32)), {"max_new_tokens": 3}),
        INPUTS | WORDS,
        WORD_LABELS,
        MASKED_TEXTS,
    ),
    "pretraining": lambda: Case(
        Pretraining(encoder(), extra_labels={"topic": {"of": "sentence", "num_labels": 3}}),
        INPUTS | WORDS,
        WORD_LABELS | {"next_sentence_labels": np.array([0, 1, 1]), "topic": np.array([2, -1, 0])},
        MASKED_TEXTS,
    ),
    "replaced tokens": replaced_tokens,
    "next words": next_words,
    "translations": translations,
    "translations by the Transformer": translations_by_the_transformer,
    "translations by LSTMs": translations_by_lstms,
    "neighbours": neighbours,
    "words beside": words_beside,
    "several tasks": several_tasks,
    "a task of the tests": documents,
}


def case_of(name):
    """The case, its weights moved away from their initial values and dropout switched off."""
    case = CASES[name]()._replace(name=name)
    oracles.randomize(case.model)
    if getattr(case.model, "generator", None):  # or its draws depend on the rows beside
        case.model.generator.masked_lm_head.output_bias.assign(np.eye(SIZES["vocab_size"])[7] * 99)
    case.model.data_settings = {"max_length": 24, **case.model.data_settings}
    return case


def rows_of(values, rows):
    return tf.nest.map_structure(lambda x: x[rows], values)


def terms_of(case, rows=slice(None), weights=None):
    """Losses and metrics of some rows, dict of name -> (sum, weight) as floats."""
    inputs, labels = rows_of(case.inputs, rows), rows_of(case.labels, rows)
    labels = case.model.complete_labels(inputs, labels)
    outputs = case.model(inputs)
    terms = case.model.terms(outputs, labels, weights)
    return {name: np.array([float(x) for x in term]) for name, term in terms.items()}, labels


def names_are_those_of_the_terms(case):
    model = case.model
    terms, labels = terms_of(case)
    assert set(terms) == {*model.loss_names, *model.metric_names}
    weights = model.loss_weights(labels)
    assert set(weights) == set(model.loss_names)
    for name, weight in weights.items():
        assert float(weight) == terms[name][1] > 0, name
    assert model.monitors[0] in {"loss", *model.monitors}


def terms_of_parts_add_up_to_the_whole(case):
    whole, _ = terms_of(case)
    parts = [terms_of(case, rows)[0] for rows in (slice(0, 1), slice(1, 3))]
    for name in whole:
        np.testing.assert_allclose(parts[0][name] + parts[1][name], whole[name], rtol=1e-4)


def rows_weigh_as_they_are_told(case):
    weighed, labels = terms_of(case, weights=ROW_WEIGHTS)
    single = [terms_of(case, slice(row, row + 1))[0] for row in range(3)]
    for name, term in weighed.items():
        want = sum(weight * one[name] for weight, one in zip(ROW_WEIGHTS, single, strict=True))
        np.testing.assert_allclose(term, want, rtol=1e-4, atol=1e-5)
    weights = case.model.loss_weights(labels, ROW_WEIGHTS)
    for name in case.model.loss_names:
        assert float(weights[name]) == np.float32(weighed[name][1])


def a_step_moves_every_weight(case):
    model = case.model
    model.compile(keras.optimizers.SGD(0.5), clip_norm=None, seed=3)
    before = [variable.numpy() for variable in model.trainable_variables]
    logs = model.train_step(tf.nest.map_structure(tf.constant, (case.inputs, case.labels)))
    assert float(logs["applied"]) == 1 and np.isfinite(float(logs["loss"]))
    still = [id(find(model, path)) for path in case.still]
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert id(variable) in still or np.abs(variable.numpy() - value).max() > 0, variable.path


def low_precision_stays_near_and_logits_are_float32(case):
    want = case.model(case.inputs)
    for policy, tolerance in (("mixed_float16", 0.05), ("mixed_bfloat16", 0.5)):
        keras.config.set_dtype_policy(policy)
        try:
            low = CASES[case.name]().model
        finally:
            keras.config.set_dtype_policy("float32")
        low.set_weights(case.model.get_weights())
        got = low(case.inputs)
        for one, other in zip(tf.nest.flatten(got), tf.nest.flatten(want), strict=True):
            if other.dtype.is_floating:
                assert one.dtype == tf.float32
                if not hasattr(low, "generator"):  # its draws may fall otherwise
                    np.testing.assert_allclose(one, other, atol=tolerance)


def dropout_is_a_function_of_the_key(case):
    first, again, other = (
        tf.nest.flatten(case.model(case.inputs, training=True, key=new_key(5, step)))
        for step in (0, 0, 1)
    )
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
    assert not all(np.array_equal(one, new) for one, new in zip(first, other, strict=True))


def saved_and_loaded_is_the_same_bit_for_bit(case):
    with tempfile.TemporaryDirectory() as folder:
        case.model.save_pretrained(folder)
        back = load_task(folder)
    assert type(back) is type(case.model) and back.data_settings == case.model.data_settings
    for name in case.model.arguments:
        assert getattr(back, name) == getattr(case.model, name), name
    want, got = (tf.nest.flatten(model(case.inputs)) for model in (case.model, back))
    for one, other in zip(want, got, strict=True):
        np.testing.assert_array_equal(one, other)


def the_export_answers_as_the_model_in_memory(case):
    if case.columns is None:
        assert case.model.no_answer is not None
        return
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = tiny.tokenizer(pathlib.Path(folder, "vocabulary"))
        memory = answer_with(case.model, tokenizer)
        exported = load_export(export_saved_model(case.model, tokenizer, f"{folder}/export"))
        assert (memory._cut is None) == (exported._cut is None)
        want, got = memory(*case.columns), exported(*case.columns)
        assert set(want) == set(got)
        for name, values in want.items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(got[name], values, atol=1e-5)
            else:
                np.testing.assert_array_equal(got[name], values)
        assert len(exported.records(*case.columns)) == 3
        assert all(isinstance(record, dict) for record in memory.records(*case.columns))
        # No row at all is answered with no row, whatever the task pools.
        nothing = exported(*([] for _ in case.columns))
        assert {name: len(values) for name, values in nothing.items()} == dict.fromkeys(want, 0)


def answers_are_a_record_for_each_row(case):
    if case.columns is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        memory = answer_with(case.model, tiny.tokenizer(pathlib.Path(folder, "vocabulary")))
    records, answers = memory.records(*case.columns), memory(*case.columns)
    assert len(records) == 3 and all(isinstance(record, dict) for record in records)
    assert {len(values) for values in answers.values()} == {3}
    assert all(np.isfinite(x).all() for x in answers.values() if x.dtype.kind == "f")
    # No row at all is answered with no row, whatever the task pools.
    nothing = memory(*([] for _ in case.columns))
    assert {name: len(values) for name, values in nothing.items()} == dict.fromkeys(answers, 0)


def a_directory_answers_as_its_model(case):
    if case.columns is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        case.model.save_pretrained(folder, tiny.tokenizer(pathlib.Path(folder, "vocabulary")))
        back = answer_with(load_task(folder), Tokenizer.from_pretrained(folder))
        memory = answer_with(case.model, Tokenizer.from_pretrained(folder))
        assert back.records(*case.columns) == memory.records(*case.columns)


CHECKS = (
    names_are_those_of_the_terms,
    terms_of_parts_add_up_to_the_whole,
    rows_weigh_as_they_are_told,
    a_step_moves_every_weight,
    low_precision_stays_near_and_logits_are_float32,
    dropout_is_a_function_of_the_key,
    saved_and_loaded_is_the_same_bit_for_bit,
    the_export_answers_as_the_model_in_memory,
    answers_are_a_record_for_each_row,
    a_directory_answers_as_its_model,
)
