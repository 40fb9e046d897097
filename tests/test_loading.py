"""load_encoder, load_task, convert: formats found from the files, bad files named in a line."""

import json
import logging
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bert_tf.encoders import AlbertConfig, BertConfig, Encoder, build_encoder
from bert_tf.errors import ConfigError, InputError
from bert_tf.export import pipeline
from bert_tf.loading import convert, load_encoder, load_task
from bert_tf.tasks import MaskedLM, Pretraining, SequenceClassifier
from bert_tf.text import Tokenizer
from tests import tiny

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SIZES = tiny.sizes(vocab_size=16)
BATCH = {
    "input_ids": np.array([[2, 7, 9, 3], [2, 5, 3, 0]], "int32"),
    "attention_mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0]], "int32"),
}


def encoder(pooler=True, **changes):
    return randomized(build_encoder(BertConfig(**SIZES | changes), pooler=pooler))


def randomized(model):
    numbers = np.random.default_rng(len(model.weights))
    for variable in model.weights:
        variable.assign(numbers.standard_normal(variable.shape).astype("float32"))
    return model


def write_vocabulary(directory, entries=16):
    lines = SPECIAL + [f"t{number}" for number in range(entries - len(SPECIAL))]
    (directory / "vocab.txt").write_text("\n".join(lines) + "\n")


def change_config(directory, name="config.json", **changes):
    config = json.loads((directory / name).read_text())
    config = {key: value for key, value in (config | changes).items() if value != "absent"}
    (directory / name).write_text(json.dumps(config))


def change_tensors(directory, change):
    tensors = load_file(directory / "model.safetensors")
    save_file(change(tensors) or tensors, directory / "model.safetensors")


def same_weights(first, second):
    pairs = list(zip(first.weights, second.weights, strict=True))
    return all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


def refused(call, *parts):
    """The call fails with one line that holds every part."""
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert all(str(part) in str(caught.value) for part in parts), str(caught.value)


@pytest.fixture
def saved(tmp_path):
    """A directory with an encoder, and the encoder."""
    model = encoder()
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model", model


@pytest.fixture
def saved_task(tmp_path):
    """A directory with a classifier of three named labels, and the classifier."""
    model = randomized(SequenceClassifier(encoder(), 3, ["bad", "fair", "good"]))
    model.data_settings = {"text": "sentence", "label": "grade", "max_length": 9}
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model", model


def test_an_encoder_comes_back(saved):
    directory, model = saved
    back = load_encoder(str(directory))
    assert same_weights(model, back) and back.config == model.config
    config = json.loads((directory / "config.json").read_text())
    assert config["architectures"] == ["BertModel"] and config["model_type"] == "bert"


