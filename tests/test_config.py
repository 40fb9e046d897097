"""The configuration: defaults, strictness, overrides, and the way out to YAML and back."""

import subprocess
import sys

import pytest

from bert_tf import config, sections
from bert_tf.errors import ConfigError
from bert_tf.tasks import classifier_arguments

LEAST = "model: {path: folder}\ndata: {train: train.tsv}\n"


@pytest.fixture
def load(tmp_path):
    """Loads a finetune configuration from text; the file is called run.yaml."""

    def load(text=LEAST, *overrides):
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return config.load(config.FinetuneConfig, str(path), overrides)

    return load


def test_keys_are_the_published_ones(load):
    sections = config.to_dict(load())
    assert sections.pop("task") == "sequence_classification"
    assert sections.pop("intermediate") == []
    assert {section: list(keys) for section, keys in sections.items()} == {
        "model": "path changes family size pooling head_layers problem_type options".split(),
        "data": (
            "train validation test format text text_pair label ignore_labels columns languages "
            "validation_columns test_columns max_length windows overlap special_tokens_in_text "
            "scheme strict_tags label_all_pieces packing"
        ).split(),
        "train": (
            "batch_size accumulate epochs steps optimizer learning_rate weight_decay beta_2 "
            "epsilon layer_decay lookahead ema schedule schedule_power drop_every drop_factor "
            "warmup clip_norm class_weights max_loss max_skips freeze unfreeze_every best_metric "
            "patience evaluate_every checkpoint_every log_every seed precision jit recompute"
        ).split(),
        "distribution": ["strategy", "virtual_devices"],
        "few_shot": ["pairs", "per_class"],
        "lora": ["rank", "alpha", "layers"],
        "incremental": ("method old_test old_train share strength fisher_rows temperature".split()),
    }


def test_values_and_overrides_are_laid_over_the_defaults(load):
    text = LEAST + "train: {epochs: 5, learning_rate: 5e-5}\n"
    loaded = load(text, "train.epochs=7", "model.changes.layer_norm_eps=1e-7", "data.label=1")
    assert (loaded.train.epochs, loaded.train.learning_rate) == (7, 5e-5)
    assert loaded.model.changes == {"layer_norm_eps": 1e-7}
    assert (loaded.data.label, loaded.data.text, loaded.train.batch_size) == (1, "text", 32)


def test_an_empty_mapping_takes_what_a_file_has_away(load):
    text = LEAST.replace("path: ", "changes: {layer_norm_eps: 1e-7}, path: ")
    assert load(text).model.changes == {"layer_norm_eps": 1e-7}
    assert load(text, "model.changes={}").model.changes == {}
    both = load(text, "model.changes={}", "model.changes.hidden_size=8").model.changes
    assert both == {"hidden_size": 8}


def test_poolings_are_those_of_the_tasks(load):
    assert sections.POOLINGS == classifier_arguments.POOLINGS
    for name in sections.POOLINGS:
        assert load(LEAST, f"model.pooling={name}").model.pooling == name


def test_resolved_copy_reads_back_as_equal(load, tmp_path):
    sets = ("model.head_layers=[8, 4]", "train.freeze=2", "data.text='1e5'", "data.train=数据.tsv")
    loaded = load(LEAST, *sets)
    (tmp_path / "resolved.yaml").write_text(config.to_yaml(loaded), encoding="utf-8")
    again = config.load(config.FinetuneConfig, str(tmp_path / "resolved.yaml"))
    assert again == loaded and again.data.text == "1e5" and again.model.head_layers == (8, 4)
    assert config.from_dict(config.FinetuneConfig, config.to_dict(loaded)) == loaded


def test_packed_rows_and_incremental_learning_are_not_promised_together(load):
    sets = ("data.packing=true", "incremental.method=rows", "incremental.old_test=old.tsv")
    with pytest.raises(ConfigError, match="data.packing is true and incremental.method rows"):
        load(LEAST, *sets)


def test_configuration_without_a_file_comes_from_overrides():
    overrides = ["model.path=a", "data.train=b"]
    assert config.load(config.FinetuneConfig, overrides=overrides).data.train == "b"


def test_differing_keys_are_named_with_both_values(load):
    one, other = load(), load(LEAST, "train.epochs=9", "model.changes={hidden_size: 8}")
    assert config.differing_keys(one, one) == {}
    assert config.differing_keys(one, other) == {
        "train.epochs": (3, 9),
        "model.changes": ({}, {"hidden_size": 8}),
    }


