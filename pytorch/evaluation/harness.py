"""One pass of the harness over one task."""

import json
from collections.abc import Callable
from typing import Any

import torch
from lm_eval import evaluate
from lm_eval.defaults import DEFAULT_OTHER_SEED
from lm_eval.models.huggingface import HFLM
from lm_eval.utils import handle_non_serializable

Share = Callable[[float], None]
"""Takes what share of a pass is done."""


class Harness(HFLM):
    """The harness's own model of transformers, that tells how far it is instead of drawing bars.

    Parameters
    ----------
    model, tokenizer
        Of transformers.
    batch_size : int
    """

    def __init__(self, model: Any, tokenizer: Any, batch_size: int) -> None:
        super().__init__(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
        self.tell: Share = lambda _: None
        self._requests, self._read = 1, 0

    def loglikelihood(self, requests: list[Any]) -> Any:
        """Give the likelihood of each continuation."""
        self._begin(requests)
        return super().loglikelihood(requests, disable_tqdm=True)

    def loglikelihood_rolling(self, requests: list[Any]) -> Any:
        """Give the likelihood of each text."""
        self._begin(requests)
        return super().loglikelihood_rolling(requests, disable_tqdm=True)

    def generate_until(self, requests: list[Any]) -> Any:
        """Give a continuation of each text."""
        self._begin(requests)
        return super().generate_until(requests, disable_tqdm=True)

    def _begin(self, requests: list[Any]) -> None:
        self._requests, self._read = len(requests), 0

    def _loglikelihood_tokens(self, requests: Any, **options: Any) -> Any:
        return super()._loglikelihood_tokens(requests, **options | {"disable_tqdm": True})

    def _model_call(self, inps: Any, *others: Any, **options: Any) -> Any:
        return self._told(super()._model_call(inps, *others, **options), inps)

    def _model_generate(self, context: Any, *others: Any, **options: Any) -> Any:
        return self._told(super()._model_generate(context, *others, **options), context)

    def _told(self, found: Any, texts: Any) -> Any:
        # Texts of several windows are read more than once, and choices of one token all at once.
        self._read = min(self._read + len(texts), self._requests)
        self.tell(self._read / self._requests)
        return found


def run(lm: Harness, tasks: Any, limit: int | None) -> dict[str, Any]:
    """Give the harness's results of tasks as plain values, as they are: samples among them.

    Parameters
    ----------
    lm : Harness
    tasks : dict
        As the harness's `TaskManager` loads them.
    limit : int, optional
        Samples of each task.
    """
    for task in tasks["tasks"].values():  # As the harness's own command does.
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=DEFAULT_OTHER_SEED)
    torch.manual_seed(DEFAULT_OTHER_SEED)
    found = evaluate(lm, tasks, limit=limit)
    plain: dict[str, Any] = json.loads(json.dumps(found, default=handle_non_serializable))
    return plain
