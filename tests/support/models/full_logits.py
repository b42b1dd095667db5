"""A model's results on frozen samples, by its own eager attention and full logits."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from lccp_evaluator.sampling.samples import FrozenSamples, Sample


class FullLogits:
    """The model in `directory`, read in the plainest way: one pass a sample, all logits."""

    def __init__(self, directory: Path) -> None:
        loaded = AutoModelForCausalLM.from_pretrained(directory, attn_implementation="eager")
        self._model = loaded.eval()

    @property
    def windows(self) -> list[float]:
        """Tokens that a row of each layer sees, itself included."""
        config = self._model.config
        kinds = (
            getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
        )
        return [
            config.sliding_window if kind == "sliding_attention" else float("inf") for kind in kinds
        ]

    def token_nll(self, ids: Iterable[int]) -> np.ndarray:
        """NLL of every token but the first, given all before it [L - 1], in nats."""
        whole = torch.tensor(np.array(ids, dtype=np.int64))[None]
        with torch.no_grad():
            log_probabilities = self._model(whole).logits[0, :-1].float().log_softmax(-1)
        return -log_probabilities.gather(1, whole[0, 1:, None])[:, 0].numpy()

    def best(self, ids: Iterable[int]) -> np.ndarray:
        """The token that is likeliest after each [L]."""
        whole = torch.tensor(np.array(ids, dtype=np.int64))[None]
        with torch.no_grad():
            return self._model(whole).logits[0].argmax(-1).numpy()

    def attention(self, ids: Iterable[int]) -> np.ndarray:
        """Attention weights [layers, heads, L, L]."""
        whole = torch.tensor(np.array(ids, dtype=np.int64))[None]
        with torch.no_grad():
            layers = self._model(whole, output_attentions=True).attentions
        return torch.cat(layers).numpy()

    @contextmanager
    def without(self, heads: Iterable[tuple[int, int]]) -> Iterator[None]:
        """Zero, in what each layer projects, the part of its `heads` (layer, head)."""
        config, handles = self._model.config, []
        for layer, head in heads:
            attention = self._model.model.layers[layer].self_attn
            size = attention.o_proj.in_features // config.num_attention_heads
            part = slice(head * size, (head + 1) * size)

            def zero(_module: Any, inputs: tuple[torch.Tensor], part: slice = part) -> Any:
                given = inputs[0].clone()
                given[..., part] = 0
                return (given,)

            handles.append(attention.o_proj.register_forward_pre_hook(zero))
        yield
        for handle in handles:
            handle.remove()


class Read:
    """Samples of a probe, as they lie in `out`, and their NLLs by full logits."""

    def __init__(self, model: FullLogits, out: Path, probe: str) -> None:
        (path,) = (out / "samples" / probe).glob("*.jsonl.gz")
        self.frozen = FrozenSamples.from_bytes(path.read_bytes(), probe)
        self.samples = self.frozen.samples
        self._model = model

    def ids(self, sample: Sample) -> list[int]:
        return self.frozen.passage(sample).ids.tolist()

    @cached_property
    def answers(self) -> list[np.ndarray]:
        """NLL of each token of each sample's answer."""
        return [
            self._model.token_nll(self.ids(one))[one.answer[0] - 1 : one.answer[1] - 1]
            for one in self.samples
        ]

    @cached_property
    def nll(self) -> np.ndarray:
        """Mean NLL of each sample's answer."""
        return np.array([answer.mean() for answer in self.answers])

    @cached_property
    def is_arg_max(self) -> list[np.ndarray]:
        """Whether each token of each sample's answer is the likeliest."""
        found = []
        for one in self.samples:
            ids = self.ids(one)
            best = self._model.best(ids)[one.answer[0] - 1 : one.answer[1] - 1]
            found.append(best == np.array(ids[slice(*one.answer)]))
        return found
