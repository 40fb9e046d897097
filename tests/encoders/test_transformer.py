"""The family nobody published: the contract, the papers in numpy, files of today and of 0.1."""

import dataclasses
import json

import numpy as np
import oracles
import pytest
from contract import batch_of, each_check, encoder_of

from bert_tf import (
    AlbertConfig,
    BertConfig,
    ElectraConfig,
    ElectraPretraining,
    InputError,
    MaskedLM,
    Pretraining,
    SequenceClassifier,
    TransformerConfig,
    build_encoder,
    convert,
    load_encoder,
    load_task,
)
from bert_tf.encoders import change_config

SIZES = {
    "vocab_size": 23,
    "hidden_size": 12,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 16,
    "layer_norm_eps": 1e-6,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}
CHOICES = {"position_embedding": "sinusoidal", "norm": "pre"}
# What version 0.1 could be asked for, in each family.
PUBLISHED = {
    "bert": BertConfig(**SIZES),
    "albert": AlbertConfig(**SIZES, embedding_size=6, num_hidden_groups=2, inner_group_num=2),
    "electra": ElectraConfig(**SIZES, embedding_size=6),
}
TASKS = {
    "bert": (SequenceClassifier, MaskedLM, Pretraining),
    "albert": (SequenceClassifier, MaskedLM, Pretraining),
    "electra": (SequenceClassifier, MaskedLM, ElectraPretraining),
}
EVERY_TASK = [(family, task) for family in TASKS for task in TASKS[family]]
# One task of each family that has a part of its own; the others under `slow`.
QUICK = (("bert", Pretraining), ("albert", SequenceClassifier), ("electra", ElectraPretraining))
EVERY_TASK = [
    pytest.param(*each, marks=() if each in QUICK else pytest.mark.slow) for each in EVERY_TASK
]


def made(family, task, changes=CHOICES):
    return oracles.randomize(task(build_encoder(PUBLISHED[family], **changes)))


def answers(model):
    found = model(batch_of(PUBLISHED["bert"]))
    return [np.asarray(x) for x in (found.values() if isinstance(found, dict) else [found])]


def without_choices_of_its_own(config):
    """The fields that every family has: ELECTRA's for its multiple choice are not among them."""
    values = dataclasses.asdict(config)
    return {name: value for name, value in values.items() if not name.startswith("summary_")}


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("bert", CHOICES),
        pytest.param("bert", {"layer_drop_rate": 0.0}, marks=pytest.mark.slow),
        ("bert", {"is_decoder": True, "word_embedding": "scaled", "type_vocab_size": 0}),
        pytest.param("bert", {"norm": "pre"}, marks=pytest.mark.slow),
        pytest.param("bert", {"position_embedding": "sinusoidal"}, marks=pytest.mark.slow),
        pytest.param("electra", CHOICES, marks=pytest.mark.slow),
        # Blocks that are run several times draw their dropout anew each time.
        pytest.param("albert", {"norm": "pre", "inner_group_num": 1}, marks=pytest.mark.slow),
    ],
)
@each_check
def test_a_transformer_keeps_the_contract_of_encoders(family, changes, check):
    values = without_choices_of_its_own(PUBLISHED[family]) | changes
    check(encoder_of(TransformerConfig(parts_of=family, **values)))


