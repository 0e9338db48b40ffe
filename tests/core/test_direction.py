"""The direction inferred from a metric's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.model import Direction
from tracking.regression.direction import HIGHER_WORDS, LOWER_WORDS, infer_direction

CASES = {
    Direction.LOWER: (
        "loss",
        "train_loss",
        "trainLoss",
        "LOSS",
        "MSELoss",
        "NLLLoss",
        "val/MSE",
        "eval.rmse",
        "loss_2",
        "loss2",
        "word error rate",
        "test-WER",
        "größeLoss",
        "val_loss/mae",
    ),
    Direction.HIGHER: (
        "acc",
        "valAcc",
        "topkAcc1",
        "acc@5",
        "top5Acc",
        "F1",
        "f1",
        "F1Score",
        "f1_macro",
        "valF1",
        "roc_auc",
        "episode_reward",
        "BLEU4",
    ),
    Direction.BOTH: (
        "",
        "lr",
        "grad_norm",
        "F1Loss",
        "accuracy_error",
        "score-loss",
        "glossary",
        "accelerate",
        "scored",
        "f",
        "f2",
        "errors",
        "42",
    ),
}


@pytest.mark.parametrize(
    ("name", "direction"), [(name, direction) for direction in CASES for name in CASES[direction]]
)
def test_clear_words_decide_and_anything_else_is_both(name, direction):
    assert infer_direction(name) is direction


def test_the_word_lists_do_not_contradict_each_other():
    assert LOWER_WORDS.isdisjoint(HIGHER_WORDS)


@pytest.mark.parametrize("word", sorted(LOWER_WORDS | HIGHER_WORDS))
@pytest.mark.parametrize("pattern", ["{}", "val_{}", "{}_2", "a/{}/b", "{}@7"])
def test_every_listed_word_is_found_wherever_it_stands(word, pattern):
    expected = Direction.LOWER if word in LOWER_WORDS else Direction.HIGHER
    assert infer_direction(pattern.format(word)) is expected
    assert infer_direction(pattern.format(word.upper())) is expected


@given(st.text(), st.sampled_from(sorted(LOWER_WORDS)), st.sampled_from(sorted(HIGHER_WORDS)))
def test_words_of_both_lists_give_both_whatever_stands_beside_them(text, lower, higher):
    assert infer_direction(f"{lower} {text} {higher}") is Direction.BOTH
