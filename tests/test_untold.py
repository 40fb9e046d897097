"""A key that a config lacks, or says null of, changes no number unsaid."""

import dataclasses
import json
import logging

import pytest

from bert_tf import InputError, build_encoder, convert, encoders, load_encoder
from bert_tf.conversion import FAMILIES
from bert_tf.conversion.contents import opened
from bert_tf.loading.encoders import config_of_files, told_config
from tests.security.load_each import NOT_READ
from tests.security.models import config_of

PUBLISHED = sorted(name for name, family in FAMILIES.items() if family.is_published)
# Fields that neither shapes nor warnings tell of: absent, they mean what every published model has.
MEANT = {
    *("layer_drop_rate", "tie_word_embeddings", "classifier_dropout", "pad_token_id"),
    *encoders.config.OWN_SIZES,
    *(f"{name}_token_id" for name in ("bos", "eos", "cls", "sep")),
    # ELECTRA's head for choices; a cut of fresh weights; DistilBERT's table; DeBERTa's head.
    *("summary_type", "summary_use_proj", "summary_last_dropout", "initializer_cutoff_factor"),
    *("sinusoidal_pos_embds", "pooler_dropout", "pooler_hidden_act", "legacy", "layer_types"),
    # Tensors that would be missing, or left over.
    *("norm_bias", "attention_bias", "mlp_bias", "classifier_bias", "decoder_bias"),
    *("add_cross_attention", "conv_kernel_size", "intra_bottleneck_size"),
    *("num_feedforward_networks", "position_embedding", "norm", "word_embedding", "parts_of"),
    *("score", "input_feeding", "num_languages", "embedding_size", "inner_group_num"),
    "num_hidden_groups",
}


@pytest.mark.parametrize("name", encoders.FAMILIES)
def test_every_field_is_told_by_shapes_or_by_the_file_or_means_one_thing(name):
    kind = encoders.FAMILIES[name].config
    shapes = set(FAMILIES["bert" if name == "transformer" else name].sizes)
    told = {*kind.unseen, *shapes, "num_attention_heads", "num_hidden_layers", "type_vocab_size"}
    fields = {field.name for field in dataclasses.fields(kind)}
    assert fields - told - MEANT - NOT_READ.get(name, set()) == set()
    assert set(kind.unseen) <= fields


def made(name, folder):
    """A model directory whose config has no usual value where another will do."""
    config, changes = config_of(name), {"hidden_act": "relu", "layer_norm_eps": 0.01}
    changes |= {"hidden_dropout_prob": 0.03, "attention_probs_dropout_prob": 0.04}
    changes |= {"initializer_range": 0.3, "classifier_activation": "relu", "local_attention": 4}
    changes |= {"summary_activation": "tanh", "pad_token_id": 2, "mlp_dropout": 0.05}
    changes |= {"relative_attention": True, "pos_att_type": ("c2p",), "position_buckets": 4}
    changes |= {"share_att_key": True, "max_relative_positions": 8, "norm_rel_ebd": "layer_norm"}
    changes |= {"global_attn_every_n_layers": 1, "classifier_pooling": "mean"}
    changes |= {"qa_dropout": 0.06, "seq_classif_dropout": 0.07, "embedding_dropout_prob": 0.08}
    changes |= {"normalization_type": "layer_norm", "scale_attn_weights": False}
    if name == "distilbert":
        del changes["layer_norm_eps"]
    if name == "mobilebert":
        del changes["classifier_activation"]
    known = {field.name for field in dataclasses.fields(config)}
    config = dataclasses.replace(config, **{x: v for x, v in changes.items() if x in known})
    build_encoder(config).save_pretrained(str(folder))
    return config


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_key_that_is_not_there_is_refused_or_named_with_the_value_taken(name, tmp_path, caplog):
    config = made(name, tmp_path)
    kind = type(config)
    with opened(tmp_path) as contents, caplog.at_level(logging.WARNING, logger="absl"):
        assert config_of_files(contents) == config and not caplog.records
        for key in contents.config:
            without = {other: x for other, x in contents.config.items() if other != key}
            null = {**contents.config, key: None}
            for values in (without, null):
                caplog.clear()
                try:
                    found = config_of_files(dataclasses.replace(contents, config=values))
                except InputError as error:
                    assert str(tmp_path) in str(error)
                    continue
                assert key not in ("num_attention_heads", "n_head", "n_heads")
                differing = {
                    field.name
                    for field in dataclasses.fields(kind)
                    if getattr(found, field.name) != getattr(config, field.name)
                }
                rest = differing - set(contents.sizes) - set(kind.unseen) - MEANT
                assert not rest, (key, rest)
                said = [record.getMessage() for record in caplog.records]
                assert len(said) <= 1
                for field in differing & set(kind.unseen) - set(contents.sizes):
                    taken = f"{kind.key_of(field)} {getattr(found, field)!r}"
                    assert said and taken in said[0] and "config.json" in said[0], (key, said)


def test_layers_that_share_their_weights_have_to_be_counted(tmp_path):
    made("albert", tmp_path)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    del config["num_hidden_layers"]
    file.write_text(json.dumps(config))
    with pytest.raises(InputError, match="config.json: num_hidden_layers: not there"):
        load_encoder(tmp_path)


def test_google_s_configs_are_not_asked_for_what_they_never_say(tmp_path, caplog):
    build_encoder(config_of("bert")).save_pretrained(str(tmp_path / "hf"))
    convert(tmp_path / "hf", tmp_path / "google", "google")
    file = tmp_path / "google" / "bert_config.json"
    config = json.loads(file.read_text())
    published = ("hidden_act", "hidden_size", "num_attention_heads", "vocab_size")
    published += ("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
    published += ("num_hidden_layers", "intermediate_size", "max_position_embeddings")
    published = {key: config[key] for key in (*published, "type_vocab_size")}
    file.write_text(json.dumps(published))
    with caplog.at_level(logging.WARNING, logger="absl"):
        load_encoder(tmp_path / "google")
        assert "taken without being told" not in caplog.text
        del published["hidden_act"]
        file.write_text(json.dumps(published))
        load_encoder(tmp_path / "google")
    assert "bert_config.json: taken without being told are hidden_act 'gelu'" in caplog.text
    del published["num_attention_heads"]
    file.write_text(json.dumps(published))
    with pytest.raises(InputError, match="num_attention_heads: not there"):
        load_encoder(tmp_path / "google")


def test_what_only_newer_files_say_means_what_older_ones_did(caplog):
    # As the hub has GPT-2's since 2019.
    values = dict(n_head=2, n_layer=1, n_embd=8, n_positions=8, vocab_size=20)
    values |= dict(activation_function="gelu_new", layer_norm_epsilon=1e-5, initializer_range=0.02)
    values |= dict(resid_pdrop=0.1, embd_pdrop=0.1, attn_pdrop=0.1, n_inner=None)
    with caplog.at_level(logging.WARNING, logger="absl"):
        told_config("gpt2", values, "config.json", {})
        assert not caplog.records
        told_config("gpt2", values | {"scale_attn_by_inverse_layer_idx": True}, "config.json", {})
    assert "scale_attn_weights True" in caplog.text