def test_a_classifier_comes_back_with_its_labels_and_data_settings(saved_task):
    directory, model = saved_task
    back = load_task(directory)
    assert same_weights(model, back)
    assert back.label_names == ["bad", "fair", "good"]
    assert back.problem_type == "single_label_classification"
    assert back.data_settings == model.data_settings
    np.testing.assert_array_equal(back(BATCH), model(BATCH))
    config = json.loads((directory / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["id2label"] == {"0": "bad", "1": "fair", "2": "good"}
    assert config["label2id"] == {"bad": 0, "fair": 1, "good": 2}


@pytest.mark.parametrize(
    ("num_labels", "problem_type"), [(1, "regression"), (4, "multi_label_classification")]
)
def test_the_problem_type_is_kept(tmp_path, num_labels, problem_type):
    SequenceClassifier(encoder(), num_labels, problem_type=problem_type).save_pretrained(tmp_path)
    back = load_task(tmp_path)
    assert (back.problem_type, back.num_labels) == (problem_type, num_labels)


def test_whole_pretraining_checkpoints_come_back(tmp_path):
    model = randomized(Pretraining(encoder()))
    model.save_pretrained(tmp_path)
    back = load_task(tmp_path)
    assert isinstance(back, Pretraining) and same_weights(model, back)
    assert "cls.predictions.decoder.weight" not in load_file(tmp_path / "model.safetensors")


@pytest.mark.parametrize("options", [{"pooling": "mean"}, {"head_layers": [6, (5, "relu")]}])
def test_what_transformers_cannot_express_is_saved_under_our_own_name(tmp_path, options):
    model = randomized(SequenceClassifier(encoder(), 3, **options))
    model.data_settings = {"text": "sentence"}
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "bert_tf" and not config["architectures"][0].startswith("Bert")
    assert "head.projection.kernel" in load_file(tmp_path / "model.safetensors")
    back = load_task(tmp_path)
    assert same_weights(model, back) and back.data_settings == {"text": "sentence"}
    np.testing.assert_array_equal(back(BATCH), model(BATCH))
    read = load_encoder(tmp_path)(BATCH)["sequence_output"]
    np.testing.assert_array_equal(read, model.encoder(BATCH)["sequence_output"])
    refused(lambda: convert(tmp_path, tmp_path / "g", "google"), "Google's format", *options)
    assert not (tmp_path / "g").exists()


def test_heads_are_left_aside_by_load_encoder(saved_task):
    directory, model = saved_task
    assert same_weights(load_encoder(directory), model.encoder)


def test_a_pooler_the_files_lack_is_fresh_and_named_in_one_warning(tmp_path, caplog):
    encoder(pooler=False).save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING, logger="absl"):
        back = load_encoder(tmp_path)
    assert "pooled_output" in back(BATCH)
    warnings = [record for record in caplog.records if "no pooler" in record.getMessage()]
    assert len(warnings) == 1 and str(tmp_path) in warnings[0].getMessage()


def test_layers_may_be_lowered_and_not_raised(saved):
    directory, model = saved
    back = load_encoder(directory, num_hidden_layers=1, hidden_dropout_prob=0.3)
    assert len(back.blocks) == 1 and back.config.hidden_dropout_prob == 0.3
    states = model(BATCH, return_intermediates=True)["hidden_states"]
    np.testing.assert_array_equal(back(BATCH)["sequence_output"], states[1])
    refused(lambda: load_encoder(directory, num_hidden_layers=3), "num_hidden_layers: 3", "holds 2")


def test_a_change_that_is_called_as_an_argument_is_a_field_that_is_not_there(saved):
    with pytest.raises(ConfigError, match="^directory: no field of BertConfig"):
        load_encoder(saved[0], **{"directory": "x"})


def test_a_config_field_that_is_not_there_is_refused_with_the_nearest(saved):
    with pytest.raises(ConfigError, match="hidden_dropout: .*nearest: hidden_dropout_prob"):
        load_encoder(saved[0], hidden_dropout=0.2)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_old_names_prefix_and_buffers_of_old_files_are_read(saved, dtype):
    directory, model = saved

    def make_old(tensors):
        old = {}
        for name, array in tensors.items():
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
            name = name.replace("LayerNorm.bias", "LayerNorm.beta")
            old["bert." + name] = array.astype(dtype)
        return old | {"bert.embeddings.position_ids": np.arange(10)[None]}

    change_tensors(directory, make_old)
    got = load_encoder(directory).embeddings.word_embeddings.numpy()
    want = model.embeddings.word_embeddings.numpy().astype(dtype).astype("float32")
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("load", [load_encoder, load_task])
def test_tensors_that_do_not_fit_are_named(saved_task, load):
    directory, _ = saved_task
    file, name = directory / "model.safetensors", "bert.encoder.layer.1.output.dense.weight"
    whole = load_file(file)
    change_tensors(directory, lambda t: {k: v for k, v in t.items() if k != name})
    refused(lambda: load(directory), file, "1 missing", name.removeprefix("bert."))
    save_file(whole | {"bert.extra": np.zeros(2, "f")}, file)
    refused(lambda: load(directory), file, "1 left over", "extra")
    if load is load_task:
        save_file(whole | {"surprise": np.zeros(2, "f")}, file)
        refused(lambda: load(directory), file, "1 left over: surprise")
    save_file(whole | {name: np.zeros((8, 11), "f")}, file)
    refused(lambda: load(directory), file, "[8, 11], wanted [8, 12]", name.removeprefix("bert."))
    save_file(whole | {name: np.zeros((8, 12), "int64")}, file)
    refused(lambda: load(directory), file, "is int64")


def test_a_truncated_weights_file_is_named_by_byte(saved):
    file = saved[0] / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    refused(lambda: load_encoder(saved[0]), f"{file}: truncated at byte")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"hidden_act": "gelu_old"}, ["hidden_act: 'gelu_old'", "relu", "gelu_new"]),
        ({"model_type": "xlnet"}, ["model_type: 'xlnet'", "there are bert, albert, electra"]),
        ({"architectures": "BertModel"}, ["architectures: 'BertModel', wanted a list"]),
        ({"architectures": [["BertModel"]]}, ["architectures: [['BertModel']], wanted a list"]),
        ({"model_type": ["bert"]}, ["model_type: ['bert']"]),
        ({"bert_tf": [1]}, ["bert_tf: [1], wanted an object"]),
        ({"model_type": "bert_tf", "bert_tf": {"family": ["bert"]}}, ["family: ['bert']"]),
        ({"pruned_heads": {"0": [1]}}, ["pruned_heads: {'0': [1]}"]),
        ({"model_type": "bert_tf"}, ["bert_tf.family: None"]),
        ({"position_embedding_type": "relative_key"}, ["position_embedding_type: 'relative_key'"]),
        ({"is_decoder": True}, ["is_decoder: True"]),
        ({"add_cross_attention": True}, ["add_cross_attention: True"]),
        ({"hidden_size": "8"}, ["hidden_size: '8'"]),
        ({"hidden_act": ["gelu"]}, ["hidden_act: ['gelu']"]),
        ({"hidden_act": {}}, ["hidden_act: {}"]),
        ({"layer_norm_eps": float("inf")}, ["layer_norm_eps: inf"]),
        ({"initializer_range": float("nan")}, ["initializer_range: nan"]),
        ({"model_type": "\x1b[2J"}, [r"model_type: '\x1b[2J'"]),
    ],
)
def test_a_config_this_package_cannot_follow_is_named(saved, changes, parts):
    change_config(saved[0], **changes)
    refused(lambda: load_encoder(saved[0]), saved[0] / "config.json", *parts)


