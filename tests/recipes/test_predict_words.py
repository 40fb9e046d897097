"""Masked words filled in and sentences scored, against the model asked one position at a time."""

import json

import numpy as np
import oracles
import pytest

from bert_tf import (
    CausalLM,
    ElectraConfig,
    ElectraPretraining,
    Gpt2Config,
    InputError,
    MaskedLM,
    Pretraining,
    Tokenizer,
    build_encoder,
    cli,
    convert,
    load_task,
)
from bert_tf.export import answer_with
from bert_tf.recipes import perplexity
from bert_tf.recipes.predict import predict
from tests import tiny

TEXTS = ["the [MASK] is good", "a bad [MASK] and a [MASK] end", "[MASK]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with three more rows than its vocabulary has entries, and favours those."""
    folder = tmp_path_factory.mktemp("model")
    sizes = dict(vocab_size=len(tiny.vocabulary()) + 3, num_hidden_layers=1)
    encoder = build_encoder(tiny.config(**sizes, initializer_range=0.5))
    model = oracles.randomize(Pretraining(encoder))
    model.masked_lm_head.output_bias.assign([0.0] * len(tiny.vocabulary()) + [9.0] * 3)
    model.data_settings = {"max_length": 16}
    model.save_pretrained(str(folder), tiny.tokenizer(folder / "vocabulary"))
    return folder


def asked(folder, tmp_path, lines, **options):
    source, target = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("\n".join(lines) + "\n")
    predict(str(folder), str(source), str(target), **options)
    return [json.loads(line) for line in target.read_text().splitlines()]


def log_softmax(logits):
    logits = logits.astype(np.float64)[: len(tiny.vocabulary())]
    return logits - np.log(np.exp(logits).sum())


def test_every_mask_gets_the_likeliest_words_of_the_vocabulary(folder, tmp_path):
    model, tokenizer = load_task(folder), Tokenizer.from_pretrained(folder)
    answers = asked(folder, tmp_path, TEXTS, top=3)
    assert [answer["text"] for answer in answers] == TEXTS
    assert [len(answer["masks"]) for answer in answers] == [1, 2, 1]
    for text, answer in zip(TEXTS, answers, strict=True):
        tokens = tokenizer([text], special_tokens_in_text=True)
        logits = model(tokens)["masked_lm_logits"].numpy()[0]
        places = np.flatnonzero(tokens["input_ids"].numpy()[0] == tokenizer.mask_id)
        for place, words in zip(places, answer["masks"], strict=True):
            shares = np.exp(log_softmax(logits[place]))
            best = np.argsort(-shares)[:3]
            assert [x["word"] for x in words] == [tokenizer.vocabulary[id] for id in best]
            np.testing.assert_allclose([x["probability"] for x in words], shares[best], atol=1e-5)


def test_perplexity_masks_each_token_in_its_turn(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(perplexity, "COPIES_AT_ONCE", 3)
    model, tokenizer = load_task(folder), Tokenizer.from_pretrained(folder)
    texts = ["the film is not very good", "bad", "one two three"]
    answers = asked(folder, tmp_path, texts, perplexity=True)
    for text, answer in zip(texts, answers, strict=True):
        ids = tokenizer([text])["input_ids"].numpy()
        total = 0.0
        for place in range(1, ids.shape[1] - 1):
            masked = ids.copy()
            masked[0, place] = tokenizer.mask_id
            logits = model({"input_ids": masked})["masked_lm_logits"].numpy()[0, place]
            total += log_softmax(logits)[ids[0, place]]
        count = ids.shape[1] - 2
        assert answer["text"] == text and answer["tokens"] == count
        assert answer["log_likelihood"] == pytest.approx(total, abs=1e-3)
        assert answer["perplexity"] == pytest.approx(np.exp(-total / count), rel=1e-3)


def test_perplexity_is_of_a_text_not_of_control_tokens_it_names(folder, tmp_path):
    texts = ["good [SEP] film", "good [PAD] film", "good [MASK] film"]
    pieces = [len(Tokenizer.from_pretrained(folder).tokenize(text)) for text in texts]
    answers = asked(folder, tmp_path, texts, perplexity=True)
    assert [answer["tokens"] for answer in answers] == pieces and min(pieces) > 3


@pytest.mark.slow  # the contract knows which tasks do not answer
def test_a_model_that_finds_replaced_tokens_says_so(tmp_path):
    sizes = {"vocab_size": len(tiny.vocabulary()), "hidden_size": 16, "intermediate_size": 16}
    sizes |= {"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 32}
    encoder = build_encoder(ElectraConfig(**sizes, embedding_size=16))
    model = ElectraPretraining(encoder, MaskedLM(encoder.generator(encoder.config)))
    model.save_pretrained(str(tmp_path / "model"), tiny.tokenizer(tmp_path / "vocabulary"))
    with pytest.raises(InputError, match="finds replaced tokens.*its generator"):
        asked(tmp_path / "model", tmp_path, ["good"])
    # And its generator fills masks in, also where it has been converted.
    convert(str(tmp_path / "model"), str(tmp_path / "converted"), "huggingface")
    for folder in ("model", "converted"):
        (answer,) = asked(tmp_path / folder / "generator", tmp_path, ["the [MASK] is good"], top=2)
        assert len(answer["masks"][0]) == 2


def test_a_text_without_a_token_has_no_perplexity(folder, tmp_path):
    answers = asked(folder, tmp_path, ["good", "\u200b"], perplexity=True)
    assert answers[1]["tokens"] == 0 and answers[1]["perplexity"] is None
    assert answers[0]["perplexity"] > 1


def test_what_cannot_be_answered_is_one_line_that_names_the_line(folder, tmp_path):
    for lines, parts in (
        (["[MASK]", "", "a good film"], ["in.txt, line 3", "no mask token"]),
        (["[MASK]" + " good" * 14], ["in.txt, line 1", "17 tokens", "takes 16"]),
    ):
        with pytest.raises(InputError) as caught:
            asked(folder, tmp_path, lines)
        message = str(caught.value)
        assert all(part in message for part in parts) and "\n" not in message, message
        assert not (tmp_path / "out.jsonl").exists()


def test_the_command_takes_top_and_perplexity(folder, tmp_path, capsys):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "the [MASK] is good"}\n')
    argv = ["predict", f"--model={folder}", f"--input={source}"]
    assert cli.main([*argv, "--top=2"]) == 0
    (mask,) = json.loads(capsys.readouterr().out)["masks"]
    assert len(mask) == 2 and mask[0]["probability"] >= mask[1]["probability"]
    assert cli.main([*argv, "--perplexity"]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"] == 9  # a bracket, m, ##a, ##s, ##k, ...
    assert cli.main([*argv, "--perplexity", "--top=2"]) == 2
    assert cli.main([*argv, "--top=0"]) == 2
    assert "--top is '0'" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--top=2", "--perplexity"])
def test_a_classifier_predicts_no_masked_words(flag, tmp_path, capsys):
    tiny.save(tmp_path / "model")
    (tmp_path / "in.txt").write_text("good\n")
    argv = [f"--model={tmp_path / 'model'}", f"--input={tmp_path / 'in.txt'}", flag]
    assert cli.main(["predict", *argv]) == 2
    told = capsys.readouterr().err
    assert flag.split("=")[0] in told and told.count("\n") == 1


def test_a_model_of_masked_words_chooses_among_the_choices_of_json_lines(folder, tmp_path):
    rows = [{"text": "the ___ is good", "options": ["film", "end"]}]
    rows += [{"text": "a [MASK]", "options": ["bad story", "film", "two"]}]
    found = asked(folder, tmp_path, map(json.dumps, rows), choices="options")
    model, tokenizer = load_task(folder), Tokenizer.from_pretrained(folder)
    model.data_settings = {**model.data_settings, "choices": "choices"}
    texts, choices = zip(*(row.values() for row in rows), strict=True)
    want = answer_with(model, tokenizer).records(list(texts), list(choices))
    for got, wanted, row in zip(found, want, rows, strict=True):
        assert got == {**wanted, "text": row["text"], "choices": row["options"]}


def test_a_model_that_reads_from_left_to_right_has_a_perplexity_too(tmp_path):
    config = Gpt2Config(**tiny.sizes(vocab_size=len(tiny.vocabulary()) + 2))
    model = oracles.randomize(CausalLM(build_encoder(config)))
    tokenizer = tiny.tokenizer(tmp_path / "vocabulary")
    model.save_pretrained(str(tmp_path / "model"), tokenizer)
    (tmp_path / "in.txt").write_text("a bad film\ngood\n")
    predict(
        str(tmp_path / "model"), str(tmp_path / "in.txt"), str(tmp_path / "out"), perplexity=True
    )
    for line in map(json.loads, (tmp_path / "out").read_text().splitlines()):
        ids = tokenizer([line["text"]])["input_ids"].numpy()
        logits = np.asarray(model({"input_ids": ids}), float)[0, :, : tokenizer.vocab_size]
        words = ids[0, 1:]
        want = [np.log(oracles.softmax(x))[word] for x, word in zip(logits, words, strict=False)]
        assert line["tokens"] == len(words)
        assert line["log_likelihood"] == pytest.approx(sum(want), abs=1e-4)
        assert line["perplexity"] == pytest.approx(np.exp(-np.mean(want)), rel=1e-4)
    (tmp_path / "in.txt").write_text("good\n" + "a " * 12)
    with pytest.raises(InputError, match="line 2: 14 tokens, the model takes 10"):
        predict(str(tmp_path / "model"), str(tmp_path / "in.txt"), perplexity=True)
