"""Low-rank updates of frozen models, merged and in files of their own (LoRA)."""

import json
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from bert_tf import (
    AlbertConfig,
    ConfigError,
    DebertaV2Config,
    ElectraConfig,
    Gpt2Config,
    InputError,
    LstmConfig,
    MobileBertConfig,
    ModernBertConfig,
    MultipleChoice,
    MultiTask,
    SentenceEncoder,
    SequenceClassifier,
    TokenClassifier,
    TransformerConfig,
    build_encoder,
    cli,
    load_adapters,
    load_encoder,
    load_export,
    load_task,
)
from bert_tf.config import MultiTaskConfig, from_dict
from bert_tf.conversion.adapters import read_adapter
from bert_tf.encoders.low_rank import (
    has_low_rank,
    merge_low_rank,
    with_low_rank,
    without_low_rank,
)
from bert_tf.loading.adapters import taken_apart
from bert_tf.recipes import finetune
from tests import tiny

IDS = {"input_ids": np.array([[2, 9, 6, 7, 3, 0], [2, 5, 8, 3, 0, 0]], "int32")}
IDS["attention_mask"] = (IDS["input_ids"] > 0).astype("int32")
ALL = ["query", "key", "value", "attention_output", "intermediate", "output"]
STILL = dict(initializer_range=0.3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
FAMILIES = {
    "bert": tiny.config(num_hidden_layers=2, **STILL),
    "albert": AlbertConfig(**tiny.sizes(embedding_size=4, **STILL)),
    "modernbert": ModernBertConfig(**tiny.sizes(initializer_range=0.3, pad_token_id=0)),
    "deberta": DebertaV2Config(**tiny.sizes(**STILL), relative_attention=True, share_att_key=True),
    "gpt2": Gpt2Config(**tiny.sizes(**STILL)),
    "mobilebert": MobileBertConfig(
        **tiny.sizes(embedding_size=6, intra_bottleneck_size=4, **STILL)
    ),
    "transformer": TransformerConfig(**tiny.sizes(norm="pre", **STILL)),
}


def trained(encoder, layers=ALL, seed=1):
    """An encoder with updates that training would have made."""
    updated = with_low_rank(encoder, 3, 4.5, layers)
    numbers = np.random.default_rng(seed)
    for block in updated.blocks:
        for update in block.updates:
            update.up.assign(numbers.normal(0, 0.3, update.up.shape))
    return updated


def of_families(*quick, others):
    """The first ones quickly, others slowly."""
    slow = [pytest.param(family, marks=pytest.mark.slow) for family in others]
    return pytest.mark.parametrize("family", [*quick, *slow])


@of_families(
    "bert", "albert", "deberta", others=["modernbert", "gpt2", "mobilebert", "transformer"]
)
def test_updates_change_nothing_at_first_and_are_the_same_when_they_are_merged(family):
    encoder = build_encoder(FAMILIES[family])
    before = np.array(encoder(IDS)["sequence_output"])
    updated = with_low_rank(encoder, 3, 4.5, ALL)
    np.testing.assert_array_equal(updated(IDS)["sequence_output"], before)
    names = {variable.name for variable in updated.trainable_variables}
    assert names <= {"down", "up", "kernel", "bias"} and {"down", "up"} <= names
    updated = trained(encoder)
    wanted = np.array(updated(IDS)["sequence_output"])
    assert np.abs(wanted - before).max() > 0.01
    np.testing.assert_array_equal(encoder(IDS)["sequence_output"], before)
    merge_low_rank(updated)
    np.testing.assert_allclose(encoder(IDS)["sequence_output"], wanted, atol=2e-6)
    plain = without_low_rank(updated)
    assert len(plain.weights) == len(encoder.weights)
    assert len(plain.trainable_variables) == len(plain.weights)


@of_families("modernbert", "transformer", others=["bert", "gpt2", "mobilebert"])
def test_base_and_adapter_are_the_model_again(family, tmp_path, caplog):
    encoder = build_encoder(FAMILIES[family])
    encoder.save_pretrained(str(tmp_path / "base"))
    model = SequenceClassifier(trained(encoder, ["query", "value", "output"]), 2, ["bad", "good"])
    model.data_settings = {"text": "text", "max_length": 9}
    wanted = np.array(model(IDS))
    plain = taken_apart(model, tmp_path / "adapter", str(tmp_path / "base"))
    np.testing.assert_allclose(plain(IDS), wanted, atol=2e-6)
    again = load_task(tmp_path / "base", adapter=tmp_path / "adapter")
    assert again.label_names == ["bad", "good"] and again.data_settings["max_length"] == 9
    np.testing.assert_allclose(again(IDS), wanted, atol=2e-6)
    alone = load_encoder(tmp_path / "base", adapter=tmp_path / "adapter")
    np.testing.assert_allclose(
        alone(IDS)["sequence_output"], plain.encoder(IDS)["sequence_output"], atol=2e-6
    )
    assert "trained over other weights" not in caplog.text


def adapter_of(tmp_path, layers=("query", "value")):
    """A base and an adapter of it in two folders."""
    encoder = build_encoder(FAMILIES["bert"])
    encoder.save_pretrained(str(tmp_path / "base"), tiny.tokenizer(tmp_path / "words"))
    model = SequenceClassifier(trained(encoder, layers), 2, ["bad", "good"])
    taken_apart(model, tmp_path / "adapter", "the/base")
    return tmp_path / "adapter"


def test_the_files_are_named_as_peft_names_them(tmp_path):
    folder = adapter_of(tmp_path)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA" and config["base_model_name_or_path"] == "the/base"
    assert config["r"] == 3 and config["lora_alpha"] == 4.5 and not config["fan_in_fan_out"]
    assert config["modules_to_save"] == ["bert.pooler.dense", "classifier"]
    layer = "bert.encoder.layer.1.attention.self.value"
    assert len(config["target_modules"]) == 4 and layer in config["target_modules"]
    tensors = load_file(folder / "adapter_model.safetensors")
    assert tensors[f"base_model.model.{layer}.lora_A.weight"].shape == (3, 16)
    assert tensors[f"base_model.model.{layer}.lora_B.weight"].shape == (16, 3)
    assert "base_model.model.classifier.weight" in tensors and len(tensors) == 12


def test_a_base_of_the_same_shapes_but_other_weights_is_told(tmp_path, caplog):
    folder = adapter_of(tmp_path)
    load_task(tmp_path / "base", adapter=folder)
    assert "trained over other weights" not in caplog.text
    build_encoder(FAMILIES["bert"]).save_pretrained(str(tmp_path / "other"))
    load_task(tmp_path / "other", adapter=folder)
    assert (
        f"{folder}/adapter_model.safetensors: trained over other weights than those of "
        f"{tmp_path}/other/model.safetensors: what both answer together may be worth nothing"
    ) in caplog.text


def test_an_adapter_of_an_encoder_that_computes_otherwise_shares_no_base(tmp_path):
    folder = adapter_of(tmp_path)
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**told, "hidden_dropout_prob": 0.4}))
    load_adapters(str(tmp_path / "base"), {"kind": str(folder)})
    (folder / "config.json").write_text(json.dumps({**told, "hidden_act": "relu"}))
    line = (
        "adapter_model.safetensors: trained with hidden_act 'relu', and the shared base has 'gelu'"
    )
    with pytest.raises(InputError, match=line):
        load_adapters(str(tmp_path / "base"), {"kind": str(folder)})