@pytest.mark.parametrize(
    ("changes", "tensor"),
    [
        ({"max_position_embeddings": 2_000_000_000}, "position_embeddings.weight is [10, 8]"),
        ({"vocab_size": 10**12}, "word_embeddings.weight is [16, 8]"),
        ({"type_vocab_size": 10**9}, "token_type_embeddings.weight is [2, 8]"),
        ({"hidden_size": 10**9}, "LayerNorm.weight is [8]"),
        ({"intermediate_size": 10**12}, "intermediate.dense.bias is [12]"),
        ({"num_hidden_layers": 900}, "there are 2 of encoder.layer.N"),
        ({"vocab_size": "absent"}, "word_embeddings.weight is [16, 8]"),  # taken to be 30522
    ],
)
def test_sizes_are_compared_with_the_tensors_before_anything_is_built(
    saved, changes, tensor, monkeypatch
):
    monkeypatch.setattr(Encoder, "__init__", None)
    change_config(saved[0], **changes)
    refused(lambda: load_encoder(saved[0]), "config.json: does not fit", *changes, tensor)


def test_layers_that_share_their_weights_are_not_without_number(tmp_path):
    with pytest.raises(InputError, match="num_hidden_layers: 2000000000, wanted at most 1000"):
        AlbertConfig(num_hidden_layers=2_000_000_000)


def test_a_changed_size_that_no_tensor_has_is_refused(saved):
    refused(lambda: load_encoder(saved[0], vocab_size=10**12), "the changed config", "[16, 8]")


@pytest.mark.parametrize(
    ("ours", "message"),
    [
        ({"text": {"a": 1}}, "bert_tf.text: {'a': 1}, wanted str or int"),
        ({"label": True}, "bert_tf.label: True, wanted str or int"),
        ({"text_pair": ["a"]}, "bert_tf.text_pair: ['a'], wanted str or int"),
        ({"max_length": "128"}, "bert_tf.max_length: '128', wanted int"),
        ({"max_length": 1e30}, "bert_tf.max_length: 1e+30, wanted int"),
        ({"special_tokens_in_text": "false"}, "special_tokens_in_text: 'false', wanted bool"),
        ({"pooling": ["cls"]}, "pooling: ['cls'], wanted one of"),
        ({"head_layers": "8"}, "head_layers: '8', wanted a list"),
        ({"head_layers": [[8, ["gelu"]]]}, "head.hidden.0.bias"),
    ],
)
def test_data_settings_and_arguments_of_another_type_are_one_line(saved_task, ours, message):
    change_config(saved_task[0], bert_tf={"text": "sentence", **ours})
    refused(lambda: load_task(saved_task[0]), "config.json: ", message)


