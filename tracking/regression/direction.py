"""Guess from a metric's name which way it gets better."""

from __future__ import annotations

import re

from tracking.model import Direction

LOWER_WORDS = frozenset(
    {
        *("loss", "error", "perplexity", "nll", "mse", "mae", "rmse", "wer"),
        *("logloss", "mlogloss", "deviance", "inertia"),  # of boosting and clustering
    }
)
"""Words that name something to be made small."""

HIGHER_WORDS = frozenset(
    {"acc", "accuracy", "f1", "auc", "precision", "recall", "reward", "score", "bleu"}
)
"""Words that name something to be made large."""

# Between words: anything but letters and digits, the hump of valAcc, the last capital of MSELoss.
_BOUNDARY = re.compile(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def infer_direction(metric_name: str) -> Direction:
    """Return the direction that the words of a metric's name agree on.

    A number at the end of a word does not hide it (`acc1`, `loss_2`). Names without a word that
    is clear, or with words that contradict each other, give BOTH: any change counts.

    >>> [str(infer_direction(name)) for name in ("train_loss", "valAcc", "F1Loss", "lr")]
    ['lower', 'higher', 'both', 'both']
    """
    words = {word.lower() for word in _BOUNDARY.split(metric_name)}
    words |= {word.rstrip("0123456789") for word in words}
    is_lower = not words.isdisjoint(LOWER_WORDS)
    is_higher = not words.isdisjoint(HIGHER_WORDS)
    if is_lower == is_higher:
        return Direction.BOTH
    return Direction.LOWER if is_lower else Direction.HIGHER