@pytest.mark.parametrize(
    "text, message",
    [
        ("trian: {epochs: 3}", "unknown key trian; did you mean train?"),
        ("train: {epoch: 3}", "unknown key train.epoch; did you mean train.epochs?"),
        ("batch_sise: 3", "unknown key batch_sise; did you mean train.batch_size?"),
        ("qqq: 3", "unknown key qqq; there are model, data, task, train, distribution"),
        ("data: {ignore_labels: x}", "data.ignore_labels is 'x', wanted a list of labels"),
        (
            "model: {pooling: first}",
            "model.pooling is 'first', wanted one of cls, mean, max, last, w",
        ),
        ("train: {epochs: many}", "train.epochs is 'many', wanted an integer, 1 or more"),
        ("train: {epochs: 0}", "train.epochs is 0, wanted an integer, 1 or more"),
        ("train: {epochs: true}", "train.epochs is True, wanted an integer"),
        ("train: {jit: 1}", "train.jit is 1, wanted true or false"),
        (
            "train: {steps: 9999999999}",
            "train.steps is 9999999999, wanted an integer from 1 to 2147",
        ),
        ("train: {batch_size: 1048577}", "is 1048577, wanted an integer from 1 to 1048576"),
        ("train: {lookahead: 1" + "0" * 20 + "}", "0, wanted an integer from 2 to 2147483647"),
        ("train: {learning_rate: 1" + "0" * 400 + "}", "..., wanted a number above 0"),
        ("train: {learning_rate: 0x" + "f" * 5000 + "}", "run.yaml: not YAML: Exceeds the limit"),
        ("train: {learning_rate: .nan}", "train.learning_rate is nan, wanted a number above 0"),
        ("train: {schedule: linaer}", "train.schedule is 'linaer', wanted one of linear, constant"),
        ("train: {warmup: 1.5}", "train.warmup is 1.5, wanted a share of all steps below 1, or"),
        ("train: {freeze: 0}", "train.freeze is 0, wanted encoder, gradual, or how many"),
        ("train: {freeze: gradual}", "train.unfreeze_every is None and train.freeze gradual"),
        ("train: {unfreeze_every: 5}", "train.unfreeze_every is 5 and train.freeze None"),
        ("train: {class_weights: some}", "train.class_weights is 'some', wanted balanced, or a"),
        ("train: {class_weights: {a: 0}}", "wanted balanced, or a mapping of labels to numbers"),
        ("train: {schedule: steps}", "train.drop_every is None and train.schedule steps, wanted a"),
        ("train: {drop_factor: 0.1}", "train.drop_factor is 0.1 and train.schedule linear, wanted"),
        (
            "train: {schedule_power: 2}",
            "wanted a number with polynomial and null with anything else",
        ),
        (
            "train: {optimizer: adafactor, epsilon: 1e-6}",
            "train.epsilon is 1e-06, wanted null with",
        ),
        ("train: {ema: 1}", "train.ema is 1, wanted a number between 0 and 1, or null"),
        ("train: {lookahead: 1}", "train.lookahead is 1, wanted an integer, 2 or more, or null"),
        (
            "train: {accumulate: 5}",
            "train.accumulate is 5, wanted a divisor of train.batch_size, 32",
        ),
        ("train: {seed: 9999999999}", "train.seed is 9999999999, wanted an integer from 0 to 2147"),
        ("train: 3", "train is 3, wanted a mapping of keys to values"),
        (
            "data: {train: t, validation: 2}",
            "data.validation is 2, wanted a file, a glob, a folder, a list of these, or a share",
        ),
        ("data: {train: t, label: -1}", "data.label is -1, wanted a column's name, or its number"),
        ("data: {train: t, format: xml}", "data.format is 'xml', wanted one of tsv, csv, jsonl"),
        ("data: {text: t}", "data.train is missing, wanted a file, a glob, a folder, or a list"),
        ("model: {path: 3}", "model.path is 3, wanted a word or a path"),
        (
            "model: {path: a, head_layers: [a]}",
            "model.head_layers is ['a'], wanted a list of layer",
        ),
        ("model: {path: a, changes: [a]}", "model.changes is ['a'], wanted a mapping of names"),
        ("model: {path: a, head_layers: [9, 99999]}", "[9, 99999], wanted a list of layer widths"),
        ("- a", "the file holds ['a'], wanted a mapping of keys to values"),
        ("train:\n  epochs: 3\n  epochs: 4", ", line 3: key epochs is given twice"),
        ("train: {epochs: [", "run.yaml, line 3: expected ',' or ']'"),
        ("train: !!python/object:os.system {}", ", line 1: could not determine a constructor"),
        ("train: {steps: 2024-13-45}", "run.yaml: not YAML: month must be in 1..12"),
        ("train: {steps: " + "9" * 5000 + "}", "run.yaml: not YAML: Exceeds the limit"),
        ("train: {steps: !!timestamp x}", "run.yaml: not YAML: "),
        ("train: {steps: !!bool x}", "run.yaml: not YAML: "),
    ],
)
def test_bad_file_is_one_line_that_names_file_key_and_value(load, tmp_path, text, message):
    sections = [line for line in LEAST.splitlines() if line.split(":")[0] != text.split(":")[0]]
    text = text if text == "- a" else "\n".join([text, *sections])
    with pytest.raises(ConfigError) as error:
        load(text)
    assert str(error.value).startswith(str(tmp_path / "run.yaml"))
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "override, message",
    [
        ("train.epochs", "--set train.epochs: wanted section.key=value"),
        (
            "train.epochs=x",
            "--set train.epochs=x: train.epochs is 'x', wanted an integer, 1 or more",
        ),
        (
            "train.epocs=1",
            "--set train.epocs=1: unknown key train.epocs; did you mean train.epochs?",
        ),
        ("batch_size=1", "unknown key batch_size; did you mean train.batch_size?"),
        ("train.steps=[", "--set train.steps=[, line 1: "),
        ("train.steps=\t", "--set 'train.steps=\\t', line 1: "),
        ("train.steps=" + "9" * 5000, "9999...: not YAML: "),
    ],
)
def test_bad_override_is_one_line_that_repeats_it(load, override, message):
    with pytest.raises(ConfigError) as error:
        load(LEAST, override)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_unreadable_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="none.yaml: cannot be read: No such file"):
        config.load(config.FinetuneConfig, str(tmp_path / "none.yaml"))
    (tmp_path / "latin.yaml").write_bytes(b"task: \xe9")
    with pytest.raises(ConfigError, match="latin.yaml: byte 7 is not UTF-8"):
        config.load(config.FinetuneConfig, str(tmp_path / "latin.yaml"))