def test_an_adapter_of_peft_leaves_the_task_to_its_base(tmp_path):
    folder = adapter_of(tmp_path)
    whole = load_task(tmp_path / "base", adapter=folder)
    head = SequenceClassifier(load_encoder(tmp_path / "base"), 2, ["no", "yes"])
    head.save_pretrained(str(tmp_path / "task"))
    (folder / "config.json").unlink()
    again = load_task(tmp_path / "task", adapter=folder)
    assert again.label_names == ["no", "yes"]
    np.testing.assert_array_equal(again(IDS), whole(IDS))


@pytest.mark.slow  # needs torch, transformers and peft
@pytest.mark.parametrize("family", ["bert", "modernbert", "gpt2", "albert"])
def test_peft_opens_it_over_the_same_base(family, tmp_path):
    peft, torch = pytest.importorskip("peft"), pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    encoder = build_encoder(FAMILIES[family])
    encoder.save_pretrained(str(tmp_path / "base"))
    model = SequenceClassifier(trained(encoder, ["query", "value", "output"]), 2, ["bad", "good"])
    wanted = np.array(model(IDS))
    taken_apart(model, tmp_path / "adapter", str(tmp_path / "base"))
    base = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "base", num_labels=2, pad_token_id=0
    )
    there = peft.PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    found = there(**{name: torch.tensor(x).long() for name, x in IDS.items()}).logits
    np.testing.assert_allclose(found.detach().numpy(), wanted, atol=2e-5)


