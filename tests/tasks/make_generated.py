"""What transformers generates with the model of `generated.model`; writes generated.json.

Run with transformers and torch beside this package: python -m tests.tasks.make_generated
(transformers 5.23.0, torch 2.13.0).
"""

import json
import tempfile

from tests.tasks import generated


def theirs(model, prompts, **settings):
    """The ids that transformers generates behind prompts, list of lists, the end included."""
    import torch
    import transformers

    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        other = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    longest, rows = max(map(len, prompts)), []
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    settings.setdefault("do_sample", False)
    made = other.generate(
        input_ids=ids,
        attention_mask=mask,
        pad_token_id=0,
        eos_token_id=generated.END,
        max_new_tokens=settings.pop("max_new_tokens", generated.LENGTH),
        **settings,
    )
    for row in made[:, longest:].tolist():
        rows.append(row[: row.index(generated.END) + 1] if generated.END in row else row)
    return rows


if __name__ == "__main__":
    model = generated.model()
    found = {name: theirs(model, generated.PROMPTS, **x) for name, x in generated.CASES.items()}
    generated.FILE.write_text(json.dumps(found, indent=0) + "\n")
