"""Files of word vectors: both formats there and back, models of them, and files that lie."""

import gzip
import json

import numpy as np
import pytest

import bert_tf
from bert_tf import InputError, Tokenizer, cli, read_word_vectors, write_word_vectors
from bert_tf.conversion.word2vec_file import is_word_vectors

WORDS = ["the", "naïve", "猫", "New_York", "U.S."]
VECTORS = np.random.default_rng(0).standard_normal((5, 7)).astype("float32")
# As gensim 4.4 writes them: KeyedVectors(2), "a" and "é" at [1, 0.1] and [-2.5, 1e-8], by
# save_word2vec_format, text and binary.
GENSIM_TEXT = "2 2\na 1.0 0.1\né -2.5 1e-08\n".encode()
GENSIM_BINARY = b"2 2\na " + np.array([1, 0.1], "<f4").tobytes() + "é ".encode()
GENSIM_BINARY += np.array([-2.5, 1e-8], "<f4").tobytes()


@pytest.fixture(params=[False, True], ids=["text", "binary"])
def file(request, tmp_path):
    file = tmp_path / ("vectors.bin" if request.param else "vectors.txt")
    write_word_vectors(file, WORDS, VECTORS, binary=request.param)
    return file


def test_what_is_written_is_read_bit_for_bit(file):
    words, vectors = read_word_vectors(file)
    assert words == WORDS and vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, VECTORS)
    (file.parent / "packed.gz").write_bytes(gzip.compress(file.read_bytes()))
    np.testing.assert_array_equal(read_word_vectors(file.parent / "packed.gz")[1], VECTORS)


@pytest.mark.parametrize("content", [GENSIM_TEXT, GENSIM_BINARY], ids=["text", "binary"])
def test_gensims_files_are_read_and_written(content, tmp_path):
    (tmp_path / "theirs").write_bytes(content)
    words, vectors = read_word_vectors(tmp_path / "theirs")
    assert words == ["a", "é"]
    np.testing.assert_array_equal(vectors, np.array([[1, 0.1], [-2.5, 1e-8]], "float32"))
    write_word_vectors(tmp_path / "ours", words, vectors, binary=content is GENSIM_BINARY)
    assert (tmp_path / "ours").read_bytes() == content


def test_word2vecs_own_line_breaks_are_read(tmp_path):
    numbers = np.array([1.5], "<f4").tobytes()
    for content in (b"2 1\na " + numbers + b"\nb " + numbers + b"\n", b"2 1\na 1.5 \nb 1.5 \n"):
        (tmp_path / "x").write_bytes(content)
        assert read_word_vectors(tmp_path / "x")[0] == ["a", "b"]


ONE = np.array([1.0], "<f4").tobytes()
BAD = {
    b"": "line 1: wanted how many vectors",
    b"the 0.1 0.2\n": "line 1: wanted how many vectors",
    b"0 3\n": "line 1: wanted how many vectors",
    b"1 999999999\n": "line 1: wanted how many vectors there are and their width, at most 100000",
    b"999999999999 3\na 1 2 3\n": "line 1: tells of 999999999999 vectors, .* the file has 23",
    b"2 2\na 1 2\n\n\n\n\n\n\n\n": "ends behind 1 of the 2 vectors",
    b"1 2\na 1 2\nb 1 2\n": "line 3: more vectors than the 1 that line 1 tells of",
    b"2 2\na 1 2\nb 1\n    ": "line 3: 1 numbers behind a word, wanted 2",
    b"2 3\na 1 2 3\nb 1 2 x\n": "line 3: b'x' is no number",
    b"1 2\na 1 1.2.3\n": "line 2: b'1.2.3' is no number",
    b"2 2\na 1 2\nb 1 nan\n": "the vector of 'b': a number is not finite",
    b"1 2\na\xff 1 2\n": "line 2: byte 2 of the word is not UTF-8",
    b"1 1\n\xe9 " + ONE: "vector 1 of 1: byte 1 of the word is not UTF-8",
    b"2 1\na " + ONE + b"bcd " + ONE[:2]: "vector 2 of 2: the file ends within it",
    b"1 1\na " + ONE + b"b": "more behind the 1 vectors",
    b"1 1\na " + np.array([np.inf], "<f4").tobytes(): "the vector of 'a': a number is not finite",
    b"1 1\n" + b"\1" * 20_000: "vector 1 of 1: no word, a space and 1 numbers",
}


