"""Word vectors: how well they tell alike words, and words a second beside gensim's.

    R='--records=word2vec/records --tokenizer=word2vec/vocab'
    python benchmarks/word2vec.py text $R --output=word2vec/text.txt
    python benchmarks/word2vec.py speed $R --threads=1
    gensim/bin/python benchmarks/worker_gensim.py word2vec/text.txt word2vec/gensim.txt 1 5
    python benchmarks/word2vec.py alike --data=gensim/test/test_data \\
      --vectors word2vec/vectors/vectors.txt word2vec/gensim.txt

`text` writes the words of records, a row a line, so that gensim reads the same ones. `speed` runs
the train step of configs/pretrain/word2vec.yaml and counts words of the rows, those that are left
out too, as gensim counts them. `alike` gives Spearman's correlation with WordSim-353 and
SimLex-999, over the pairs whose words are all known to every file, and neighbours of some words.
"""

import argparse
import os
import pathlib
import time

import numpy as np

CONFIG = pathlib.Path(__file__).parents[1] / "configs" / "pretrain" / "word2vec.yaml"
SETS = {"WordSim-353": "wordsim353.tsv", "SimLex-999": "simlex999.txt"}
WORDS = "king horse london seven green wrote sea monday minister money".split()


def main(argv=None):
    """Runs one of the parts; returns the exit code."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("part", choices=("text", "speed", "alike"))
    flags.add_argument("--records")
    flags.add_argument("--tokenizer")
    flags.add_argument("--output")
    flags.add_argument("--threads", type=int, default=1)
    flags.add_argument("--steps", type=int, default=200)
    flags.add_argument("--vectors", nargs="+")
    flags.add_argument("--data", help="gensim's test data")
    flags.add_argument("--words", nargs="+", default=WORDS)
    flags = flags.parse_args(argv)
    {"text": text, "speed": speed, "alike": alike}[flags.part](flags)
    return 0


def opened(flags):
    """(RecordTable, Tokenizer) of the records."""
    from bert_tf import Tokenizer
    from bert_tf.pretraining_data.records.table import RecordTable

    tokenizer = Tokenizer.from_pretrained(flags.tokenizer)
    return RecordTable(flags.records, tokenizer), tokenizer


def text(flags):
    """Writes the words of the records, special and unknown ones aside."""
    import tensorflow as tf

    table, tokenizer = opened(flags)
    words = np.array(tokenizer.vocabulary, object)
    special = [tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.unk_id]
    with open(flags.output, "w", encoding="utf-8") as file:
        for start in range(0, len(table), 4096):
            rows = np.arange(start, min(start + 4096, len(table)))
            for ids in table.parse(tf.constant(table.read(rows)))["input_ids"].numpy():
                file.write(" ".join(words[ids[~np.isin(ids, special)]]) + "\n")


def speed(flags):
    """Prints words a second of the train step, the reading of records included."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(flags.threads)
    tf.config.threading.set_inter_op_parallelism_threads(flags.threads)
    from bert_tf import SkipGram, Word2VecConfig, build_encoder
    from bert_tf.config import PretrainConfig, load
    from bert_tf.pretraining_data.batches import pretraining_batches
    from bert_tf.pretraining_data.hidden import known_of
    from bert_tf.recipes.finetune import compile_model
    from bert_tf.training.loop import step_function

    config = load(PretrainConfig, str(CONFIG), [f"model.tokenizer={flags.tokenizer}"])
    table, tokenizer = opened(flags)
    known = known_of("skip_gram", tokenizer, table, config.skip_gram)
    size = config.train.batch_size
    batches = pretraining_batches(
        table, config.skip_gram, known, batch_size=size, seed=1, words="skip_gram"
    )
    sizes = {"vocab_size": tokenizer.vocab_size, **config.model.changes}
    model = SkipGram(build_encoder(Word2VecConfig(**sizes)))
    compile_model(model, config.train, 10_000, 1_000)
    run = step_function(model, tf.distribute.get_strategy(), batches.element_spec)
    iterator, stop = iter(batches), tf.constant(False)
    for _ in range(20):
        run(next(iterator), stop)
    begin, cpu = time.perf_counter(), time.process_time()
    for _ in range(flags.steps):
        run(next(iterator), stop)
    took, cpu = time.perf_counter() - begin, time.process_time() - cpu
    counts = table.token_counts(tokenizer.vocab_size)
    special = [tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.unk_id]
    words = (counts.sum() - counts[special].sum()) / len(table) * size * flags.steps
    print(
        f"bert_tf, {flags.threads} threads: {words / took:,.0f} words/s, "
        f"{words / cpu:,.0f} a second of the processor"
    )


def alike(flags):
    """Prints correlations and neighbours of each file of vectors."""
    from bert_tf import read_word_vectors

    files = {}
    for path in flags.vectors:
        words, vectors = read_word_vectors(path)
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        files[path] = {word: row for row, word in enumerate(words)}, vectors
    everywhere = set.intersection(*(set(ids) for ids, _ in files.values()))
    for title, file in SETS.items():
        pairs, total = known_pairs(os.path.join(flags.data, file), everywhere)
        for path, (ids, vectors) in files.items():
            ours = [vectors[ids[one]] @ vectors[ids[other]] for one, other, _ in pairs]
            figure = spearman(ours, [score for *_, score in pairs])
            print(f"{title}, {len(pairs)} of {total} pairs, {path}: {figure:.3f}")
    for path, (ids, vectors) in files.items():
        names = list(ids)
        for word in flags.words:
            if word in ids:
                nearest = np.argsort(-(vectors @ vectors[ids[word]]))[1:7]
                print(f"{path}: {word}: {' '.join(names[i] for i in nearest)}")


def known_pairs(path, words):
    """list of (word, word, score) of a file of gensim's test data, and how many it has."""
    with open(path, encoding="utf-8") as file:
        rows = [line.lower().split("\t") for line in file if not line.startswith("#")]
    rows = [row for row in rows if len(row) >= 3 and row[2].strip().replace(".", "").isdigit()]
    pairs = [(one, other, float(score)) for one, other, score, *_ in rows]
    return [pair for pair in pairs if {pair[0], pair[1]} <= words], len(pairs)


def spearman(one, other):
    """Spearman's correlation of two lists, ties by their mean rank."""
    ranked = []
    for values in (np.asarray(one), np.asarray(other)):
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        ranked.append((ends - (counts - 1) / 2)[place])
    return float(np.corrcoef(*ranked)[0, 1])


if __name__ == "__main__":
    raise SystemExit(main())
