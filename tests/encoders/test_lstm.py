"""LSTMs: the contract of an encoder, the formulas in numpy, the decoder that attends."""

import numpy as np
import oracles
import pytest
from contract import each_check, encoder_of

from bert_tf import InputError, LstmConfig, Seq2Seq, build_encoder, load_task
from bert_tf.layers import new_key

SIZES = dict(vocab_size=23, hidden_size=12, num_hidden_layers=2, max_position_embeddings=16)
INPUTS = {
    "input_ids": np.array([[2, 9, 11, 8, 3], [2, 7, 3, 0, 0]], "int32"),
    "attention_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "int32"),
    "decoder_input_ids": np.array([[2, 12, 6, 10], [2, 5, 4, 7]], "int32"),
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(cell, read, hidden, memory):
    """One step of an LSTMCell; `read` is what its input gates gave."""
    gates = read + hidden @ oracles.get(cell, "recurrent")
    enter, forget, new, leave = np.split(gates, 4)
    memory = sigmoid(forget + 1) * memory + sigmoid(enter) * np.tanh(new)
    return sigmoid(leave) * np.tanh(memory), memory


def made(**decoder):
    encoder = build_encoder(LstmConfig(**SIZES))
    given = {"model_type": "lstm", "bos_token_id": 2, "eos_token_id": 3} | decoder
    return oracles.randomize(Seq2Seq(encoder, given))


@each_check
def test_lstms_keep_the_contract_of_encoders(check):
    check(encoder_of(LstmConfig(**SIZES)))


def test_an_lstm_is_its_papers_in_numpy():
    encoder = encoder_of(LstmConfig(**SIZES))
    states = encoder(INPUTS, return_intermediates=True)["hidden_states"]
    for block, before, behind in zip(encoder.blocks, states[:-1], states[1:], strict=True):
        hidden = memory = np.zeros(12)
        for place in range(5):
            read = oracles.linear(block.cell, "input_gates", np.asarray(before[0, place]))
            hidden, memory = lstm_step(block.cell, read, hidden, memory)
            np.testing.assert_allclose(behind[0, place], hidden, atol=1e-5)


def in_numpy(model, row):
    """The attentional vectors and shares of one row (Luong et al. 2015, eq. 4, 5, 7 and 8)."""
    config, block = model.writer.config, model.writer.blocks[0]
    source = {name: INPUTS[name][row : row + 1] for name in ("input_ids", "attention_mask")}
    real = int(source["attention_mask"].sum())
    memory = np.asarray(model(source)[0], np.float64)[:real]
    begun = np.tanh(oracles.linear(block, "bridge", memory[-1])).reshape(4, 12)
    hidden, cells, vector = list(begun[:2]), list(begun[2:]), np.zeros(12)
    table = oracles.get(model, "writer.embeddings.word_embeddings")
    vectors, shares = [], []
    for word in INPUTS["decoder_input_ids"][row]:
        read = oracles.linear(block.cells[0], "input_gates", table[word])
        if config.input_feeding:
            read = read + vector @ oracles.get(block, "feed.kernel")
        for number, cell in enumerate(block.cells):
            if number:
                read = oracles.linear(cell, "input_gates", hidden[number - 1])
            hidden[number], cells[number] = lstm_step(cell, read, hidden[number], cells[number])
        top = hidden[-1]
        if config.score == "dot":
            scores = memory @ top
        elif config.score == "general":
            scores = memory @ oracles.get(block, "score_kernel") @ top
        else:
            both = np.concatenate([np.tile(top, (real, 1)), memory], axis=1)
            both = np.tanh(both @ oracles.get(block, "score_kernel"))
            scores = both @ oracles.get(block, "score_vector")
        shares.append(oracles.softmax(scores))
        read = np.concatenate([shares[-1] @ memory, top])
        vector = np.tanh(read @ oracles.get(block, "combine.kernel"))
        vectors.append(vector)
    return np.stack(vectors), np.stack(shares)


@pytest.mark.parametrize(("score", "feeds"), [("general", True), ("dot", False), ("concat", True)])
def test_its_decoder_is_luong_s_in_numpy_at_once_and_word_by_word(score, feeds):
    model = made(score=score, input_feeding=feeds)
    memory = model({name: INPUTS[name] for name in ("input_ids", "attention_mask")})
    told = {"memory": memory, "memory_mask": INPUTS["attention_mask"]}
    ids = INPUTS["decoder_input_ids"]
    outputs = model.writer({"input_ids": ids, **told}, return_intermediates=True)
    assert "attentions" not in outputs
    (shares,) = outputs["cross_attentions"]
    assert shares.shape == (2, 1, 4, 5)
    for row, real in enumerate((5, 3)):
        vectors, want = in_numpy(model, row)
        np.testing.assert_allclose(outputs["sequence_output"][row], vectors, atol=2e-5)
        np.testing.assert_allclose(shares[row, 0, :, :real], want, atol=1e-5)
    cache = ()
    for place in range(4):
        read = {"input_ids": ids[:, place : place + 1], **(told if not cache else {})}
        got = model.writer(read, cache=cache)
        cache = got["cache"]
        want = outputs["sequence_output"][:, place]
        np.testing.assert_allclose(got["sequence_output"][:, 0], want, atol=1e-5)


def test_a_model_of_lstms_writes_is_saved_and_drops_out_by_its_key(tmp_path):
    model = made()
    rows = [[2, 9, 11, 8, 3], [2, 7, 3]]
    written = model.generate(rows, max_new_tokens=4)
    for row, words in zip(rows, written, strict=True):
        read = [2]
        for word in words:
            inputs = {"input_ids": np.array([row]), "decoder_input_ids": np.array([read])}
            assert word == int(np.argmax(model(inputs)[0, -1]))
            read.append(word)
    model.save_pretrained(str(tmp_path))
    back = load_task(tmp_path)
    np.testing.assert_array_equal(back(INPUTS), model(INPUTS))
    first, again, other = (model(INPUTS, training=True, key=new_key(3, x)) for x in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"score": "product"}, "score: 'product', wanted one of dot, general, concat"),
        ({"num_attention_heads": 2}, "num_attention_heads: 2, wanted 0: a lstm has none"),
    ],
)
def test_a_value_that_no_lstm_can_have_is_one_line(changes, told):
    with pytest.raises(InputError, match=told):
        LstmConfig(**SIZES | changes)