def changed(folder, **values):
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | values))


def renamed(folder, old, new):
    tensors = load_file(folder / "adapter_model.safetensors")
    tensors = {name.replace(old, new): x for name, x in tensors.items()}
    save_file({n: x for n, x in tensors.items() if n}, folder / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda x: changed(x, peft_type="LOHA"), "peft_type: 'LOHA', wanted LORA"),
        (lambda x: changed(x, use_dora=True), "peft_type: DoRA, wanted LORA"),
        (lambda x: changed(x, lora_alpha=None), "lora_alpha: None, wanted a number"),
        (lambda x: changed(x, alpha_pattern=[1]), "alpha_pattern: [1], wanted numbers by layer"),
        (lambda x: changed(x, alpha_pattern={"query(": 1}), "alpha_pattern: 'query(', wanted a "),
        (lambda x: (x / "adapter_config.json").unlink(), "no adapter: wanted adapter_config.json"),
        (lambda x: renamed(x, "layer.1", "layer.7"), "layer.7.attention.self.query [out, in] "),
        (lambda x: renamed(x, "layer.1.attention.self.query.lora_B", "b"), "and lora_B None"),
        (lambda x: renamed(x, "lora_", "l_"), "holds no lora_A.weight"),
        # Square ones fit either way.
        (
            lambda x: changed(x, fan_in_fan_out=True),
            "dense [out, in] [16, 32], and the base has one",
        ),
    ],
)
def test_what_is_no_adapter_of_a_base_is_one_line(tmp_path, change, line):
    folder = adapter_of(tmp_path, ["query", "value", "output"])
    change(folder)
    with pytest.raises(InputError) as told:
        load_task(tmp_path / "base", adapter=folder)
    assert line in str(told.value) and "\n" not in str(told.value)


def test_a_key_of_alpha_pattern_means_the_layers_that_it_means_to_peft(tmp_path):
    folder = adapter_of(tmp_path)
    own = {r"layer\.0\..*\.query": 9, "self.value": 6, "uery": 30, "layer": 30}
    changed(folder, alpha_pattern=own)
    scales = {name[19:]: x.scale for name, x in read_adapter(folder).updates.items()}
    assert scales == {
        "0.attention.self.query": 3,
        "1.attention.self.query": 1.5,  # its name ends with no key: lora_alpha
        "0.attention.self.value": 2,
        "1.attention.self.value": 2,
    }


@pytest.mark.parametrize("adapter", [3, True, ["a"]])
def test_what_is_no_directory_of_an_adapter_is_one_line(tmp_path, adapter):
    build_encoder(tiny.config()).save_pretrained(str(tmp_path))
    with pytest.raises(InputError, match="^adapter: .*, wanted a directory$"):
        load_encoder(tmp_path, adapter=adapter)


def test_layers_that_a_family_has_not_are_named():
    with pytest.raises(
        InputError, match="layers: 'query', no such layer in a lstm's blocks; there"
    ):
        with_low_rank(
            build_encoder(LstmConfig(**tiny.sizes(num_attention_heads=0))), 2, 4, ["query"]
        )


def two_adapters(tmp_path, family="bert"):
    """A base with two adapters, of other layers and ranks; and what both make with it."""
    encoder = build_encoder(FAMILIES[family])
    words = tiny.tokenizer(tmp_path / "words") if family == "bert" else None
    encoder.save_pretrained(str(tmp_path / "base"), words)
    kept = [np.array(x) for x in encoder.weights]
    for name, layers in (
        ("mood", ["query", "value"]),
        ("topic", ["key", "intermediate", "output"]),
    ):
        model = SequenceClassifier(trained(encoder, layers, len(name)), 2, [name, "other"])
        model.data_settings = {"text": "text", "max_length": 12}
        taken_apart(model, tmp_path / name, str(tmp_path / "base"))
        encoder.set_weights(kept)
    return {name: str(tmp_path / name) for name in ("mood", "topic")}


