"""bert-tf records through main(argv): what it makes, and one line for whatever is wrong."""

import os

import pytest

from bert_tf import cli
from bert_tf.pretraining_data.records.manifest import Manifest
from tests import tiny

TEXT = "the film is good .\nthe end is bad .\n\none two three !\na good actor .\n\nbad story ?\n"


@pytest.fixture
def given(tmp_path):
    """The flags of a small run."""
    tiny.tokenizer(tmp_path / "tokenizer")
    (tmp_path / "text.txt").write_text(TEXT)
    return {
        "input": str(tmp_path / "*.txt"),
        "tokenizer": str(tmp_path / "tokenizer"),
        "output": str(tmp_path / "out"),
        "layout": "lines",
    }


def run(flags, **more):
    return cli.main(
        ["records", *(f"--{name}={value}" for name, value in {**flags, **more}.items())]
    )


def test_records_are_static_as_others_want_them_unless_told(given, capsys):
    assert run(given) == 0
    manifest = Manifest.read(given["output"])
    assert manifest.max_length == 128 and manifest.max_predictions == 20
    assert manifest.settings["dupe_factor"] == 10
    assert f"records from 3 documents in 1 files: {given['output']}" in capsys.readouterr().out


def test_dynamic_records_hold_the_text_once(given):
    assert run(given, masking="dynamic", max_length=32, sentence_objective="none") == 0
    manifest = Manifest.read(given["output"])
    assert manifest.max_predictions is None and manifest.settings["dupe_factor"] == 1
    assert set(manifest.features) == {"input_ids", "input_mask", "segment_ids"}


@pytest.mark.parametrize(
    "flags, code, told",
    [
        ({"max_length": 7}, 2, "max_length is 7, wanted 8"),
        ({"max_length": "long"}, 2, "--max_length is 'long', wanted a whole number"),
        ({"max_length": 10**9}, 2, "wanted 8 to 32768"),
        ({"masking_probability": "0"}, 2, "--masking=static: probability is 0.0, wanted a share"),
        ({"masking_probability": "nan"}, 2, "--masking=static: probability is nan"),
        ({"masking_probability": "inf"}, 2, "--masking=static: probability is inf"),
        ({"masking": "dynamic", "max_predictions": 9}, 2, "--max_predictions is 9, and --masking"),
        ({"language": "de"}, 2, "'de'"),
        ({"duplicates": "foo"}, 2, "duplicates: 'foo', wanted one of drop, keep"),
        ({"policy": "foo"}, 2, "policy: 'foo'"),
        ({"masking": "none"}, 2, "--masking is none, wanted one of static, dynamic"),
        ({"masking_unit": "letter"}, 2, "--masking=static: unit is 'letter'"),
        ({"sentence_objective": "x"}, 2, "sentence_objective is 'x', wanted one of next_sentence"),
        ({"shards": 0}, 2, "--shards is '0', wanted a whole number from 1"),
        ({"seed": -1}, 2, "--seed is '-1', wanted a whole number from 0 to 9223372036854775807"),
        ({"seed": "9" * 5000}, 2, "999..., wanted a whole number from 0 to 9223372036854775807"),
        ({"masking_probability": "x" * 999}, 2, "xxx..., wanted a share such as 0.1"),
        ({"runner_option": "x"}, 2, "--runner_option is given, wanted --runner with it"),
        ({"runner": "x", "processes": 2}, 2, "--processes and --runner are given, wanted one of"),
        ({"field": "zz"}, 2, "--field is 'zz', and --layout lines has no keys, wanted"),
        ({"output": "a\0b"}, 2, "--output: 'a\\x00b': is no name of a file"),
        ({"shards": 9}, 2, "--shards=9: 3 documents make 1 shards at most"),
        ({"layout": "pages"}, 2, "layout: 'pages', wanted one of lines"),
        ({"input": "nothing/*"}, 1, "'nothing/*': matches no file"),
        ({"tokenizer": "nowhere"}, 1, "nowhere"),
        ({"runner": "DirectRunner", "maskin": "x"}, 2, "no flag --maskin; did you mean --masking?"),
    ],
)
def test_what_is_wrong_is_one_line(given, capsys, flags, code, told):
    assert run(given, **flags) == code
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("bert-tf records: ") and told in error
    assert len(error) < 300 and not os.path.exists(given["output"])


def test_a_key_where_no_file_has_any_is_refused_whether_the_layout_is_told_or_guessed(
    given, tmp_path, capsys
):
    del given["layout"]
    assert run(given, field="zz") == 2
    told = f"--field is 'zz', and no file of {tmp_path}/*.txt is JSON lines"
    assert told in capsys.readouterr().err and not (tmp_path / "out").exists()
    (tmp_path / "z.txt").write_text('{"zz": "a film"}\n{"zz": "the end"}\n')
    assert run(given, field="zz", sentence_objective="none") == 0


def test_one_document_has_no_random_next_sentence(given, tmp_path, capsys):
    (tmp_path / "text.txt").write_text("one .\ntwo .\n")
    assert run(given) == 1
    error = capsys.readouterr().err
    assert "no random next sentence is possible" in error and "read as lines" in error
    assert run(given, sentence_objective="sentence_order") == 0


def test_a_vocabulary_without_mask_is_named(given, tmp_path, capsys):
    (tmp_path / "tokenizer" / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    assert run(given) == 1
    assert "no entry is '[MASK]'" in capsys.readouterr().err


def test_records_of_other_settings_are_not_mixed(given, capsys):
    assert run(given) == 0
    assert run(given, seed=5) == 2
    assert "holds records with seed 0, not 5" in capsys.readouterr().err


def test_documents_of_one_sentence_have_no_next_one_and_it_is_said(given, tmp_path, capsys):
    (tmp_path / "text.txt").write_text("one .\n\ntwo .\n\nthree .\n")
    assert run(given) == 0
    assert "every second sentence is a random one" in capsys.readouterr().err


def test_a_segmenter_means_masks_of_whole_words(given):
    from bert_tf.recipes.records import settings_of

    told = {flag: None for flag in "max_predictions masking_unit dupe_factor label".split()}
    told |= {"masking_probability": None, "masking": "static", "segmenter": "jieba"}
    told |= {"max_length": 64, "sentence_objective": "none", "short_probability": 0.1, "seed": 0}
    told |= {"boundaries": "false", "layout": None, "language": "zh", "policy": "fail"}
    told |= {"field": "text", "duplicates": "drop"}
    settings = settings_of(told)
    assert settings.masking.unit == "word" and settings.boundaries
    assert settings.masking.max_predictions == 10