def test_configuration_is_read_without_importing_tensorflow():
    code = "import sys, bert_tf.config; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


PHASES = "model: {family: bert, tokenizer: v}\nphases:\n- {records: a}\n- {records: b, epochs: 2}\n"


@pytest.fixture
def load_pretrain(tmp_path):
    """Loads a configuration of pretraining from text; the file is called run.yaml."""

    def load(text=PHASES, *overrides):
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return config.load(config.PretrainConfig, str(path), overrides)

    return load


def test_a_list_of_sections_is_overridden_by_number_and_reads_back_as_equal(load_pretrain):
    loaded = load_pretrain(PHASES, "phases.2.steps=9", "phases.3.records=c")
    assert [phase.records for phase in loaded.phases] == ["a", "b", "c"]
    assert (loaded.phases[1].steps, loaded.phases[1].epochs) == (9, 2)
    assert load_pretrain(config.to_yaml(loaded)) == loaded
    assert config.from_dict(config.PretrainConfig, config.to_dict(loaded)) == loaded


def test_differing_keys_of_a_list_are_named_by_number(load_pretrain):
    one, other = load_pretrain(), load_pretrain(PHASES, "phases.2.epochs=3")
    assert config.differing_keys(one, other) == {"phases.2.epochs": (2, 3)}
    assert list(config.differing_keys(one, load_pretrain(PHASES, "phases.3.records=c"))) == [
        "phases"
    ]