def test_a_config_that_is_no_json_is_named(saved):
    (saved[0] / "config.json").write_text('{"model_type": "bert",}')
    refused(lambda: load_encoder(saved[0]), "config.json: not JSON: line 1, column")


def test_files_that_are_missing_are_named(saved, tmp_path):
    directory, _ = saved
    (tmp_path / "empty").mkdir()
    refused(lambda: load_encoder(tmp_path / "absent"), "absent: no such directory")
    refused(lambda: load_encoder(tmp_path / "empty"), "empty: no model: wanted config.json")
    (directory / "config.json").rename(tmp_path / "config.json")
    refused(lambda: load_encoder(directory), "model.safetensors is there, no config.json")
    refused(lambda: load_encoder(tmp_path), "config.json is there, no model.safetensors")


@pytest.mark.parametrize("entries", [512, 505, 16, 513])
def test_a_vocabulary_fits_the_rows_or_is_named(tmp_path, caplog, entries):
    encoder(vocab_size=512).save_pretrained(tmp_path)
    write_vocabulary(tmp_path, entries)
    if entries > 512:
        refused(lambda: load_encoder(tmp_path), "vocab.txt", f"{entries} entries for 512 rows")
        return
    with caplog.at_level(logging.WARNING, logger="absl"):
        load_encoder(tmp_path)
    spare = 512 - entries
    assert (f"the last {spare} rows have no entry" in caplog.text) == (spare > 0)


def test_a_warning_about_an_archive_names_the_archive(saved, tmp_path, caplog):
    write_vocabulary(saved[0], 9)
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", saved[0])
    with caplog.at_level(logging.WARNING, logger="absl"):
        load_encoder(archive)
    assert f"{archive}/vocab.txt: 9 entries for 16 rows" in caplog.text


def test_a_vocabulary_in_tokenizer_json_alone_is_counted_too(saved, caplog):
    entries = {f"[{i}]": i for i in range(12)}
    files = {"model": {"vocab": entries}, "added_tokens": [{"id": 12, "content": "<e>"}, None]}
    (saved[0] / "tokenizer.json").write_text(json.dumps(files))
    with caplog.at_level(logging.WARNING, logger="absl"):
        load_encoder(saved[0])
    assert "tokenizer.json: 13 entries for 16 rows" in caplog.text
    files["model"]["vocab"]["far"] = 10**12
    (saved[0] / "tokenizer.json").write_text(json.dumps(files))
    refused(lambda: load_encoder(saved[0]), f"{10**12 + 1} entries for 16 rows")


def test_added_tokens_count_among_the_vocabulary(saved):
    write_vocabulary(saved[0], 7)
    (saved[0] / "added_tokens.json").write_text(json.dumps({"<new>": 15}))
    load_encoder(saved[0])
    (saved[0] / "added_tokens.json").write_text(json.dumps({"<new>": 16}))
    refused(lambda: load_encoder(saved[0]), "17 entries for 16 rows")


def test_a_task_that_is_not_there_is_named(saved, saved_task):
    change_config(saved[0], architectures=["BertModel"])
    refused(lambda: load_task(saved[0]), "no head of", "load_encoder")
    change_config(saved[0], architectures=["BertForCloze"])
    refused(lambda: load_task(saved[0]), "'BertForCloze' is no task", "BertForPreTraining")