@of_families("bert", "modernbert", others=["albert", "gpt2", "mobilebert"])
def test_several_adapters_share_their_base(family, tmp_path):
    folders = two_adapters(tmp_path, family)
    both = load_adapters(tmp_path / "base", folders)
    assert list(both.parts) == ["mood", "topic"]
    for name, part in both.parts.items():
        whole = load_task(tmp_path / "base", adapter=folders[name])
        assert part.label_names == [name, "other"] and part.data_settings["max_length"] == 12
        np.testing.assert_allclose(part(IDS), whole(IDS), atol=3e-6)
        given = part.encoder.without_padding(IDS)
        np.testing.assert_allclose(part(given), whole(IDS), atol=3e-6)
    one, other = both.parts.values()
    shared = {id(x) for x in one.weights} & {id(x) for x in other.weights}
    assert {id(x) for block in both.encoder.blocks for x in block.weights} <= shared


def with_head(encoder, folder):
    """A task model over an encoder, saved in a folder."""
    model = SequenceClassifier(encoder, 2, ["bad", "good"])
    model.save_pretrained(str(folder))
    return model


def test_an_adapter_of_an_encoder_alone_is_not_lost_over_a_shared_base_with_a_head(tmp_path):
    folder = adapter_of(tmp_path)
    (folder / "config.json").unlink()
    renamed(folder, "base_model.model.bert.", "base_model.model.")
    renamed(folder, "base_model.model.pooler.dense.bias", "")
    renamed(folder, "base_model.model.pooler.dense.weight", "")
    bare = with_head(load_encoder(tmp_path / "base"), tmp_path / "task")(IDS)
    part = load_adapters(tmp_path / "task", {"mood": str(folder)}).parts["mood"]
    wanted = load_task(tmp_path / "task", adapter=folder)(IDS)
    np.testing.assert_allclose(part(IDS), wanted, atol=3e-6)
    assert np.abs(wanted - bare).max() > 0.01


def peft_adapter(folder, updates=(), others=()):
    """The files of an adapter of PEFT's with numbers of these shapes, by the tensors' names."""
    numbers, tensors, folder = np.random.default_rng(3), {}, folder / "peft"
    for name, (out, into) in dict(updates).items():
        tensors[f"{name}.lora_A.weight"] = numbers.normal(size=(2, into))
        tensors[f"{name}.lora_B.weight"] = numbers.normal(size=(out, 2))
    tensors |= {name: numbers.normal(size=shape) for name, shape in dict(others).items()}
    folder.mkdir()
    save_file(
        {f"base_model.model.{name}": x.astype("float32") for name, x in tensors.items()},
        folder / "adapter_model.safetensors",
    )
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 4})
    )
    return folder


QUERY = ("bert.encoder.layer.0.attention.self.query", (16, 16))
ELECTRA = ElectraConfig(**tiny.sizes(hidden_size=16, embedding_size=8, **STILL))


@pytest.mark.parametrize(
    ("config", "updates", "others", "tensor"),
    [
        # As with PEFT's bias="all", modules_to_save, and target_modules="all-linear".
        (None, [QUERY], [(f"{QUERY[0]}.bias", (16,))], f"{QUERY[0]}.bias"),
        (None, [QUERY], [(f"{QUERY[0]}.weight", (16, 16))], f"{QUERY[0]}.weight"),
        (
            None,
            [QUERY],
            [("encoder.layer.1.output.LayerNorm.weight", (16,))],
            "encoder.layer.1.output.LayerNorm.weight",
        ),
        (
            ELECTRA,
            [("electra.embeddings_project", (16, 8))],
            [],
            "electra.embeddings_project",
        ),
    ],
)
def test_what_no_update_over_a_shared_base_changes_is_named_not_lost(
    config, updates, others, tensor, tmp_path
):
    with_head(build_encoder(config or FAMILIES["bert"]), tmp_path / "base")
    folder = peft_adapter(tmp_path, updates, others)
    load_task(tmp_path / "base", adapter=folder)
    with pytest.raises(InputError) as told:
        load_adapters(tmp_path / "base", {"a": folder})
    line = str(told.value)
    assert f"adapter_model.safetensors: changes {tensor}, and" in line and "\n" not in line
    assert line.endswith(f"load_task(base, adapter='{folder}') merges it")


