"""Folders of sentence-transformers: ours as theirs, theirs as ours, of old and new versions."""

import json
import types

import numpy as np
import pytest

from bert_tf import SentenceEncoder, Tokenizer, build_encoder, convert, load_encoder, load_task
from bert_tf.config import FinetuneConfig, from_dict
from bert_tf.conversion.safetensors_file import write_safetensors
from bert_tf.errors import InputError
from bert_tf.recipes.finetune import _model
from bert_tf.tasks.classifier_arguments import POOLINGS
from tests import oracles, tiny

INPUTS = {"input_ids": np.array([[2, 5, 6, 7, 3]], "int32")}


def saved(folder, **options):
    model = SentenceEncoder(build_encoder(tiny.config()), **options)
    oracles.randomize(model)
    model.data_settings = {"max_length": 24}
    model.save_pretrained(str(folder), tiny.tokenizer(folder.parent / "vocabulary"))
    return model


def read(path):
    return json.loads(path.read_text())


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))


def test_what_is_saved_is_laid_out_as_theirs(tmp_path):
    saved(tmp_path / "m", pooling="cls", dense=(6, "tanh"))
    folder = tmp_path / "m"
    kinds = [x["type"].split(".")[-1] for x in read(folder / "modules.json")]
    assert kinds == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert read(folder / "config.json")["architectures"] == ["BertModel"]
    assert read(folder / "sentence_bert_config.json")["max_seq_length"] == 24
    pooling = read(folder / "1_Pooling" / "config.json")
    assert [key for key, on in pooling.items() if on is True] == [
        "pooling_mode_cls_token",
        "include_prompt",
    ]
    assert read(folder / "2_Dense" / "config.json")["out_features"] == 6
    back = load_task(folder)
    assert (back.pooling, back.dense, back.normalize) == ("cls", [6, "tanh"], True)
    assert load_encoder(folder).config.hidden_size == 16


def test_another_model_saved_there_is_not_taken_for_the_first(tmp_path):
    saved(tmp_path / "m")
    tiny.classifier().save_pretrained(str(tmp_path / "m"))
    assert type(load_task(tmp_path / "m")).__name__ == "SequenceClassifier"


@pytest.mark.parametrize(
    "config",
    (
        {"word_embedding_dimension": 16, "pooling_mode_max_tokens": True},
        {"embedding_dimension": 16, "pooling_mode": "max", "include_prompt": True},
        {"pooling_mode": ["max"]},
    ),
)
def test_theirs_of_every_version_opens_the_encoder_in_a_folder_of_its_own_too(tmp_path, config):
    encoder = build_encoder(tiny.config())
    encoder.save_pretrained(str(tmp_path / "m" / "0_Transformer"), tiny.tokenizer(tmp_path / "v"))
    write(tmp_path / "m" / "0_Transformer" / "sentence_bert_config.json", {"max_seq_length": 20})
    types = ("sentence_transformers.models.Transformer", "any.where.Pooling", "x.Normalize")
    paths = ("0_Transformer", "1_Pooling", "2_Normalize")
    modules = [{"path": path, "type": kind} for path, kind in zip(paths, types, strict=True)]
    write(tmp_path / "m" / "modules.json", modules)
    write(tmp_path / "m" / "1_Pooling" / "config.json", config)
    model = load_task(tmp_path / "m")
    assert (model.pooling, model.normalize, model.data_settings["max_length"]) == ("max", True, 20)
    vector = encoder(INPUTS)["sequence_output"].numpy()[0].max(axis=0)
    np.testing.assert_allclose(model(INPUTS)[0], vector / np.linalg.norm(vector), atol=1e-6)


def test_a_dense_layer_without_bias_has_a_bias_of_zeros(tmp_path):
    model = saved(tmp_path / "m", dense=(6, "identity"), normalize=False)
    dense = tmp_path / "m" / "2_Dense"
    write_safetensors(dense / "model.safetensors", {"linear.weight": np.ones((6, 16), "float32")})
    want = model.encoder(INPUTS)["sequence_output"].numpy()[0].mean(axis=0).sum()
    np.testing.assert_allclose(load_task(tmp_path / "m")(INPUTS)[0], [want] * 6, atol=1e-4)


