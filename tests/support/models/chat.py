"""Tokenizers and chat templates for the tests of fine-tuning."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

MARKED = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Marks around every message."""

THINKING = (
    "{% for message in messages %}<|{{ message.role }}|>"
    "{% if message.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ message.content | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""An empty thought is put before the last answer alone, as Qwen 3's template does."""

CALLING = (
    "{% for tool in tools or [] %}{{ tool.name }}: {% endfor %}"
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}"
    "{% for call in message.calls %}<call>{{ call }}{% endfor %}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Tools come first, and calls after the text of an answer."""

DROPPING = "{% for message in messages %}{{ message.role }}\n{% endfor %}"
ELSEWHERE = (
    "{% if add_generation_prompt %}go on:{% endif %}"
    "{% for message in messages %}{{ message.content }}{% endfor %}"
)
REFUSING = "{{ raise_exception('roles must alternate') }}"


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE that merges across words' beginnings, with a token that ends a text."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = ["<eos>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(["the answer is that the question was " * 20], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>")