@pytest.mark.parametrize("kind", [Pretraining, SequenceClassifier])
def test_a_task_goes_through_google_and_back_bit_for_bit(tmp_path, kind):
    model = randomized(kind(encoder()))
    model.save_pretrained(tmp_path / "hf")
    write_vocabulary(tmp_path / "hf")
    convert(tmp_path / "hf", tmp_path / "google", "google")
    assert (tmp_path / "google" / "vocab.txt").read_text().startswith("[PAD]\n")
    assert same_weights(model, load_task(tmp_path / "google"))
    assert same_weights(model.encoder, load_encoder(tmp_path / "google" / "bert_model.ckpt"))
    convert(tmp_path / "google", tmp_path / "back", "huggingface")
    first, last = (load_file(tmp_path / d / "model.safetensors") for d in ("hf", "back"))
    assert first.keys() == last.keys()
    assert all(np.array_equal(first[name], last[name]) for name in first)
    tokenizer = json.loads((tmp_path / "back" / "tokenizer_config.json").read_text())
    assert tokenizer["do_lower_case"] is True


def test_a_pretraining_checkpoint_that_is_named_a_masked_lm_is_one_and_loses_nothing(
    tmp_path, caplog
):
    # As Google's BERTs are at Hugging Face.
    model = randomized(Pretraining(encoder()))
    model.save_pretrained(tmp_path / "hf")
    change_config(tmp_path / "hf", architectures=["BertForMaskedLM"])
    with caplog.at_level(logging.WARNING, logger="absl"):
        back = load_task(tmp_path / "hf")
    assert "MaskedLM has no use for 4 tensors (bert.pooler" in caplog.text
    assert type(back) is MaskedLM and back.encoder.pooler is None
    np.testing.assert_array_equal(back(BATCH), model(BATCH)["masked_lm_logits"])
    convert(tmp_path / "hf", tmp_path / "google", "google")
    assert same_weights(model, load_task(tmp_path / "google"))


def test_a_masked_lm_comes_back_and_stays_one_through_google(tmp_path):
    model = randomized(MaskedLM(encoder()))
    model.save_pretrained(tmp_path / "hf")
    config = json.loads((tmp_path / "hf" / "config.json").read_text())
    assert config["architectures"] == ["BertForMaskedLM"]
    convert(tmp_path / "hf", tmp_path / "google", "google")
    for place in ("hf", "google"):
        back = load_task(tmp_path / place)
        assert type(back) is MaskedLM and same_weights(model, back)


def test_an_encoder_without_pooler_stays_one_through_google(tmp_path):
    model = encoder(pooler=False)
    model.save_pretrained(tmp_path / "hf")
    convert(tmp_path / "hf", tmp_path / "google", "google")
    convert(tmp_path / "google", tmp_path / "back", "huggingface")
    first, last = (load_file(tmp_path / d / "model.safetensors") for d in ("hf", "back"))
    assert first.keys() == last.keys() and "pooler.dense.weight" not in last


def test_a_published_zip_is_read_as_it_is(tmp_path):
    model = randomized(Pretraining(encoder()))
    model.save_pretrained(tmp_path / "hf")
    convert(tmp_path / "hf", tmp_path / "wrap" / "uncased_L-2_H-8_A-2", "google")
    change_config(
        tmp_path / "wrap" / "uncased_L-2_H-8_A-2", "bert_config.json", model_type="absent"
    )
    archive = shutil.make_archive(tmp_path / "uncased_L-2_H-8_A-2", "zip", tmp_path / "wrap")
    assert same_weights(model, load_task(archive))
    assert same_weights(model.encoder, load_encoder(archive))
    convert(archive, tmp_path / "back", "huggingface")
    assert same_weights(model, load_task(tmp_path / "back"))


def test_an_archive_is_unpacked_once_for_all_that_is_read_of_it(tmp_path, monkeypatch, caplog):
    from bert_tf.conversion import files
    from bert_tf.conversion.contents import opened

    model = randomized(MaskedLM(encoder()))
    model.save_pretrained(tmp_path / "wrap" / "hf")
    write_vocabulary(tmp_path / "wrap" / "hf")
    archive = shutil.make_archive(tmp_path / "hf", "zip", tmp_path / "wrap")
    extract, unpacked = files._extract, []
    monkeypatch.setattr(files, "_extract", lambda *a: (unpacked.append(a), extract(*a)))
    with opened(archive) as contents:
        assert contents.task == "MaskedLM" and (contents.folder / "vocab.txt").is_file()
        assert same_weights(model, load_task(contents))
        with caplog.at_level(logging.WARNING, logger="absl"):
            assert same_weights(model.encoder, load_encoder(contents).without_pooler())
    assert len(unpacked) == 1
    # What a user reads names the archive, not the folder that is gone by then.
    assert f"{archive}/model.safetensors: holds no pooler" in caplog.text


