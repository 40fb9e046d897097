"""A model with another vocabulary answers as before wherever the old entries suffice."""

import json

import numpy as np
import pytest

from bert_tf import (
    BertConfig,
    CausalLM,
    Gpt2Config,
    InputError,
    MaskedLM,
    Pretraining,
    RobertaConfig,
    SentenceEncoder,
    Seq2Seq,
    Tokenizer,
    build_encoder,
    load_encoder,
    load_task,
    pipeline,
)
from bert_tf.recipes import vocab
from tests import tiny
from tests.text import test_pipelines

TEXTS = ["the film is good, the actor is not", "a bad end begins", "the film film end good good"]


@pytest.fixture
def files(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(TEXTS * 3) + "\n", encoding="utf-8")
    return str(path)


def encoder_of(entries):
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=entries, intermediate_size=32, initializer_range=0.5, **sizes)
    return build_encoder(config)


@pytest.fixture
def pretrained(tmp_path):
    """A directory with a Pretraining model and its tokenizer; [PAD] is not its first entry."""
    entries = [*(f"[unused{i}]" for i in range(4)), "never", "##ed", *tiny.vocabulary()]
    rows = -(-len(entries) // 8) * 8  # filled up to a round number
    assert rows > len(entries)
    (tmp_path / "vocab.txt").write_text("\n".join(entries) + "\n", encoding="utf-8")
    model = Pretraining(encoder_of(rows))
    model.masked_lm_head.output_bias.assign(np.arange(rows) / 10)
    model.save_pretrained(str(tmp_path / "m"), Tokenizer.from_pretrained(tmp_path / "vocab.txt"))
    return str(tmp_path / "m")


def logits(folder, entries):
    """What a model says of TEXTS: masked LM logits of some entries, and of the sentence head."""
    tokenizer, model = Tokenizer.from_pretrained(folder), load_task(folder)
    out = model(tokenizer(TEXTS))
    ids = [tokenizer.pieces.ids[entry] for entry in entries]
    return np.asarray(out["masked_lm_logits"])[:, :, ids], np.asarray(out["sentence_logits"])


def assert_alike(one, other, entries):
    for a, b in zip(logits(one, entries), logits(other, entries), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_training_writes_a_directory_that_the_tokenizer_reads(files, tmp_path):
    told = vocab.train(files, str(tmp_path / "v"), size=60, min_frequency=1, lowercase=True)
    tokenizer = Tokenizer.from_pretrained(tmp_path / "v")
    assert tokenizer.vocab_size == told["entries"] == 60 and tokenizer.pieces.settings.lowercase
    assert told["words"] == 3 * sum(len(x.replace(",", " ,").split()) for x in TEXTS)
    assert told["unknown_words"] == 0 and told["documents"] == 1 and 1 <= told["pieces_per_word"]
    pieces = sum(len(tokenizer.tokenize(x)) for x in TEXTS) * 3
    assert told["pieces_per_word"] == pytest.approx(pieces / told["words"], abs=1e-6)
    json.dumps(told)


def test_trimming_keeps_the_answers(pretrained, files, tmp_path):
    out = str(tmp_path / "small")
    told = vocab.trim(pretrained, files, out, min_frequency=1)
    entries = Tokenizer.from_pretrained(out).vocabulary
    assert told["entries"] == len(entries) < told["entries_before"] and told["pieces_kept"] == 1
    assert {"never", "[unused0]", "##ed", "very"}.isdisjoint(entries)
    assert {"film", "##s", "q", *tiny.SPECIAL} <= set(entries)
    assert json.loads((tmp_path / "small" / "config.json").read_text())["pad_token_id"] == 0
    assert_alike(pretrained, out, entries)


def test_trimming_moves_every_id_that_the_config_tells_and_keeps_its_entry(files, tmp_path):
    entries = ["[PAD]", "never", "[UNK]", "[CLS]", "[SEP]", *tiny.vocabulary()[4:], "over", "end"]
    entries = list(dict.fromkeys(entries))
    (tmp_path / "vocab.txt").write_text("\n".join(entries) + "\n", encoding="utf-8")
    tokenizer = Tokenizer.from_pretrained(tmp_path / "vocab.txt")
    ends = dict(bos_token_id=entries.index("[CLS]"), eos_token_id=entries.index("over"))
    sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    model = CausalLM(build_encoder(Gpt2Config(len(entries), **sizes, **ends)))
    model.save_pretrained(str(tmp_path / "m"), tokenizer)
    told = vocab.trim(str(tmp_path / "m"), files, str(tmp_path / "small"), min_frequency=1)
    assert told["entries"] < len(entries)
    kept = Tokenizer.from_pretrained(tmp_path / "small").vocabulary
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert kept[config["bos_token_id"]] == "[CLS]" and kept[config["eos_token_id"]] == "over"


@pytest.mark.parametrize("dense", [None, (8, "tanh")])
def test_a_sentence_encoder_stays_one_whatever_its_vocabulary(files, tmp_path, dense):
    tokenizer = tiny.tokenizer(tmp_path / "words")
    model = SentenceEncoder(encoder_of(tokenizer.vocab_size), pooling="max", dense=dense)
    model.data_settings = {"max_length": 20}
    model.save_pretrained(str(tmp_path / "m"), tokenizer)
    vocab.trim(str(tmp_path / "m"), files, str(tmp_path / "small"), min_frequency=1)
    assert Tokenizer.from_pretrained(tmp_path / "small").vocab_size < tokenizer.vocab_size
    both = [pipeline(str(tmp_path / name))(TEXTS) for name in ("m", "small")]
    for one, other in zip(*both, strict=True):
        np.testing.assert_allclose(one["embedding"], other["embedding"], atol=1e-5)
    names = [{x.name for x in (tmp_path / name).iterdir()} for name in ("m", "small")]
    assert {"modules.json", "1_Pooling"} < names[0] and names[0] - names[1] <= {"README.md"}
    assert load_task(str(tmp_path / "small")).data_settings["max_length"] == 20


def test_a_vocabulary_of_an_encoder_and_a_decoder_is_refused_before_texts_are_read(tmp_path):
    tokenizer = tiny.tokenizer(tmp_path / "words")
    writer = {"model_type": "bert", "num_hidden_layers": 1}
    model = Seq2Seq(build_encoder(tiny.config(vocab_size=tokenizer.vocab_size)), decoder=writer)
    model.save_pretrained(str(tmp_path / "m"), tokenizer)
    with pytest.raises(InputError, match="config.json: an encoder and a decoder, wanted one of"):
        vocab.trim(str(tmp_path / "m"), "absent.txt", str(tmp_path / "small"))
    assert not (tmp_path / "small").exists()


def test_trimming_by_frequency_gives_rare_entries_up(pretrained, files, tmp_path):
    vocab.trim(pretrained, files, str(tmp_path / "small"), min_frequency=6)
    entries = Tokenizer.from_pretrained(tmp_path / "small").vocabulary
    assert "film" in entries and "actor" not in entries


def test_extending_keeps_rows_and_begins_new_ones_as_means(pretrained, tmp_path):
    held = Tokenizer.from_pretrained(pretrained).vocab_size
    path = tmp_path / "new.txt"
    path.write_text("goodness filmstrip goodness ωω filmstrip\n" * 4, encoding="utf-8")
    out = str(tmp_path / "large")
    told = vocab.extend(pretrained, str(path), out, size=held + 12, min_frequency=2)
    old, new = Tokenizer.from_pretrained(pretrained), Tokenizer.from_pretrained(out)
    assert told["entries"] == new.vocab_size == held + 12 and told["new_entries"] == 12
    assert new.vocabulary[:held] == old.vocabulary
    before, after = load_task(pretrained), load_task(out)
    for name in ("encoder.embeddings.word_embeddings", "masked_lm_head.output_bias"):
        rows, grown = (np.asarray(_find(model, name)) for model in (before, after))
        np.testing.assert_array_equal(grown[:held], rows[:held])
        for i, entry in enumerate(new.vocabulary[held:], held):
            ids = [old.pieces.ids[x] for x in old.tokenize(entry.removeprefix("##"))]
            if entry.startswith("##"):
                continue
            mean = rows[:held].mean(0) if old.unk_id in ids else rows[ids].mean(0)
            np.testing.assert_allclose(grown[i], mean, rtol=1e-5, atol=1e-6)
    assert_alike(pretrained, out, old.vocabulary)  # no new entry is in these texts
    assert "[UNK]" not in new.tokenize("goodness ωω")


def _find(model, path):
    for step in path.split("."):
        model = getattr(model, step)
    return model


def test_vectors_become_rows(pretrained, files, tmp_path):
    vectors = tmp_path / "w2v.txt"
    numbers = " ".join(["0.25"] * 16)
    vectors.write_text(f"3 16\nfilm {numbers}\n[CLS] {numbers}\nabsent {numbers}\n")
    out = str(tmp_path / "given")
    told = vocab.start_from_vectors(pretrained, str(vectors), out)
    assert told["entries_from_vectors"] == 1
    before, after = load_encoder(pretrained), load_encoder(out)
    rows, given = (np.asarray(x.embeddings.word_embeddings) for x in (before, after))
    film = Tokenizer.from_pretrained(out).pieces.ids["film"]
    np.testing.assert_array_equal(given[film], 0.25)
    given[film] = rows[film]
    np.testing.assert_array_equal(given, rows[: len(given)])
    vectors.write_text(f"begins {numbers}\nfilm {numbers}\n")
    size = len(given) + 6
    told = vocab.extend(pretrained, files, str(tmp_path / "more"), size, vectors=str(vectors))
    assert told["entries_from_vectors"] == 1
    grown = np.asarray(load_encoder(str(tmp_path / "more")).embeddings.word_embeddings)
    entries = Tokenizer.from_pretrained(tmp_path / "more").vocabulary
    np.testing.assert_array_equal(grown[entries.index("begins")], 0.25)
    np.testing.assert_array_equal(grown[film], rows[film])


@pytest.mark.parametrize("make", [lambda x: x, MaskedLM])
def test_other_kinds_of_models_are_written_too(make, files, tmp_path):
    encoder = encoder_of(len(tiny.vocabulary()))
    tokenizer = tiny.tokenizer(tmp_path / "t")
    make(encoder).save_pretrained(str(tmp_path / "m"), tokenizer)
    vocab.trim(str(tmp_path / "m"), files, str(tmp_path / "small"), min_frequency=1)
    trimmed = Tokenizer.from_pretrained(tmp_path / "small")
    small = load_encoder(str(tmp_path / "small"))
    for text in TEXTS:
        before, after = encoder(tokenizer([text])), small(trimmed([text]))
        key = "sequence_output"
        np.testing.assert_allclose(before[key], after[key], atol=1e-5)


def test_added_tokens_stay_added_tokens_with_their_rows(files, tmp_path):
    entries = list(dict.fromkeys(tiny.vocabulary()))
    ids = {"[E1]": len(entries), "Qq": len(entries) + 1}
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "vocab.txt").write_text("\n".join(entries))
    (tmp_path / "t" / "added_tokens.json").write_text(json.dumps(ids))
    encoder = encoder_of(len(entries) + 2)
    encoder.save_pretrained(str(tmp_path / "m"), Tokenizer.from_pretrained(tmp_path / "t"))
    vocab.trim(str(tmp_path / "m"), files, str(tmp_path / "small"), min_frequency=1)
    vocab.extend(str(tmp_path / "m"), files, str(tmp_path / "large"), len(entries) + 6)
    rows = np.asarray(encoder.embeddings.word_embeddings)
    for name in ("small", "large"):
        tokenizer = Tokenizer.from_pretrained(tmp_path / name)
        assert tokenizer.tokenize("film[E1]qq") == ["film", "[E1]", "Qq"]
        new = np.asarray(load_encoder(str(tmp_path / name)).embeddings.word_embeddings)
        for token, i in ids.items():
            np.testing.assert_array_equal(new[tokenizer.pieces.ids[token]], rows[i])


def test_what_cannot_be_done_is_one_line_and_leaves_nothing(pretrained, files, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "narrow.txt").write_text("film 1 2 3\n")
    (tmp_path / "known.txt").write_text("the film is good\nthe film is good\n")
    (tmp_path / "empty.txt").write_text("")
    held = Tokenizer.from_pretrained(pretrained).vocab_size
    for work, reason in [
        (lambda: vocab.extend(pretrained, files, str(out), held), f"size: {held}, wanted more"),
        (
            lambda: vocab.start_from_vectors(pretrained, str(tmp_path / "narrow.txt"), str(out)),
            "narrow.txt, line 1: vectors of 3 numbers, wanted 16",
        ),
        (lambda: vocab.train(f"{tmp_path}/*.gz", str(out)), "matches no file"),
        (lambda: vocab.train(files, str(tmp_path)), "is not empty"),
        (lambda: vocab.trim(str(tmp_path), files, str(out)), "no model"),
        (
            lambda: vocab.extend(pretrained, str(tmp_path / "known.txt"), str(out), held + 9),
            "no new entry",
        ),
        (
            lambda: vocab.trim(pretrained, str(tmp_path / "empty.txt"), str(out)),
            "empty.txt: holds no word",
        ),
    ]:
        with pytest.raises(InputError) as error:
            work()
        assert reason in str(error.value) and "\n" not in str(error.value)
        assert not out.exists() and not list(tmp_path.glob(".*tmp"))


@pytest.mark.parametrize("name, kind", [("roberta", "BPE"), ("albert", "Unigram")])
def test_a_vocabulary_of_another_kind_than_wordpiece_is_refused_before_texts_are_read(
    name, kind, tmp_path
):
    (tmp_path / "t").mkdir()
    folder = test_pipelines.write(tmp_path / "t", test_pipelines.CASES[name])
    tokenizer = Tokenizer.from_pretrained(folder)
    config = RobertaConfig(**tiny.sizes(vocab_size=tokenizer.vocab_size, pad_token_id=0))
    build_encoder(config).save_pretrained(str(tmp_path / "m"), tokenizer)
    model, out, absent = str(tmp_path / "m"), str(tmp_path / "out"), f"{tmp_path}/*.absent"
    for work in (vocab.trim, lambda *given: vocab.extend(*given, size=10**6)):
        with pytest.raises(InputError, match=f"^{model}: its tokenizer is {kind}, wanted WordP"):
            work(model, absent, out)
    assert not (tmp_path / "out").exists()


def test_googles_files_have_to_be_converted_first(files, tmp_path):
    from bert_tf import convert

    tiny.save(tmp_path / "m")
    convert(str(tmp_path / "m"), str(tmp_path / "g"), "google")
    with pytest.raises(InputError, match="is Google's; bert-tf convert --format=huggingface"):
        vocab.trim(str(tmp_path / "g"), files, str(tmp_path / "out"))


@pytest.mark.parametrize("sizes", [{"min_frequency": 99999}, {"size": 6}])
def test_a_vocabulary_of_special_tokens_alone_is_not_written(files, tmp_path, sizes):
    with pytest.raises(InputError, match="no entry is left but special tokens, by min_frequency"):
        vocab.train(files, str(tmp_path / "v"), **sizes)
    assert not (tmp_path / "v").exists()