def test_updates_of_a_pooler_and_a_head_count_over_a_shared_base(tmp_path):
    with_head(build_encoder(FAMILIES["bert"]), tmp_path / "base")
    updates = [QUERY, ("bert.pooler.dense", (16, 16)), ("classifier", (2, 16))]
    folder = peft_adapter(tmp_path, updates, [("bert.pooler.dense.bias", (16,))])
    part = load_adapters(tmp_path / "base", {"a": folder}).parts["a"]
    wanted = load_task(tmp_path / "base", adapter=folder)(IDS)
    np.testing.assert_allclose(part(IDS), wanted, atol=1e-5)


@pytest.mark.slow  # exports of several tasks know nothing of adapters
def test_their_export_has_a_signature_for_each_and_the_base_once(tmp_path):
    folders = two_adapters(tmp_path)
    adapters = [f"--adapter={name}={folder}" for name, folder in folders.items()]
    argv = [f"--model={tmp_path}/base", f"--output={tmp_path}/out", *adapters]
    assert cli.main(["export", *argv]) == 0
    answer, texts = load_export(tmp_path / "out"), ["a good film", "bad"]
    for name, folder in folders.items():
        tokenizer = tiny.tokenizer(tmp_path / "again")
        wanted = load_task(tmp_path / "base", adapter=folder)(tokenizer(texts))
        np.testing.assert_allclose(answer.tasks[name](texts)["logits"], wanted, atol=1e-5)
    stored = tf.train.list_variables(str(tmp_path / "out" / "1" / "variables" / "variables"))
    assert sum(shape == [len(tiny.vocabulary()), 16] for _, shape in stored) == 1
    assert cli.main(["export", *argv[:2], "--adapter=mood"]) == 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lora")
    keras.utils.set_random_seed(3)
    build_encoder(tiny.config(initializer_range=0.2)).save_pretrained(
        str(folder / "base"), tiny.tokenizer(folder / "words")
    )
    rows = [
        f"{'good' if row % 2 else 'bad'} film\t{'yes' if row % 2 else 'no'}" for row in range(24)
    ]
    (folder / "rows.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    return folder


def argv_of(folder, workdir, *sets):
    (folder / "config.yaml").write_text(
        f"model: {{path: {folder}/base}}\n"
        f"data: {{train: {folder}/rows.tsv, validation: {folder}/rows.tsv, max_length: 12}}\n"
        "train: {batch_size: 8, steps: 6, learning_rate: 1e-2, checkpoint_every: 3}\n"
        "lora: {rank: 2}\n"
    )
    sets = [f"--set={x}" for x in sets]
    return ["finetune", f"--config={folder}/config.yaml", f"--workdir={workdir}", *sets]


def test_a_run_trains_little_and_leaves_a_whole_model_and_a_small_adapter(folder):
    run = folder / "run"
    assert cli.main(argv_of(folder, run)) == 0
    assert json.loads((run / "metrics.json").read_text())["skipped"] == 0
    before = load_file(folder / "base" / "model.safetensors")
    after = load_file(run / "model" / "model.safetensors")
    moved = {x for x in before if not np.array_equal(before[x], after[f"bert.{x}"])}
    assert {x.split(".")[-2] for x in moved} == {"query", "value", "dense"}
    assert {x for x in moved if x.split(".")[-2] == "dense"} <= {
        "pooler.dense.weight",
        "pooler.dense.bias",
    }
    model, again = load_task(run / "model"), load_task(folder / "base", adapter=run / "adapter")
    np.testing.assert_allclose(again(IDS), model(IDS), atol=1e-6)
    small = (run / "adapter" / "adapter_model.safetensors").stat().st_size
    assert small < 0.3 * (run / "model" / "model.safetensors").stat().st_size


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_bits(folder, tmp_path, monkeypatch):
    measure, calls = finetune.evaluate, []

    def interrupt(*arguments):
        calls.append(len(calls))
        os.kill(os.getpid(), signal.SIGINT) if calls == [0] else None
        return measure(*arguments)

    sets = ["train.evaluate_every=2", "lora.layers=[query, value, output]"]
    assert cli.main(argv_of(folder, tmp_path / "whole", *sets)) == 0
    monkeypatch.setattr(finetune, "evaluate", interrupt)
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == 3
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == 0
    for name in ("model/model.safetensors", "adapter/adapter_model.safetensors"):
        one, other = (load_file(tmp_path / run / name) for run in ("whole", "run"))
        assert all(np.array_equal(one[x], other[x]) for x in one), name


@pytest.mark.slow
@pytest.mark.parametrize("kind", [TokenClassifier, SentenceEncoder, MultipleChoice])
def test_adapters_of_other_tasks_are_the_model_again(kind, tmp_path, caplog):
    encoder = build_encoder(FAMILIES["bert"])
    encoder.save_pretrained(str(tmp_path / "base"))
    options = {"num_labels": 3} if kind is TokenClassifier else {}
    options |= {"dense": [6, "tanh"], "pooling": "mean"} if kind is SentenceEncoder else {}
    model = kind(trained(encoder, ["query", "output"]), **options)
    rows = {name: x[None] for name, x in IDS.items()} if kind is MultipleChoice else IDS
    wanted = np.array(model(rows))
    taken_apart(model, tmp_path / "adapter", str(tmp_path / "base"))
    again = load_task(tmp_path / "base", adapter=tmp_path / "adapter")
    assert type(again) is kind and "trained over other weights" not in caplog.text
    np.testing.assert_allclose(again(rows), wanted, atol=3e-6)


@pytest.mark.parametrize(
    ("sets", "line"),
    [
        (["lora.rank=0"], "lora.rank is 0, wanted an integer, 1 or more"),
        (
            ["lora.layers=[querys]"],
            "lora.layers is ['querys'], wanted a list of some of query, key",
        ),
        (["lora.rank=null", "lora.alpha=3"], "lora.rank is None and lora.alpha 3.0, wanted a rank"),
        (["train.freeze=encoder"], "lora.rank is 2 and train.freeze encoder, wanted one of them"),
        (["model.changes={keep_layers: [1]}"], "and model.changes.keep_layers [1], wanted one of"),
    ],
)
def test_settings_that_say_nothing_together_are_one_line(folder, tmp_path, capsys, sets, line):
    assert cli.main(argv_of(folder, tmp_path / "run", *sets)) == 2
    assert line in capsys.readouterr().err.strip().splitlines()[-1]


def test_tasks_that_share_updates_leave_one_model_and_an_adapter_each(tmp_path, caplog):
    build_encoder(FAMILIES["bert"]).save_pretrained(str(tmp_path / "base"))
    updated = trained(load_encoder(str(tmp_path / "base")))
    parts = {"kind": SequenceClassifier(updated, 3), "names": TokenClassifier(updated, 2)}
    model = MultiTask(updated, parts, {"kind": 0.5}, learned_weights=True)
    model.uncertainty.assign([0.25, -0.5])
    want = {name: part(IDS).numpy() for name, part in parts.items()}
    plain = taken_apart(model, str(tmp_path / "adapter"), str(tmp_path / "base"))
    assert not has_low_rank(plain.encoder) and plain.task_weights == {"kind": 0.5}
    assert plain.uncertainty.numpy().tolist() == [0.25, -0.5]
    plain.save_pretrained(str(tmp_path / "model"))
    saved = load_task(str(tmp_path / "model"))
    for name, logits in want.items():
        np.testing.assert_allclose(plain.parts[name](IDS), logits, atol=1e-5)
        np.testing.assert_allclose(saved.parts[name](IDS), logits, atol=1e-5)
        alone = load_task(str(tmp_path / "base"), adapter=str(tmp_path / "adapter" / name))
        np.testing.assert_allclose(alone(IDS), logits, atol=1e-5)
    assert "trained over other weights" not in caplog.text
    settings = {"model": {"path": "a"}, "tasks": {"kind": {"data": {"train": "b"}}}}
    settings |= {"lora": {"rank": 2}, "train": {"freeze": 1}}
    with pytest.raises(ConfigError, match="tasks.kind: lora.rank is 2 and train.freeze 1"):
        from_dict(MultiTaskConfig, settings)
