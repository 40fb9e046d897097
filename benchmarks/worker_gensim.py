"""Worker: skip-gram with gensim, at the settings of configs/pretrain/word2vec.yaml.

usage: worker_gensim.py TEXT VECTORS THREADS EPOCHS

TEXT has a row a line, its words with spaces between, and is read from the disk in every epoch.
"""

import sys
import time

from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence


def main(text, vectors, threads, epochs):
    model = Word2Vec(
        vector_size=100,
        window=5,
        negative=5,
        sample=1e-3,
        sg=1,
        min_count=1,
        workers=int(threads),
        epochs=int(epochs),
        seed=1,
    )
    sentences = LineSentence(text)
    model.build_vocab(sentences)
    begin, cpu = time.perf_counter(), time.process_time()
    _, words = model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)
    took, cpu = time.perf_counter() - begin, time.process_time() - cpu
    model.wv.save_word2vec_format(vectors)
    print(
        f"gensim, {threads} threads: {words / took:,.0f} words/s, "
        f"{words / cpu:,.0f} a second of the processor"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