def test_a_phase_is_as_the_train_section_but_for_what_it_says(load_pretrain):
    text = PHASES + "train: {steps: 7, batch_size: 64, learning_rate: 1e-3}\n"
    loaded = load_pretrain(text, "phases.2.warmup=0")
    first, second = (phase.settings(loaded.train) for phase in loaded.phases)
    assert first == loaded.train
    # Its epochs, not the steps of all.
    assert (second.steps, second.epochs, second.warmup) == (None, 2, 0)
    assert (second.batch_size, second.learning_rate) == (64, 1e-3)


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["phases.1.record=c"], "unknown key phases.1.record; did you mean phases.1.records?"),
        (["records=c"], "unknown key records; did you mean phases.1.records?"),
        (["phases.4.records=c"], "phases.4 is given, wanted 1, 2, 3, ..."),
        (["phases.3.steps=1"], "phases.3.records is missing"),
        (["train.class_weights=balanced"], "train.class_weights is given, wanted null"),
        (["train.steps=5", "phases.1.steps=2"], "train.steps is 5, and every phase has steps or"),
        (["phases=[]"], "phases is [], wanted a list of sections"),
        (["phases.2.batch_size=9", "phases.2.accumulate=2"], "phases.2: accumulate is 2"),
        (["model.size=bert-tiny"], "one of model.path, model.size, model.family, got"),
        (["model.family=null"], "got none"),
        (["model.tokenizer=null"], "model.tokenizer is None"),
        (
            ["objective.words=replaced_tokens", "noise.insertion=0.1"],
            "noise.insertion is 0.1 and objective.words replaced_tokens",
        ),
        (["model.generator={hidden_size: 8}"], "wanted replaced_tokens with it"),
        (["objective.words=causal_lm", "noise.deletion=0.1"], "objective.words causal_lm, which"),
        (["objective.words=causal_lm", "masking.unit=word"], "causal_lm, which hides nothing"),
        (["objective.words=blank_infilling", "phases.1.packing=true"], "whose rows grow"),
        (["objective.words=skip_gram", "phases.1.packing=true"], "whose rows lose words"),
        (["objective.words=skip_gram", "masking.unit=word"], "skip_gram, which hides nothing"),
        (["objective.words=skip_gram", "noise.deletion=0.1"], "skip_gram, which has none"),
        (["skip_gram.window=2"], "skip_gram is given and objective.words masked_lm"),
        (["denoising.infilling=0.2"], "denoising is given and objective.words masked_lm"),
        (
            ["objective.words=denoising", "masking.unit=word"],
            "hides nothing by it: wanted denoising",
        ),
        (["objective.words=denoising", "noise.deletion=0.1"], "has none by it: wanted denoising"),
        (["objective.words=denoising", "phases.1.packing=true"], "whose rows are shortened"),
        (["objective.words=denoising", "denoising.infilling=0"], "nothing is disturbed, wanted"),
        (
            ["objective.words=denoising", "denoising={masking: 0.6, deletion: 0.5}"],
            "denoising.masking and denoising.deletion are 0.6 and 0.5, wanted at most 1 together",
        ),
        (["denoising.span_length=0"], "denoising.span_length is 0, wanted a number from 1 to 100"),
        (
            ["objective.words=denoising", "distillation.teacher=a"],
            "distillation.teacher is a and objective.words denoising, wanted another",
        ),
        (["model.options={decoder: {}}"], "objective.words masked_lm, wanted denoising with it"),
        (
            ["objective.words=causal_lm", "objective.sentences=next_sentence"],
            "objective.sentences is next_sentence and objective.words causal_lm",
        ),
        (["objective.words=replaced_tokens", "objective.adversarial=1"], "objective.adversarial"),
        (
            ["objective.sampled_words=9"],
            "objective.sampled_words is 9 and objective.words masked_lm",
        ),
        (["objective.extra_labels={a: {of: row}}"], "wanted a mapping of columns"),
        (["objective.loss_factors={a: -1}"], "wanted a mapping of losses"),
        (["masking.probability=0"], "masking.probability is 0"),
        (["masking.probability=15"], "masking.probability is 15, wanted a share above 0, up to 1"),
        (["masking.max_predictions=0"], "masking.max_predictions is 0"),
        (["masking.mask_share=true"], "masking.mask_share is True"),
        (["masking.unit=words"], "masking.unit is 'words', wanted one of token, word, ngram, span"),
        (
            ["masking.mask_share=0.9", "masking.random_share=0.2"],
            "masking.mask_share and masking.random_share are 0.9 and 0.2, wanted at most 1",
        ),
        (["noise.deletion=1"], "noise.deletion is 1"),
        (["noise.insertion=-0.1"], "noise.insertion is -0.1, wanted a share from 0 to below 1"),
        (
            ["noise.deletion=0.6", "noise.replacement=0.6"],
            "noise.deletion and noise.replacement are 0.6 and 0.6, wanted at most 1 together",
        ),
    ],
)
def test_what_pretraining_cannot_be_told_is_one_line(load_pretrain, overrides, message):
    with pytest.raises(ConfigError) as caught:
        load_pretrain(PHASES, *overrides)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_keys_and_values_of_a_file_are_cut_and_escaped_in_messages(load_pretrain):
    for text in (f"{'x' * 9999}: 1", '"\\e[2J": 1', f"masking: {'x' * 9999}"):
        with pytest.raises(ConfigError) as caught:
            load_pretrain(f"{PHASES}\n{text}\n")
        assert len(str(caught.value)) < 400 and "\x1b" not in str(caught.value)
