"""The callback for the trainer of Transformers, against a model that is made here."""

from __future__ import annotations

import pytest

from tracking import SummaryWriter

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("default", "error::tracking.TrackingWarning"),
]


@pytest.fixture
def transformers():
    import transformers

    return transformers


@pytest.fixture
def train(transformers, tmp_path):
    """Train a model with callbacks and return the trainer."""
    import torch

    def train(*callbacks):
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=32,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=16,
        )
        tokens = torch.randint(0, 32, (16, 8))
        data = [{"input_ids": row, "labels": row[0] % 2} for row in tokens]
        trainer = transformers.Trainer(
            transformers.BertForSequenceClassification(config),
            transformers.TrainingArguments(
                str(tmp_path / "model"),
                num_train_epochs=2,
                logging_steps=1,
                eval_strategy="epoch",
                save_strategy="no",
                report_to=[],
                use_cpu=True,
                disable_tqdm=True,
            ),
            train_dataset=data,
            eval_dataset=data[:8],
            callbacks=list(callbacks),
        )
        trainer.train()
        return trainer

    return train


def test_the_log_is_recorded_at_the_trainers_steps(train, tracker):
    history = train(tracker.callback("transformers")).state.log_history
    for metric, entry in {"train/loss": "loss", "eval/loss": "eval_loss"}.items():
        logged = [(logs["step"], logs[entry]) for logs in history if entry in logs]
        assert len(logged) in (2, 4)
        assert tracker.series(metric) == logged
    assert tracker.params() == {}


@pytest.mark.parametrize("speed", [False, True])
def test_names_and_values_are_those_of_its_tensorboard_charts(speed, transformers, train, tracker):
    charts = transformers.integrations.TensorBoardCallback(SummaryWriter(tracker))
    with tracker.run("charts"):
        train(charts)
        expected = {name: tracker.series(name) for name in tracker.metrics()}
    callback = tracker.callback("transformers", speed=speed)
    train(callback)
    about_speed = {name for name in expected if name.endswith(("runtime", "per_second"))}
    assert len(about_speed) >= 4
    left_out = {"train/epoch"} | (set() if speed else about_speed)
    assert tracker.metrics() == set(expected) - left_out
    for name in set(expected) - about_speed - left_out:
        assert tracker.series(name) == expected[name], name


def test_parameters_are_recorded_when_asked_for(train, tracker):
    train(tracker.callback("transformers", log_params=True))
    params = tracker.params()
    assert (params["num_train_epochs"], params["hidden_size"]) == (2, 16)
    assert not {"output_dir", "logging_dir", "run_name"} & set(params)


def test_the_example_of_the_document_works(transformers, run_example):
    run_example("Transformers")