def test_pre_norm_and_sinusoids_are_the_papers_in_numpy():
    encoder = oracles.randomize(build_encoder(TransformerConfig(**SIZES, **CHOICES)))
    config, batch = encoder.config, batch_of(encoder.config)
    got = encoder(batch, return_intermediates=True)
    angles = np.arange(7)[:, None] / 10000 ** (np.arange(0, 12, 2) / 12)
    places = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(7, 12)
    for row in range(3):
        mask = batch["attention_mask"][row]
        words = oracles.get(encoder, "embeddings.word_embeddings")[batch["input_ids"][row]]
        types = oracles.get(encoder, "embeddings.token_type_embeddings")
        x = words + places + types[batch["token_type_ids"][row]]
        x = oracles.norm(encoder, "embeddings.norm", x, 1e-6)
        for depth, block in enumerate(encoder.blocks):
            np.testing.assert_allclose(got["hidden_states"][depth][row], x, atol=2e-5)
            read = oracles.norm(block, "attention_norm", x, 1e-6)
            x = x + oracles.multi_head(block.attention, read, mask[:, None] == mask, 3)[0]
            read = oracles.norm(block, "feed_forward_norm", x, 1e-6)
            x = x + oracles.feed_forward(block.feed_forward, read, config.hidden_act)
        x = oracles.norm(encoder, "final_norm", x, 1e-6)
        np.testing.assert_allclose(got["sequence_output"][row], x, atol=2e-5)
        pooled = np.tanh(oracles.linear(encoder, "pooler.dense", x[0]))
        np.testing.assert_allclose(got["pooled_output"][row], pooled, atol=2e-5)


@pytest.mark.parametrize("family", PUBLISHED)
def test_a_published_family_s_config_becomes_one_by_such_a_choice_alone(family):
    config = PUBLISHED[family]
    assert change_config(config, {"norm": "post", "position_embedding": "learned"}) == config
    changed = change_config(config, {"norm": "pre", "num_hidden_layers": 2})
    values = without_choices_of_its_own(config) | {"norm": "pre", "num_hidden_layers": 2}
    assert changed == TransformerConfig(parts_of=family, **values)
    encoder = build_encoder(config, norm="pre")
    assert encoder.config.model_type == "transformer" and encoder.final_norm is not None
    as_published = build_encoder(config)
    assert encoder.published == as_published.published
    assert (encoder.groups is None) == (as_published.groups is None)
    narrow = encoder.embeddings_projection is None, as_published.embeddings_projection is None
    assert narrow[0] == narrow[1] == (family == "bert")