@pytest.mark.parametrize(
    "file, change, message",
    (
        ("modules.json", [{"path": "x"}], "modules.json: wanted a list of modules"),
        ("1_Pooling/config.json", {"pooling_mode": "sum"}, r"pools by \['sum'\]"),
        ("1_Pooling/config.json", {"pooling_mode": ["cls", "max"]}, "pools by"),
        ("2_Dense/config.json", {"activation_function": "torch.nn.SiLU"}, "activation_function: "),
        ("2_Dense/config.json", {"use_residual": True}, "use_residual: true"),
        ("sentence_bert_config.json", {"max_seq_length": "x"}, "max_seq_length: 'x', wanted"),
    ),
)
def test_what_is_otherwise_is_refused_in_one_line(tmp_path, file, change, message):
    saved(tmp_path / "m", dense=(6, "tanh"))
    write(tmp_path / "m" / file, change)
    with pytest.raises(InputError, match=message):
        load_task(tmp_path / "m")


@pytest.mark.parametrize("order", (["Transformer", "Dense", "Pooling"], ["Pooling", "LSTM"]))
def test_other_modules_are_refused_and_their_encoder_loads(tmp_path, order):
    saved(tmp_path / "m")
    modules = [{"path": "" if x == "Transformer" else x, "type": x} for x in order]
    write(tmp_path / "m" / "modules.json", modules)
    with pytest.raises(InputError, match="modules.json: "):
        load_task(tmp_path / "m")
    load_encoder(tmp_path / "m")


def test_convert_makes_such_a_folder_of_an_encoder_and_an_encoder_of_such_a_folder(tmp_path):
    build_encoder(tiny.config()).save_pretrained(
        str(tmp_path / "plain"), tiny.tokenizer(tmp_path / "v")
    )
    convert(str(tmp_path / "plain"), str(tmp_path / "theirs"), "sentence_transformers")
    model = load_task(tmp_path / "theirs")
    assert (model.pooling, model.normalize) == ("mean", True)
    convert(str(tmp_path / "theirs"), str(tmp_path / "google"), "google")
    back = load_encoder(tmp_path / "google")
    np.testing.assert_array_equal(
        back(INPUTS)["sequence_output"], model.encoder(INPUTS)["sequence_output"]
    )
    tiny.save(tmp_path / "classifier")
    with pytest.raises(InputError, match="wanted a SentenceEncoder or an encoder alone"):
        convert(str(tmp_path / "classifier"), str(tmp_path / "no"), "sentence_transformers")


def test_fine_tuning_goes_on_with_the_pooling_and_the_dense_layer_of_such_a_folder(tmp_path):
    first = saved(tmp_path / "m", pooling="max", dense=(6, "relu"), normalize=False)
    table = types.SimpleNamespace(
        name="a.tsv", kinds={"text": "text", "text_pair": "text"}, label=None
    )

    def started(**options):
        settings = {"path": str(tmp_path / "m"), "options": options}
        data = {"train": "a.tsv", "max_length": 24, "text_pair": "text_pair"}
        settings = {"task": "sentence_embedding", "model": settings, "data": data}
        config = from_dict(FinetuneConfig, settings)
        tokenizer = Tokenizer.from_pretrained(str(tmp_path / "m"))
        return _model(config, SentenceEncoder, table, tokenizer)

    model = started(objective="multiple_negatives")
    np.testing.assert_array_equal(model(INPUTS), first(INPUTS))
    assert started(pooling="cls", dense=[3, "tanh"])(INPUTS).shape == (1, 3)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", POOLINGS)
def test_sentence_transformers_gives_the_same_vectors_both_ways(tmp_path, pooling):
    theirs = pytest.importorskip("sentence_transformers")
    from bert_tf import pipeline

    dense = {"cls": (6, "tanh"), "max": (7, "gelu")}.get(pooling)
    saved(tmp_path / "m", pooling=pooling, dense=dense, normalize=pooling != "max")
    texts = ["a good film", "the end is not very good, very bad!", "", "two three actor " * 20]
    other = theirs.SentenceTransformer(str(tmp_path / "m"), device="cpu")
    want = other.encode(texts)
    for folder in ("m", "again"):
        got = [x["embedding"] for x in pipeline(str(tmp_path / folder))(texts)]
        np.testing.assert_allclose(got, want, atol=1e-5)
        other.save(str(tmp_path / "again"))