@pytest.mark.parametrize("content", BAD, ids=lambda content: repr(content)[:40])
def test_a_bad_file_is_one_line(content, tmp_path):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(InputError, match=BAD[content]) as caught:
        read_word_vectors(tmp_path / "bad")
    assert "\n" not in str(caught.value) and str(tmp_path / "bad") in str(caught.value)


def test_a_cut_archive_and_a_missing_file_are_one_line(tmp_path):
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"1 1\na 1\n")[:-9])
    for name in ("cut.gz", "none"):
        with pytest.raises(InputError, match=name):
            read_word_vectors(tmp_path / name)
        assert not is_word_vectors(tmp_path / "none")


@pytest.mark.parametrize(
    ("words", "vectors", "told"),
    [
        (["a b"], [[1.0]], "the word 'a b', wanted one without white space"),
        ([""], [[1.0]], "the word ''"),
        (["a", "a"], [[1.0], [2.0]], "a word stands twice"),
        (["a"], [[np.nan]], "a number is not finite"),
        (["a"], [[1.0], [2.0]], r"1 words and vectors of shape \[2, 1\]"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(words, vectors, told, tmp_path):
    with pytest.raises(InputError, match=told):
        write_word_vectors(tmp_path / "x", words, np.array(vectors))
    assert not list(tmp_path.iterdir())


def test_a_word_that_stands_twice_counts_the_first_time(tmp_path, caplog):
    (tmp_path / "x").write_bytes(b"3 1\na 1\na 2\nb 3\n")
    words, vectors = read_word_vectors(tmp_path / "x")
    assert words == ["a", "b"] and vectors.ravel().tolist() == [1, 3]
    assert "1 words stand twice" in caplog.text


def test_vectors_become_a_model_and_a_model_vectors(file, tmp_path, capsys):
    model, back = tmp_path / "model", tmp_path / "back"
    flags = [f"--source={file}", f"--target={model}", "--format=huggingface"]
    assert cli.main(["convert", *flags]) == 0
    assert "family      word2vec" in capsys.readouterr().out
    assert json.loads((model / "config.json").read_text())["model_type"] == "bert_tf"
    encoder, tokenizer = bert_tf.load_encoder(str(model)), Tokenizer.from_pretrained(model)
    assert tokenizer.vocabulary[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert tokenizer.tokenize("the naïve 猫 cat") == ["the", "naïve", "猫", "[UNK]"]
    vectors = np.asarray(encoder(tokenizer(["the naïve 猫"]))["sequence_output"])[0]
    np.testing.assert_array_equal(vectors[1:-1], VECTORS[:3])
    assert not vectors[[0, -1]].any()
    for source in (file, model):
        format = "word2vec_binary" if file.suffix == ".bin" else "word2vec"
        bert_tf.convert(str(source), str(back / source.name), format, compare=True)
        assert (back / source.name / file.name).read_bytes() == file.read_bytes()


def test_other_models_are_no_word_vectors_nor_these_a_vocabulary(file, tmp_path):
    bert = bert_tf.BertConfig(vocab_size=9, hidden_size=4, num_attention_heads=1)
    bert_tf.build_encoder(bert, num_hidden_layers=1).save_pretrained(str(tmp_path / "bert"))
    with pytest.raises(InputError, match="a bert is more than vectors of words"):
        bert_tf.convert(str(tmp_path / "bert"), str(tmp_path / "x"), "word2vec")
    with pytest.raises(InputError, match="holds word vectors; bert-tf convert makes a model of"):
        Tokenizer.from_pretrained(file)
    with pytest.raises(InputError, match="the family word2vec"):
        bert_tf.convert(str(file), str(tmp_path / "x"), "google")
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "word2vec"}')
    with pytest.raises(InputError, match="model_type: 'word2vec', wanted bert_tf"):
        bert_tf.load_encoder(str(tmp_path / "bert"))