@pytest.mark.parametrize(("family", "task"), EVERY_TASK)
def test_a_task_is_saved_as_our_own_and_comes_back(family, task, tmp_path):
    model = made(family, task)
    model.save_pretrained(str(tmp_path / "task"))
    model.encoder.save_pretrained(str(tmp_path / "encoder"))
    for place in ("task", "encoder"):
        config = json.loads((tmp_path / place / "config.json").read_text())
        assert config["model_type"] == "bert_tf" and config["bert_tf"]["family"] == "transformer"
        assert all(name.startswith("bert_tf.") for name in config["architectures"])
        assert load_encoder(str(tmp_path / place)).config == model.encoder.config
        with pytest.raises(InputError, match="Google's format has no .* family transformer"):
            convert(str(tmp_path / place), str(tmp_path / "google"), "google")
    back = load_task(str(tmp_path / "task"))
    assert type(back) is task
    for one, other in zip(answers(model), answers(back), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not (tmp_path / "google").exists()


@pytest.mark.parametrize(("family", "task"), EVERY_TASK)
def test_files_of_0_1_name_the_family_and_open_as_before(family, task, tmp_path):
    model = made(family, task)
    model.save_pretrained(str(tmp_path))
    for file in tmp_path.rglob("config.json"):
        config = json.loads(file.read_text())
        config["bert_tf"]["family"] = config.pop("parts_of")
        if family == "albert":
            config["classifier_dropout_prob"] = config.pop("classifier_dropout")
        file.write_text(json.dumps(config))
    back = load_task(str(tmp_path))
    assert type(back) is task and back.encoder.config == model.encoder.config
    for one, other in zip(answers(model), answers(back), strict=True):
        np.testing.assert_array_equal(one, other)


def test_layers_may_be_lowered(tmp_path):
    encoder = made("bert", lambda encoder: encoder)
    encoder.save_pretrained(str(tmp_path))
    lower = load_encoder(str(tmp_path), num_hidden_layers=2)
    assert len(lower.blocks) == 2 and lower.config.norm == "pre"


def test_a_plain_bert_s_config_has_no_word_of_the_choices():
    assert not {"position_embedding", "norm", "parts_of"} & set(PUBLISHED["bert"].to_dict())


def test_files_of_a_bert_that_name_such_a_choice_are_refused(tmp_path):
    build_encoder(PUBLISHED["bert"]).save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    for changes, message in (
        ({"norm": "pre"}, "norm: 'pre', here only 'post'"),
        ({"model_type": "transformer", "parts_of": "bert"}, "model_type: 'transformer'"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(InputError, match=message):
            load_encoder(str(tmp_path))


def test_our_own_files_that_do_not_fit_are_refused(tmp_path):
    made("bert", lambda encoder: encoder, {"norm": "pre"}).save_pretrained(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    for changes, message in (
        ({"position_embedding": "sinusoidal"}, "1 left over: embeddings.position_embeddings"),
        ({"norm": "post"}, "2 left over: final_norm"),
        ({"hidden_size": 24}, "hidden_size: 24, but"),
        ({"parts_of": "xlnet"}, "parts_of: 'xlnet', a family not here"),
        ({"parts_of": None}, "parts_of: None, a family not here"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(InputError, match=message):
            load_encoder(str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position_embedding": "sinusoid"}, "'sinusoid', wanted one of learned, sinusoidal"),
        ({"norm": "prenorm"}, "norm: 'prenorm', wanted one of post, pre"),
        ({"parts_of": "Bert"}, "parts_of: 'Bert', wanted one of bert, albert, electra"),
        ({"layer_drop_rate": 1.0}, "layer_drop_rate: 1.0, wanted a share from 0 to below 1"),
        ({"embedding_size": 6}, "embedding_size: 6, wanted None: parts_of is bert"),
        ({"parts_of": "electra"}, "embedding_size: None, wanted a whole number"),
        ({"embedding_size": 6.0}, "embedding_size: 6.0, wanted a whole number"),
        ({"num_hidden_groups": 1}, "num_hidden_groups: 1, wanted None"),
    ],
)
def test_a_wrong_value_is_one_line(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        TransformerConfig(**SIZES | changes)
    assert "\n" not in str(caught.value)


def test_a_published_family_s_config_says_where_the_choices_are():
    with pytest.raises(InputError, match="norm: no field of BertConfig; .* family transformer"):
        BertConfig(norm="pre")


@pytest.mark.parametrize("family", PUBLISHED)
def test_a_language_s_vector_is_added_to_its_tokens(family, tmp_path):
    encoder = oracles.randomize(build_encoder(PUBLISHED[family], num_languages=3))
    assert encoder.config.model_type == "transformer" and encoder.config.parts_of == family
    batch, languages = batch_of(PUBLISHED[family]), np.array([2, 0, 2], "int32")
    table = oracles.get(encoder, "embeddings.language_embeddings")
    tokens = np.tile(languages[:, None], (1, batch["input_ids"].shape[1]))
    shift = table[tokens].astype("float32")
    want = encoder(batch | {"embedding_shift": shift})["sequence_output"]
    for ids in (languages, tokens):
        got = encoder(batch | {"language_ids": ids})["sequence_output"]
        np.testing.assert_allclose(got, want, atol=2e-5)
    both = encoder(batch | {"language_ids": languages, "embedding_shift": shift})
    twice = encoder(batch | {"embedding_shift": 2 * shift})["sequence_output"]
    np.testing.assert_allclose(both["sequence_output"], twice, atol=2e-5)
    assert np.abs(encoder(batch)["sequence_output"] - want).max() > 1e-2  # absent: none is added
    with pytest.raises(InputError, match="language_ids: id 3, the model has languages 0 to 2"):
        encoder(batch | {"language_ids": languages + 1})
    encoder.save_pretrained(str(tmp_path))
    back, told = load_encoder(tmp_path), batch | {"language_ids": languages}
    assert back.config == encoder.config
    for name, values in encoder(told).items():
        np.testing.assert_array_equal(back(told)[name], values)
    config = json.loads((tmp_path / "config.json").read_text()) | {"num_languages": 10**9}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="num_languages: 1000000000, but"):
        load_encoder(tmp_path)
