"""Headlines of news: tables of texts and their titles, and ROUGE of what writes no headline.

    python benchmarks/headlines.py --input='wikinews_en/wiki_*' --output=headlines
    bert-tf finetune --config=configs/finetune/headlines.yaml --workdir=headlines/run
    bert-tf evaluate --model=headlines/run/model --data=headlines/held_out.jsonl

Makes train.jsonl, validation.jsonl and held_out.jsonl, a text as `source` and its title as `target`
of each line. Prints of the held-out part the figures of each text's first sentence, and of as many
of its first words as titles have at the median, to stand beside what `bert-tf evaluate` tells.
"""

import argparse
import glob
import html
import json
import os
import re
import statistics

from bert_tf.data import order
from bert_tf.tasks.text_metrics import text_metrics
from bert_tf.text.sentences import split_sentences

# Rows of the validation and of the held-out part.
MEASURED = 500
_MARKUP = re.compile(r"<[^>]*>|\{\{[^}]*\}\}|__[A-Z]+__")
# Pages that are no news, such as "Wikinews:Water cooler", and collections of news.
_OTHER = re.compile(r"\w[\w ]*:\S|Wikinews Shorts|News briefs|On the campaign trail")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", required=True, help="files of JSON lines with title and text")
    parser.add_argument("--output", required=True, help="the folder for the tables")
    given = parser.parse_args()
    rows = news(sorted(glob.glob(given.input)))
    rows = [rows[number] for number in order.shuffled(len(rows), 1, order.SPLIT)]
    held_out, validation = rows[:MEASURED], rows[MEASURED : 2 * MEASURED]
    os.makedirs(given.output, exist_ok=True)
    parts = {"held_out": held_out, "validation": validation, "train": rows[2 * MEASURED :]}
    for name, part in parts.items():
        with open(os.path.join(given.output, f"{name}.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        print(f"{name:10}  {len(part)} rows")
    titles = [row["target"] for row in held_out]
    usual = int(statistics.median(len(title.split()) for title in titles))
    first = [split_sentences(row["source"])[0] for row in held_out]
    cut = [" ".join(row["source"].split()[:usual]) for row in held_out]
    for name, written in (("first sentence", first), (f"first {usual} words", cut)):
        figures = text_metrics(written, titles)
        print(f"{name:14}  " + "  ".join(f"{key} {value:.2f}" for key, value in figures.items()))


def news(files):
    """Texts and their titles, list of dict: each title once, texts of 300 characters at least."""
    found = {}
    for path in files:
        with open(path, encoding="utf-8") as lines:
            for page in map(json.loads, lines):
                title, text = cleaned(page["title"]), cleaned(page["text"])
                words = len(title.split())
                if 4 <= words <= 16 and len(text) >= 300 and text[0] not in ",.;:)":
                    if not _OTHER.match(title):
                        found.setdefault(title, {"source": text, "target": title})
    return list(found.values())


def cleaned(text):
    """Text without what is left of markup, on one line."""
    return " ".join(_MARKUP.sub("", html.unescape(text)).split())


if __name__ == "__main__":
    main()
