"""Tracker: the user's handle on experiments and runs."""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any
from zlib import adler32

from tracking import arguments
from tracking.bounds import Bound
from tracking.errors import (
    BoundError,
    InvalidArgumentError,
    NoActiveRunError,
    NoExperimentError,
    StoreError,
    TrackingError,
)
from tracking.events import RunEnd
from tracking.journal import pack_frame, pack_payload
from tracking.media import histogram_of, image_of
from tracking.recorder import recorder_of
from tracking.stored_runs import new_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import SupportsFloat, SupportsIndex

    from tracking.experiment_db import ExperimentDBManager
    from tracking.graph.model import Graph
    from tracking.journal import Note
    from tracking.model import RecordInfo, RunInfo, Summary
    from tracking.recorder import ActiveRun, Recorder

# Types whose instances are real numbers and can be packed as they are. Scalars of numpy are added
# as they come, so that numpy need not be imported for them.
_real_types: set[type] = {float, int}

# A new metric, one that is no text, a number out of range, a full segment, none at all.
_UNUSUAL = (KeyError, TypeError, struct.error, OverflowError, ValueError, TrackingError)


class Tracker:
    """Tracker class to manage experiments and runs.

    There is a main directory where all experiments are stored. One database file in it corresponds
    to one experiment. Each experiment can have multiple runs, each with its own metrics,
    histograms, images, texts and computational graphs.

    A run started while another one is active is a child of it: it is the active run until it ends,
    and then its parent is again.

    Once `record` or `log` has returned, no death of the process loses the record. Once `end_run`
    has returned, no loss of power loses the run.

    Args:
        all_exp_dir: the main directory; created if it does not exist.

    Raises:
        InvalidArgumentError: there is a file of this name, or it is no path.
        StoreError: the directory cannot be created.

    Examples:
        >>> from tracking import Tracker
        >>> tracker = Tracker("experiments")
        >>> tracker.set_experiment("mnist")
        >>> with tracker.run("baseline", {"lr": 0.01}) as run_id:
        ...     for step in range(3):
        ...         tracker.record("loss", 1.0 / (step + 1), step)
        >>> tracker.get_run(run_id).status
        'completed'
        >>> tracker.summary(run_id)["loss"]["min"]
        0.3333333333333333

        The methods' examples go on with such a tracker.
    """

    def __init__(self, all_exp_dir: str | os.PathLike[str] = "./experiments") -> None:
        self._begin(_made_folder("all_exp_dir", all_exp_dir), None)

    def _begin(self, folder: Path, recorder: Recorder | None) -> None:
        self._all_exp_dir = folder
        self._recorder = recorder
        self._active: list[ActiveRun] = []  # innermost last
        # Channels of the active run and `write` of the segment they belong to, as one value: a
        # thread that records must not see those of one run and that of the next.
        self._target: tuple[dict[str, int], Callable[[bytes], Any]] = ({}, _no_segment)

    def _begin_beside(self, other: Tracker) -> None:
        """Begin in the experiment of another tracker, with no run active."""
        self._begin(other._all_exp_dir, other._recorder)

    # Experiments

    @property
    def all_exp_dir(self) -> Path:
        """The experiments directory, absolute.

        Examples:
            >>> tracker.all_exp_dir.name
            'experiments'
        """
        return self._all_exp_dir

    @property
    def cur_exp_path(self) -> Path | None:
        """The database file of the current experiment, absolute; None before one is chosen.

        Examples:
            >>> tracker.cur_exp_path.name
            'mnist.db'
        """
        return self._recorder.db.db_path if self._recorder else None

    @property
    def db_manager(self) -> ExperimentDBManager | None:
        """The database of the current experiment; None before one is chosen.

        It reads what a tracker has no method for: histograms, images, texts. What was recorded and
        has not been drained is not there yet; see `drain`.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.text("samples", "To be, or not to bee", step=0)
            >>> tracker.db_manager.get_texts(run_id)["samples"][0]["content"]
            'To be, or not to bee'
        """
        return self._recorder.db if self._recorder else None

    def set_all_exp_dir(self, directory: str | os.PathLike[str]) -> None:
        """Set the experiments directory, for the experiments chosen from now on.

        Args:
            directory: the main directory; created if it does not exist.

        Raises:
            InvalidArgumentError: there is a file of this name, or it is no path.
            StoreError: it cannot be created.

        Examples:
            >>> tracker.set_all_exp_dir("elsewhere")
            >>> tracker.set_experiment("mnist")
            >>> tracker.cur_exp_path.relative_to(tracker.all_exp_dir.parent).as_posix()
            'elsewhere/mnist.db'
        """
        self._all_exp_dir = _made_folder("directory", directory)

    def get_all_exp_paths(self) -> list[Path]:
        """Get all experiment database paths.

        Returns:
            Absolute paths of the `*.db` files in the experiments directory, sorted by name.

        Examples:
            >>> tracker.set_experiment("cifar10")
            >>> [path.name for path in tracker.get_all_exp_paths()]
            ['cifar10.db', 'mnist.db']
        """
        return sorted(self._all_exp_dir.glob("*.db"))

    def set_experiment(self, exp_name: str) -> None:
        r"""Set the current experiment by name, creating its database if there is none.

        Runs of processes that have died are ended here, and what they recorded is brought home.
        Runs of this tracker that are active go on in their own experiment.

        Args:
            exp_name: the name, with or without `.db`: what can be a file's name on every system, at
                most 200 bytes, not beginning with a dot.

        Raises:
            InvalidArgumentError: the name would leave the folder, or is no file name.
            NotAnExperimentError: there is such a file, and it is not ours.
            NewerSchemaError: a newer version of this library wrote it.
            StoreError: the database can be neither opened nor created.

        Examples:
            >>> tracker.set_experiment("cifar10")
            >>> tracker.cur_exp_path.name
            'cifar10.db'
            >>> tracker.set_experiment("../cifar10")
            Traceback (most recent call last):
                ...
            tracking.errors.InvalidArgumentError: exp_name: '../cifar10' must not contain / \ or :
            (an experiment is one file in the folder)
        """
        name = arguments.checked_experiment_name(exp_name)
        recorder = recorder_of(self._all_exp_dir / f"{name}.db")
        recorder.open()
        self._recorder = recorder

    def _experiment(self) -> Recorder:
        if self._recorder is None:
            raise NoExperimentError("no experiment is chosen; call set_experiment(name) first")
        return self._recorder

    def close(self) -> None:
        """Leave everything in the current experiment's database file and let go of its files.

        Happens by itself when the process ends. Runs that are still active stay `running`. The
        tracker can go on after it.

        Raises:
            StoreError: the database cannot be written; what was recorded waits in the journal.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.record("loss", 0.5, step=0)
            >>> tracker.close()
            >>> sorted(path.name for path in tracker.all_exp_dir.glob("*.db*"))
            ['mnist.db']
        """
        if self._recorder is not None:
            self._recorder.close([run for run in self._active if run.recorder is self._recorder])
            self._active = [run for run in self._active if run.recorder is not self._recorder]
            self._follow_active_run()

    # Runs

    @property
    def current_run_id(self) -> int | None:
        """Number of the active run in its experiment, from 1; None while no run is active.

        Raises:
            StoreError: the run was deferred, and the database that gives it a number cannot be
                written.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.current_run_id == run_id
            True
            >>> tracker.current_run_id is None
            True
        """
        return self._active[-1].run_id if self._active else None

    @property
    def current_run_name(self) -> str | None:
        """Name of the active run; None while no run is active.

        Examples:
            >>> with tracker.run("baseline"):
            ...     tracker.current_run_name
            'baseline'
        """
        return self._active[-1].name if self._active else None

    @property
    def active_runs(self) -> tuple[str, ...]:
        """Names of the active runs, the outermost first.

        Examples:
            >>> with tracker.run("search"), tracker.run("lr=0.1"):
            ...     tracker.active_runs
            ('search', 'lr=0.1')
        """
        return tuple(run.name for run in self._active)

    def start_run(
        self,
        name: str | None = None,
        config: Mapping[str, Any] | None = None,
        *,
        run_name: str | None = None,
        hparams: Mapping[str, Any] | None = None,
        environment: Mapping[str, Any] | None = None,
        session: str | None = None,
        is_deferred: bool = False,
    ) -> int:
        """Start a new run and return the run_id.

        A script that leaves without `end_run` keeps every record, but nobody can tell how the run
        went: whoever opens the experiment next ends it as failed, `ended_by` lost. `run` ends it
        in any case.

        Args:
            name: shown name, at most 1,000 characters; `run_<unix seconds>` by default.
            config: hyper-parameters, stored as JSON: numbers, text, lists, dicts; of numpy scalars
                and arrays their numbers; of paths, sets and members of enums what comes closest.
            run_name: another spelling of `name`.
            hparams: another spelling of `config`.
            environment: what the run runs on and with, kept apart from the hyper-parameters; see
                `tracking.collect_environment`.
            session: what the run is an attempt in, for runs of the same name.
            is_deferred: let the run's start and end reach the database together with those of
                others, up to a second later. They are in the journal at once, so that no death of
                the process loses them. Returns 0: the run gets its number when somebody asks for
                it, by `current_run_id` for example.

        Returns:
            The run's number in its experiment, from 1.

        Raises:
            InvalidArgumentError: an argument cannot be stored, or one is given in both spellings.
            NoExperimentError: no experiment is chosen.
            StoreError: the experiment cannot be written.

        Examples:
            >>> run_id = tracker.start_run("baseline", {"lr": 0.01, "betas": (0.9, 0.999)})
            >>> tracker.record("loss", 0.5, step=0)
            >>> tracker.end_run() == run_id
            True
            >>> tracker.get_run(run_id).config
            {'lr': 0.01, 'betas': [0.9, 0.999]}
        """
        if name is not None and run_name is not None:
            raise InvalidArgumentError("run_name", "means the same as name; give one of the two")
        if config is not None and hparams is not None:
            raise InvalidArgumentError("hparams", "means the same as config; give one of the two")
        recorder = self._experiment()
        run = new_run(
            run_name if name is None else name,
            hparams if config is None else config,
            parent=self._active[-1].uuid if self._active else None,
            environment=environment,
            session=session,
        )
        self._active.append(recorder.start_run(run, is_deferred=is_deferred))
        self._follow_active_run()
        return 0 if is_deferred else self._active[-1].run_id

    def end_run(
        self,
        status: str = "completed",
        *,
        outcome: str | None = None,
        phase: str | None = None,
        ended_by: str | None = None,
        verdict: str | None = None,
        comparison: str | None = None,
        is_durable: bool = True,
    ) -> int:
        """End the current run with a given status.

        Args:
            status: completed or failed.
            outcome: what the run's test came to; see `RunInfo`, like the next three.
            phase: where that was decided.
            ended_by: why the run ended; `finished` by default.
            verdict: what comparing with the baseline found.
            comparison: what was compared, as JSON; see `tracking.regression.dump_comparison`.
            is_durable: flush to the disk, so that a loss of power doesn't lose the run either.

        Returns:
            The run's id; 0 for a deferred run whose number nobody has asked for.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: unknown status, or another argument is no text; the run stays
                active.
            StoreError: the database cannot be written. The run is over all the same, and what
                belongs to it waits in the journal.

        Examples:
            >>> run_id = tracker.start_run()
            >>> tracker.end_run("diverged")
            Traceback (most recent call last):
                ...
            tracking.errors.InvalidArgumentError: status: str 'diverged' is unknown; use one of
            completed, failed
            >>> tracker.end_run("failed") == run_id
            True
        """
        final = arguments.checked_status(status, final=True)
        details = {"outcome": outcome, "phase": phase, "ended_by": ended_by, "verdict": verdict}
        for argument, text in details.items():
            if text is not None:
                details[argument] = arguments.checked_name(argument, text)
        details["ended_by"] = details["ended_by"] or "finished"
        run = self._active_run()
        if comparison is not None:
            comparison = arguments.checked_text("comparison", comparison)
        end = RunEnd(final, **details, duration_s=run.duration_s(), comparison=comparison)
        try:
            run.recorder.end_run(run, end, is_durable=is_durable)
        finally:
            self._leave(run)
        return (run.known_id or 0) if run.is_deferred else run.run_id

    @contextmanager
    def run(
        self,
        name: str | None = None,
        config: Mapping[str, Any] | None = None,
        *,
        environment: Mapping[str, Any] | None = None,
        session: str | None = None,
        is_deferred: bool = False,
    ) -> Iterator[int]:
        """Context manager that starts a run on enter and ends it on exit.

        On clean exit the run is marked "completed". If the body raises, the run is marked "failed"
        and the exception is re-raised. A run that the body has ended itself stays as it is; runs
        that the body started inside and left open end with this one.

        Args:
            name: shown name; see `start_run`, like the others.
            config: hyper-parameters.
            environment: what the run runs on and with.
            session: what the run is an attempt in.
            is_deferred: let the run's start and end reach the database together with those of
                others.

        Yields:
            The run's number in its experiment; 0 for a deferred run.

        Raises:
            InvalidArgumentError: an argument cannot be stored.
            NoExperimentError: no experiment is chosen.
            StoreError: the experiment cannot be written.

        Examples:
            >>> with tracker.run(name="lr=0.01", config={"lr": 0.01}) as run_id:
            ...     for step in range(100):
            ...         tracker.record("loss", 1 / (step + 1), step)
            >>> tracker.summary(run_id)["loss"]["last"]
            0.01
        """
        run_id = self.start_run(
            name, config, environment=environment, session=session, is_deferred=is_deferred
        )
        run = self._active[-1]
        try:
            yield run_id
        except BaseException:
            self._end_down_to(run, "failed", "exception")
            raise
        self._end_down_to(run, "completed", "finished")

    def _end_down_to(self, run: ActiveRun, status: str, ended_by: str) -> None:
        while run in self._active and run.pid == os.getpid():  # not in a child that was forked
            self.end_run(status, ended_by=ended_by)

    def config(self, /, **hparams: Any) -> dict[str, Any]:
        """Add hyper-parameters to the active run; those of the same name are replaced.

        Args:
            **hparams: by name, values as `start_run` takes them.

        Returns:
            All of its hyper-parameters as they are now.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: a value cannot be stored.
            RunNotFoundError: somebody has deleted the run.
            StoreError: the database cannot be written.

        Examples:
            >>> with tracker.run(config={"lr": 0.01}):
            ...     tracker.config(batch_size=32)
            {'lr': 0.01, 'batch_size': 32}
        """
        run = self._active_run()
        return run.recorder.db.update_config(run.run_id, hparams)

    def delete_run(self, run_id: int) -> None:
        """Delete a run and all its data; if it is active, it stops being so.

        Args:
            run_id: number of the run in the current experiment.

        Raises:
            NoExperimentError: no experiment is chosen.
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be written.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.record("loss", 0.5, step=0)
            >>> tracker.delete_run(run_id)
            >>> tracker.get_all_runs()
            []
        """
        recorder = self._drained()
        recorder.db.delete_run(run_id)
        run = self._active_here(run_id)
        if run is not None:
            recorder.forget(run)
            self._leave(run)

    def _active_run(self) -> ActiveRun:
        if not self._active:
            raise NoActiveRunError("no active run; call start_run() first")
        return self._active[-1]

    def _leave(self, run: ActiveRun) -> None:
        self._active.remove(run)
        if self._active:
            self._recorder = self._active[-1].recorder
        self._follow_active_run()

    def _follow_active_run(self) -> None:
        if self._active:
            self._target = (self._active[-1].channels, self._active[-1].recorder.write)
        else:
            self._target = ({}, _no_segment)

    # Other processes

    def __getstate__(self) -> dict[str, Any]:
        """Describe the tracker for a process that is spawned: it records into the same runs."""
        for run in self._active:
            run.has_other_writers = True
        return {
            "all_exp_dir": self._all_exp_dir,
            "experiment": self.cur_exp_path,
            "active": [
                (run.recorder.db.db_path, run.run_id, run.uuid, run.name, run.pid)
                for run in self._active
            ],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._all_exp_dir = state["all_exp_dir"]
        path = state["experiment"]
        self._recorder = recorder_of(path) if path is not None else None
        self._active = [recorder_of(path).join_run(*run) for path, *run in state["active"]]
        self._follow_active_run()

    # Recording

    def record(self, metric_name: str, value: SupportsFloat, step: SupportsIndex) -> None:
        """Log a metric value at a given step.

        All records of a step are kept, in order. NaN and infinities are values too. Any number of
        threads may record.

        Args:
            metric_name: non-empty text without NUL, at most 1,000 characters.
            value: a real number, stored as float64; numpy scalars and 0-d arrays and tensors are
                fine.
            step: a signed 64-bit int.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: an argument is none of that; nothing was recorded.
            JournalError: there is no space left; earlier records stay readable.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.record("loss", 0.5, step=0)
            ...     tracker.record("loss", float("nan"), step=1)
            >>> [record.value for record in tracker.get_records(run_id, "loss")]
            [0.5, nan]
        """
        # The one hot path of this library: see benchmarks/ before changing it. Whatever is unusual
        # (a new metric, a type of numpy, a full segment, a bad argument) has written nothing yet
        # when it comes to _record_unusual.
        if type(value) in _real_types and type(step) is int:
            try:
                channels, write = self._target
                payload = pack_payload(step, value, time(), channels[metric_name])
                write(pack_frame(payload, adler32(payload)))
            except _UNUSUAL:
                pass
            else:
                return
        self._record_unusual(metric_name, value, step)

    def _record_unusual(self, metric_name: str, value: SupportsFloat, step: SupportsIndex) -> None:
        run = self._active_run()
        name = arguments.checked_name("metric_name", metric_name)
        number = arguments.checked_value(value)
        run.recorder.append(run, [(name, number)], arguments.checked_step(step))
        self._follow_active_run()
        if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
            _learn_numpy_scalar(type(value))

    def log(self, metrics: Mapping[str, SupportsFloat], step: SupportsIndex) -> None:
        """Log several metric values at a given step: all of them, or none if one is not a number.

        Args:
            metrics: values by metric name, both as `record` takes them.
            step: a signed 64-bit int.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: an argument is none of that; nothing was recorded.
            JournalError: there is no space left; earlier records stay readable.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.log({"loss": 0.5, "val_acc": 0.9}, step=0)
            >>> tracker.get_metrics(run_id)
            ['loss', 'val_acc']
        """
        run = self._active_run()
        if not hasattr(metrics, "items"):
            raise InvalidArgumentError(
                "metrics", f"expected a dict of values by name, got {arguments.described(metrics)}"
            )
        index = arguments.checked_step(step)
        checked = [_checked_metric(name, value) for name, value in metrics.items()]
        run.recorder.append(run, checked, index)
        self._follow_active_run()

    def histogram(self, name: str, tensor: Any, step: SupportsIndex, bins: int = 30) -> None:
        """Log a histogram of values at a given step.

        Args:
            name: non-empty text without NUL, at most 1,000 characters.
            tensor: an array or tensor of real numbers, of any shape. Entries that are NaN or
                infinite are counted apart.
            step: a signed 64-bit int.
            bins: number of buckets of equal width, from 1 to 100,000. They span the finite values.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: an argument is none of that; nothing was recorded.
            StoreError: the database cannot be written.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.histogram("weights", [0.0, 0.1, 0.9, 1.0, float("inf")], step=0, bins=2)
            >>> (stored,) = tracker.db_manager.get_histograms(run_id)["weights"]
            >>> stored["bucket_edges"], stored["bucket_counts"], stored["n_non_finite"]
            ([0.0, 0.5, 1.0], [2, 2], 1)
        """
        run = self._active_run()
        histogram = histogram_of(tensor, bins)
        run.recorder.db.save_histogram(
            run.run_id, name, step, histogram.edges, histogram.counts, histogram.n_non_finite
        )

    def image(self, name: str, image_data: Any, step: SupportsIndex) -> None:
        """Log an image at a given step.

        Args:
            name: non-empty text without NUL, at most 1,000 characters.
            image_data: array or tensor of shape (H, W) or (H, W, C), C from 1 to 4. Floats are
                clipped to 0..1 and scaled to 0..255, NaN becoming 0; other types are clipped to
                0..255.
            step: a signed 64-bit int.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: an argument is none of that; nothing was recorded.
            StoreError: the database cannot be written.

        Examples:
            >>> import numpy as np
            >>> with tracker.run() as run_id:
            ...     tracker.image("generated", np.zeros((28, 28)), step=0)
            >>> (stored,) = tracker.db_manager.get_images(run_id)["generated"]
            >>> stored["width"], stored["height"], stored["channels"]
            (28, 28, 1)
        """
        run = self._active_run()
        image = image_of(image_data)
        run.recorder.db.save_image(run.run_id, name, step, *image)

    def text(self, name: str, content: str, step: SupportsIndex) -> None:
        """Log a text snippet at a given step.

        Args:
            name: tag under which to group related texts, such as "samples"; non-empty, without NUL,
                at most 1,000 characters.
            content: the text, of any length; long ones make the database large.
            step: a signed 64-bit int.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: an argument is none of that; nothing was recorded.
            StoreError: the database cannot be written.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.text("samples", "To be, or not to bee", step=0)
            >>> [text["content"] for text in tracker.db_manager.get_texts(run_id)["samples"]]
            ['To be, or not to bee']
        """
        run = self._active_run()
        run.recorder.db.save_text(run.run_id, name, step, content)

    def save_comp_graph(
        self,
        tensor: Any,
        run_id: int | None = None,
        *,
        name: str = "graph",
        inputs: Sequence[Any] = (),
        **options: Any,
    ) -> int:
        """Save the computation graph of `tensor`, for the current run or another one.

        A run can have several.

        Args:
            tensor: a tensor, whose graph ends in it; or a model, a function, a pipeline or the path
                of an `.onnx` file: whatever `tracking.graph.capture` knows.
            run_id: the run; the current one by default.
            name: what to call it, where a run has several.
            inputs: example inputs, where a model or function is called to find its graph.
            **options: of the framework's adapter.

        Returns:
            The graph's id, for `get_comp_graph`.

        Raises:
            NoActiveRunError: no run is active, and no `run_id` given.
            NoExperimentError: `run_id` is given, and no experiment is chosen.
            InvalidArgumentError: `tensor` is not of a kind whose graph can be captured.
            MissingDependencyError: capturing it needs a package that is not installed.
            RunNotFoundError: no such run.
            StoreError: the database cannot be written.

        Examples:
            Of a tensor with the attributes that `_build_graph_data` names:

            >>> from types import SimpleNamespace
            >>> leaf = {"shape": (), "comp_grad": True, "is_leaf": True, "oper": None, "prev": ()}
            >>> w, x = (SimpleNamespace(label=name, **leaf) for name in "wx")
            >>> made = {"shape": (), "comp_grad": True, "is_leaf": False}
            >>> product = SimpleNamespace(label="y", oper="mul", prev=(w, x), **made)
            >>> with tracker.run():
            ...     graph_id = tracker.save_comp_graph(product)
            >>> [node["label"] for node in tracker.get_comp_graph(graph_id)["nodes"]]
            ['y', 'mul', 'w', 'x']
        """
        from tracking.graph.capture import capture  # most runs have no graph

        arguments.checked_name("name", name)
        if run_id is None:
            self._active_run()
        try:
            graph = capture(tensor, *inputs, **options)
        except InvalidArgumentError as error:
            argument = "tensor" if error.argument == "thing" else error.argument
            raise InvalidArgumentError(argument, error.problem) from error
        return self._save_graph(run_id, name, graph)

    def _save_graph(self, run_id: int | None, name: str, graph: Graph) -> int:
        """Store a graph with a run, the active one by default."""
        if run_id is None:
            run = self._active_run()
            db, run_id = run.recorder.db, run.run_id
        else:
            db = self._experiment().db
        return db.save_graph(run_id, graph, name)

    def expect(
        self, metric_name: str, comparison: str, limit: SupportsFloat, statistic: str = "last"
    ) -> None:
        """Check what the active run has recorded so far against a bound that needs no baseline.

        In a test under --sg-track a metric out of its bound fails the test when it is over, with
        all that is wrong with its metrics in one message; else it raises here.

        Args:
            metric_name: a metric of the run.
            comparison: one of < <= == >= >.
            limit: a finite number.
            statistic: what of the metric is compared: mean, tail, min, max, std or last; see
                `Summary`.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: an argument is none of that.
            BoundError: the metric is not within the bound, or was not recorded.

        Examples:
            >>> with tracker.run():
            ...     tracker.record("loss", 0.5, step=0)
            ...     tracker.expect("loss", "<", 1.0)
            ...     tracker.expect("loss", "<", 0.1, statistic="min")
            Traceback (most recent call last):
                ...
            tracking.errors.BoundError: loss: min has to be < 0.1, but it is 0.5
        """
        bound = Bound.checked(metric_name, comparison, limit, statistic)
        if problem := bound.problem(self._active_summaries().get(bound.metric)):
            raise BoundError(problem)

    def callback(self, framework: str, **options: Any) -> Any:
        """Make a callback for a training framework that records into the active run.

        The framework is imported here and not before.

        Args:
            framework: keras, lightgbm, lightning, sklearn, transformers or xgboost.
            **options: `log_params=True` adds hyper-parameters to the config of the run; the others
                are the framework's own, see docs/frameworks.md.

        Returns:
            What the framework takes as a callback; for sklearn, which takes none, an object with
            `fit`, `record`, `score` and `staged`.

        Raises:
            InvalidArgumentError: no such framework, or its callback has no such option.
            MissingDependencyError: the framework is not installed.

        Examples:
            >>> from sklearn.linear_model import LinearRegression
            >>> x, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
            >>> model = LinearRegression().fit(x, y)
            >>> with tracker.run() as run_id:
            ...     score = tracker.callback("sklearn").score(model, x, y, name="train")
            >>> tracker.get_metrics(run_id)
            ['train/score']
        """
        from tracking.callbacks import make_callback

        return make_callback(self, framework, options)

    def leave_note(self, note: Note) -> None:
        """Note something that matters only if this process dies before the active run has ended.

        Whoever recovers what the process left tells from it why and where the run ended. Without an
        active run nothing happens.

        Args:
            note: what to note.

        Raises:
            JournalError: there is no space left.

        Examples:
            >>> from tracking import Note
            >>> with tracker.run():
            ...     tracker.leave_note(Note.CALL)
        """
        if self._active:
            self._active[-1].recorder.leave_note(note)

    # Reading

    def summary(self, run_id: int | None = None) -> dict[str, dict[str, Any]]:
        """Return per-metric summary statistics.

        Args:
            run_id: a run of the current experiment; the active run by default.

        Returns:
            Metric name -> {n, n_nan, n_inf, min, max, mean, std, tail, last, first_step,
            last_step}; see `Summary` for what they are.

        Raises:
            NoActiveRunError: no run is active, and no `run_id` given.
            NoExperimentError: `run_id` is given, and no experiment is chosen.
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> with tracker.run():
            ...     for step, loss in enumerate((1.0, 0.5, 0.25, 0.25)):
            ...         tracker.record("loss", loss, step)
            ...     loss = tracker.summary()["loss"]
            >>> loss["n"], loss["mean"], loss["min"], loss["last_step"]
            (4, 0.5, 0.25, 3)
        """
        if run_id is not None:
            run = self._active_here(run_id)
            if run is None:
                return self._drained().db.get_metric_summary(run_id)
        else:
            run = self._active_run()
        return {name: found.as_dict() for name, found in run.recorder.summaries(run).items()}

    def _active_summaries(self) -> Mapping[str, Summary]:
        run = self._active_run()
        return run.recorder.summaries(run)

    def _active_here(self, run_id: int) -> ActiveRun | None:
        number = arguments.checked_id("run_id", run_id)
        here = (run for run in self._active if run.recorder is self._recorder)
        return next((run for run in here if run.run_id == number), None)

    def drain(self) -> None:
        """Move everything recorded in the current experiment into its database.

        The methods below do it by themselves; it is for who reads the database in another way.

        Raises:
            NoExperimentError: no experiment is chosen.
            StoreError: the database cannot be written. All waits in the journal.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.record("loss", 0.5, step=0)
            ...     tracker.drain()
            ...     tracker.db_manager.get_metrics(run_id)
            ['loss']
        """
        self._drained()

    def get_all_runs(self) -> list[RunInfo]:
        """Get all runs, newest first.

        Raises:
            NoExperimentError: no experiment is chosen.
            StoreError: the database cannot be read.

        Examples:
            >>> for name in ("first", "second"):
            ...     with tracker.run(name):
            ...         tracker.record("loss", 0.5, step=0)
            >>> [run.name for run in tracker.get_all_runs()]
            ['second', 'first']
        """
        return self._drained().db.get_all_runs()

    def get_run(self, run_id: int) -> RunInfo | None:
        """Get a specific run by id; None when there is none.

        Args:
            run_id: number of the run in the current experiment.

        Raises:
            NoExperimentError: no experiment is chosen.
            InvalidArgumentError: `run_id` is no int.
            StoreError: the database cannot be read.

        Examples:
            >>> with tracker.run("baseline", {"lr": 0.01}) as run_id:
            ...     tracker.record("loss", 0.5, step=0)
            >>> run = tracker.get_run(run_id)
            >>> run.name, run.config, run.metrics, run.num_records
            ('baseline', {'lr': 0.01}, ['loss'], [1])
            >>> tracker.get_run(1000) is None
            True
        """
        return self._drained().db.get_run(run_id)

    def get_metrics(self, run_id: int) -> list[str]:
        """Get all metric names for a given run, in the order they first appeared in the experiment.

        Args:
            run_id: number of the run in the current experiment.

        Raises:
            NoExperimentError: no experiment is chosen.
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.log({"loss": 0.5, "val_acc": 0.9}, step=0)
            >>> tracker.get_metrics(run_id)
            ['loss', 'val_acc']
        """
        return self._drained().db.get_metrics(run_id)

    def get_records(self, run_id: int, metric_name: str) -> list[RecordInfo]:
        """Get metric records for a given run and metric name.

        Args:
            run_id: number of the run in the current experiment.
            metric_name: name of the metric.

        Returns:
            The records by step, those of one step in the order of recording; none of a metric that
            the run does not have.

        Raises:
            NoExperimentError: no experiment is chosen.
            InvalidArgumentError: `run_id` is no int, or `metric_name` no text.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> with tracker.run() as run_id:
            ...     for step, loss in enumerate((1.0, 0.5)):
            ...         tracker.record("loss", loss, step)
            >>> [(record.step, record.value) for record in tracker.get_records(run_id, "loss")]
            [(0, 1.0), (1, 0.5)]
        """
        return self._drained().db.get_records(run_id, metric_name)

    def get_results(self, run_id: int) -> dict[str, list[RecordInfo]]:
        """Get all metric records for a given run.

        Args:
            run_id: number of the run in the current experiment.

        Returns:
            Metric name -> its records, as `get_records` gives them.

        Raises:
            NoExperimentError: no experiment is chosen.
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read.

        Examples:
            >>> with tracker.run() as run_id:
            ...     tracker.log({"loss": 0.5, "val_acc": 0.9}, step=0)
            >>> {name: records[0].value for name, records in tracker.get_results(run_id).items()}
            {'loss': 0.5, 'val_acc': 0.9}
        """
        db = self._drained().db
        return {name: db.get_records(run_id, name) for name in db.get_metrics(run_id)}

    def get_comp_graph(self, graph_id: int) -> dict[str, Any] | None:
        """Get a computation graph by its id; None when there is none.

        Args:
            graph_id: what `save_comp_graph` has returned.

        Returns:
            The graph as `_build_graph_data` gives it: a dict with `nodes` and `edges`.

        Raises:
            NoExperimentError: no experiment is chosen.
            InvalidArgumentError: `graph_id` is no int.
            StoreError: the database cannot be read, or the graph in it is damaged.

        Examples:
            >>> empty = {"nodes": [], "edges": []}
            >>> with tracker.run() as run_id:
            ...     graph_id = tracker.db_manager.save_comp_graph(run_id, empty)
            >>> tracker.get_comp_graph(graph_id)
            {'nodes': [], 'edges': []}
        """
        return self._experiment().db.get_comp_graph(graph_id)

    def get_comp_graphs(self, run_id: int) -> list[dict[str, Any]]:
        """Get all computation graphs for a given run, oldest first.

        Args:
            run_id: number of the run in the current experiment.

        Returns:
            Each as {id, graph, created_at, name}: `graph` as `get_comp_graph` gives it,
            `created_at` in Unix seconds.

        Raises:
            NoExperimentError: no experiment is chosen.
            InvalidArgumentError: `run_id` is no int.
            RunNotFoundError: no such run.
            StoreError: the database cannot be read, or a graph in it is damaged.

        Examples:
            >>> empty = {"nodes": [], "edges": []}
            >>> with tracker.run() as run_id:
            ...     graph_id = tracker.db_manager.save_comp_graph(run_id, empty)
            >>> [(one["name"], one["graph"]) for one in tracker.get_comp_graphs(run_id)]
            [('graph', {'nodes': [], 'edges': []})]
        """
        return self._experiment().db.get_comp_graphs(run_id)

    def _drained(self) -> Recorder:
        recorder = self._experiment()
        recorder.drain()
        return recorder


def _checked_metric(name: str, value: SupportsFloat) -> tuple[str, float]:
    metric_name = arguments.checked_name("metrics", name)
    try:
        return metric_name, arguments.checked_value(value)
    except InvalidArgumentError as error:
        raise InvalidArgumentError("metrics", f"{metric_name!r}: {error.problem}") from None


def _made_folder(argument: str, directory: str | os.PathLike[str]) -> Path:
    try:
        path = Path(os.path.abspath(directory))  # noqa: PTH100  # resolve() would follow links
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InvalidArgumentError(argument, f"{path} is no folder; choose another one") from None
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(argument, f"{directory!r} is no path: {error}") from None
    except OSError as error:
        raise StoreError(
            f"cannot create the folder {path}: {error.strerror or error}; choose one where you may"
            " write"
        ) from error
    return path


def _no_segment(_frames: bytes) -> None:
    raise NoActiveRunError


def _learn_numpy_scalar(scalar_type: type) -> None:
    import numpy as np

    if issubclass(scalar_type, np.floating | np.integer):
        _real_types.add(scalar_type)