def test_a_google_checkpoint_with_another_head_is_not_half_converted(tmp_path):
    import tensorflow as tf

    from bert_tf.conversion.google import write_google

    encoder().save_pretrained(tmp_path / "hf")
    convert(tmp_path / "hf", tmp_path / "google", "google")
    reader = tf.train.load_checkpoint(str(tmp_path / "google" / "bert_model.ckpt"))
    tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    tensors["cls/squad/output_weights"] = np.zeros((2, 8), "f")
    (tmp_path / "squad").mkdir()
    config = json.loads((tmp_path / "google" / "bert_config.json").read_text())
    write_google(tmp_path / "squad", config, tensors)
    load_encoder(tmp_path / "squad")
    refused(lambda: load_task(tmp_path / "squad"), "no head of")
    refused(
        lambda: convert(tmp_path / "squad", tmp_path / "out", "huggingface"),
        "1 left over: cls/squad/output_weights",
    )
    assert not (tmp_path / "out").exists()


def test_googles_format_has_one_norm_epsilon(tmp_path):
    encoder(layer_norm_eps=1e-5).save_pretrained(tmp_path / "hf")
    refused(
        lambda: convert(tmp_path / "hf", tmp_path / "google", "google"), "layer_norm_eps: 1e-05"
    )


@pytest.mark.parametrize("format, owner", [("google", "Google"), ("keras_hub", "KerasHub")])
@pytest.mark.parametrize("size", ["attention_head_size", "linear_rank", "word_rank"])
def test_a_size_that_a_foreign_format_has_not_is_named_not_the_family(
    format, owner, size, tmp_path
):
    encoder(**{size: 3}).save_pretrained(tmp_path / "own")
    refused(
        lambda: convert(tmp_path / "own", tmp_path / "out", format),
        f"{size}: 3, wanted none: {owner}'s format has no such size",
    )


def test_convert_refuses_a_format_it_lacks_and_a_target_in_use(saved, tmp_path):
    with pytest.raises(ConfigError, match="format: 'huggingfac', .*nearest: huggingface"):
        convert(saved[0], tmp_path / "new", "huggingfac")
    refused(lambda: convert(saved[0], saved[0], "google"), "is not empty")
    assert not (tmp_path / "new").exists()


def test_a_full_disk_while_saving_keeps_the_old_model(saved, monkeypatch):
    import errno

    from bert_tf import atomic

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    directory, model = saved
    monkeypatch.setattr(atomic, "_sync", full)
    refused(lambda: encoder(num_hidden_layers=1).save_pretrained(directory), "No space left")
    assert same_weights(model, load_encoder(directory))
    assert len(list(directory.iterdir())) == 2


def _convert(name):
    convert(name, "absent", "google")


@pytest.mark.parametrize("load", [load_encoder, load_task, pipeline, _convert])
def test_the_bare_name_of_a_size_says_that_it_has_no_weights(load):
    said = "is the name of a size: bert_tf.build_encoder('bert-tiny') has it with random weights"
    refused(lambda: load("bert-tiny"), said, "hf://ORG/NAME")


def test_an_archive_that_is_missing_is_no_name_of_a_size():
    with pytest.raises(InputError, match=r"^chinese_L-12.zip: no such .* checkpoint prefix$"):
        load_encoder("chinese_L-12.zip")


def test_a_tokenizer_of_a_bare_name_says_where_published_ones_are_read_from(tmp_path):
    said = "bert-base-uncased: no such directory, and no vocab.txt; a published model is read from"
    refused(lambda: Tokenizer.from_pretrained("bert-base-uncased"), said, "hf://ORG/NAME")
    with pytest.raises(InputError, match="and no vocab.txt$"):
        Tokenizer.from_pretrained(tmp_path / "absent")
