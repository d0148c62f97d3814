"""Tasks of the harness by name: those on texts that this package has, the paper's, and all of its own."""

import difflib
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from datasets import Dataset, disable_progress_bars
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager

from lmul.errors import UserError
from lmul.workloads.texts import passage, questions

PAPER = (
    "mmlu",
    "bbh",
    "arc_challenge",
    "arc_easy",
    "commonsense_qa",
    "openbookqa",
    "piqa",
    "social_iqa",
    "gsm8k",
)
"""The harness's names of the tasks on language of Luo and Sun (arXiv 2410.00907), as far as it has them."""

LISTS = {"paper": PAPER}
"""Words for several tasks."""

PIECE_WORDS = 320
"""Words of a piece of the passage: at most 512 tokens, as usual vocabularies have it."""


def pieces(text: str) -> list[str]:
    """Cut a text into pieces of `PIECE_WORDS` words, the last one shorter: samples that are read alone."""
    words = list(re.finditer(r"\S+", text))
    ends = [part[-1].end() for part in _parts(words, PIECE_WORDS)]
    starts = [part[0].start() for part in _parts(words, PIECE_WORDS)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _parts(values: list[Any], size: int) -> list[list[Any]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _passage() -> list[dict[str, Any]]:
    return [{"text": piece} for piece in pieces(passage())]


def _questions() -> list[dict[str, Any]]:
    return [
        {"prompt": question.prompt, "choices": list(question.choices), "answer": question.answer}
        for question in questions()
    ]


_LOCAL: dict[str, tuple[Callable[[], list[dict[str, Any]]], dict[str, Any]]] = {
    "lmul_passage": (
        _passage,
        {
            "output_type": "loglikelihood_rolling",
            "doc_to_text": "",
            "doc_to_target": "text",
            "metric_list": [
                {
                    "metric": "word_perplexity",
                    "aggregation": "weighted_perplexity",
                    "higher_is_better": False,
                },
                {"metric": "bits_per_byte", "aggregation": "bits_per_byte", "higher_is_better": False},
            ],
        },
    ),
    "lmul_questions": (
        _questions,
        {
            "output_type": "multiple_choice",
            "doc_to_text": "prompt",
            "doc_to_target": "answer",
            "doc_to_choice": "choices",
            "metric_list": [
                {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
                {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
            ],
        },
    ),
}

LOCAL = tuple(_LOCAL)
"""Tasks that need no network: the perplexity of the passage, and the 160 questions with four choices."""


@cache
def manager() -> TaskManager:
    """Find all tasks of the harness, which takes seconds."""
    return TaskManager()


def names(words: Sequence[str]) -> list[str]:
    """Give the names of tasks, each once, lists of them in place of their words.

    Raises
    ------
    UserError
        A name is unknown.
    """
    found = dict.fromkeys(name for word in words for name in LISTS.get(word, (word,)))
    for name in found:
        if name not in LOCAL and name not in manager().task_index:
            raise UserError(f"task {name!r} is unknown: {_hint(name)}")
    return list(found)


def load(name: str) -> Any:
    """Make a task, or those of a group, as the harness evaluates them: data are had from a hub, or read.

    Raises
    ------
    UserError
        The data cannot be had.
    """
    if name in LOCAL:
        return TaskManager(include_defaults=False).load([ConfigurableTask(config=local_config(name))])
    disable_progress_bars()
    try:
        return manager().load([name])
    except Exception as error:  # Each hub and reader of data has errors of its own.
        text = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise UserError(
            f"the data of task {name!r} cannot be had: {text}; without a network take {' or '.join(LOCAL)}"
        ) from error


def _hint(name: str) -> str:
    close = difflib.get_close_matches(name, [*LOCAL, *LISTS, *manager().task_index], 3)
    return (
        f"did you mean {', '.join(close)}?"
        if close
        else f"take {', '.join([*LOCAL, *LISTS])} or the harness's"
    )


def local_config(name: str) -> dict[str, Any]:
    """Give the harness's description of a task of `LOCAL`."""
    documents, config = _LOCAL[name]
    return {
        "task": name,
        "test_split": "test",
        "custom_dataset": lambda **_: {"test": Dataset.from_list(documents())},
        "num_fewshot": 0,
    } | config
