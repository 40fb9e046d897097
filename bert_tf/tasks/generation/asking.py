"""`generate` of the tasks that write texts: what may be asked, and one graph for each way of it.

A task that writes has `generation`, `tokenizer`, `written_positions` int, `end_id` int or None,
`longest_prompt(settings)` int, and two functions in the graph: `continued(ids, mask, settings,
words)`, int32 [B, n] behind prompts padded on the left, and `continued_texts(texts, tokenizer,
settings)`, strings to strings.
"""

from bert_tf.errors import InputError
from bert_tf.tasks.causal_rows import on_the_right, start_and_end
from bert_tf.tasks.generation.loop import Words
from bert_tf.tasks.generation.settings import generation_of
from bert_tf.training.written_gradients import kept_by_graph


def settings_of(model, changes):
    """Generation of a model with some attributes changed.

    Raises:
      InputError: a setting is none or cannot be, or there are fewer positions than words.
    """
    most = model.written_positions
    given = {**(model.generation or {}), **changes}
    settings = generation_of({"max_new_tokens": min(64, most // 2), **given})
    if settings.max_new_tokens >= most:
        raise InputError(
            f"max_new_tokens: {settings.max_new_tokens}, and the model has {most} positions"
        )
    return settings


def words_of(model, tokenizer, settings):
    """Words of a model's vocabulary; without a tokenizer as far as its config tells."""
    size = model.encoder.config.vocab_size
    if tokenizer is None:
        ends = (model.end_id, getattr(model, "start_id", None))
        end, start = (x if x is not None and x < size else None for x in ends)
        return Words(end, 0, size, start=start)
    start, end = start_and_end(tokenizer)
    surfaces = tokenizer.pieces.surfaces() if settings.stop else None
    begin = end if start is None else start
    return Words(end, tokenizer.pad_id, tokenizer.vocab_size, surfaces, begin)


def ask(model, prompts, tokenizer, changes):
    """What a model writes behind, or of, texts or rows of ids; see `CausalLM.generate`."""
    settings, tokenizer = settings_of(model, changes), tokenizer or model.tokenizer
    if not len(prompts):
        return []
    texts = all(isinstance(prompt, str) for prompt in prompts)
    if tokenizer is None and (texts or settings.stop):
        raise InputError("tokenizer: None, wanted that of the model, to read and write texts")
    function = _graph(model, settings, texts, tokenizer)
    if texts:
        import tensorflow as tf

        found = function(tf.constant([text.encode("utf-8", "replace") for text in prompts]))
        return [text.decode() for text in found.numpy()]
    most = model.longest_prompt(settings)
    for row, prompt in enumerate(prompts):
        if not 1 <= len(prompt) <= most:
            raise InputError(f"prompts[{row}]: {len(prompt)} ids, wanted 1 to {most}")
    end = words_of(model, tokenizer, settings).end
    rows = function(*_padded(prompts)).numpy().tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def _graph(model, settings, texts, tokenizer):
    """The graph that answers, kept with the model; weights and settings of rows may change."""
    import tensorflow as tf

    key = (settings, texts, tokenizer and id(tokenizer), str(sorted(model.data_settings.items())))
    if key in model.graphs:
        return model.graphs[key]
    if texts:

        def run(texts):
            with kept_by_graph():
                return model.continued_texts(texts, tokenizer, settings)

        signature = [tf.TensorSpec([None], tf.string)]
    else:
        words = words_of(model, tokenizer, settings)

        def run(ids, mask):
            with kept_by_graph():
                return model.continued(ids, mask, settings, words)

        signature = [tf.TensorSpec([None, None], tf.int32)] * 2
    graph = tf.function(run, input_signature=signature, autograph=False)
    model.graphs[key] = graph.get_concrete_function()
    return model.graphs[key]


def _padded(prompts):
    import tensorflow as tf

    rows = tf.ragged.constant([list(map(int, prompt)) for prompt in prompts], tf.int32)
    return on_the_right(rows)
