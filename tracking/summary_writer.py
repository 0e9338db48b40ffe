"""SummaryWriter: existing code that writes for TensorBoard records into the active run."""

# ruff: noqa: ARG002  # what only event files need is accepted, so that existing calls fit

from __future__ import annotations

import math
import sys
import warnings
from collections import defaultdict
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from tracking.arguments import described
from tracking.callbacks.recording import as_number, as_params
from tracking.errors import InvalidArgumentError, TrackingWarning
from tracking.media import MAX_BINS, as_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import NoReturn

    import numpy.typing as npt

    from tracking.tracker import Tracker

    Pixels = npt.NDArray[Any]

_N_BINS = 30  # of a histogram, where theirs has buckets of growing width
_N_COLUMNS = 8  # of a grid of images, as in theirs

# What the parameters are called here that go into one of the tracker's.
_HERE = {
    "content": "text_string",
    "hparams": "hparam_dict",
    "image_data": "img_tensor",
    "metric_name": "tag",
    "name": "tag",
    "step": "global_step",
    "tensor": "values",
    "value": "scalar_value",
}


class SummaryWriter:
    """Takes the calls of `torch.utils.tensorboard.SummaryWriter` and of tensorboardX's.

    What is added is recorded into the active run of a tracker under its tag, and is kept once the
    call has returned. A scalar is a metric like those of `Tracker.record`.

    `global_step` becomes an int, as in theirs. Without one a tag's entries count on from its last
    one, from 0 on. `walltime` and what only changes the look of TensorBoard's pages are accepted
    and not kept: the time of an entry is when it was added. There is no folder, so no `log_dir`.

    Args:
        tracker: what it records with.

    Examples:
        >>> from tracking import SummaryWriter
        >>> writer = SummaryWriter(tracker)
        >>> with tracker.run("baseline"):
        ...     for loss in (1.0, 0.5, 0.25):
        ...         writer.add_scalar("train/loss", loss)
        ...     writer.flush()
        ...     tracker.summary()["train/loss"]["last_step"]
        2
        >>> writer.close()
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._next_steps: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._has_warned = False

    if not TYPE_CHECKING:  # to type checkers a method that is not there is an error

        def __getattr__(self, name: str) -> NoReturn:
            """Say what there is."""
            supported = [known for known in vars(SummaryWriter) if not known.startswith("_")]
            raise AttributeError(
                f"a SummaryWriter of tracking has no {name}; it has {', '.join(supported)}",
                name=name,
                obj=self,
            )

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: Any = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
        *,
        display_name: str = "",
        summary_description: str = "",
    ) -> None:
        """Record a number, or the one element of an array or tensor, in 64 bits.

        Args:
            tag: name of the metric.
            scalar_value: a real number, or an array or tensor of one.
            global_step: see the class.
            walltime: not used.
            new_style: not used.
            double_precision: not used.
            display_name: not used.
            summary_description: not used.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: one of the arguments cannot be recorded.
            JournalError: there is no space left; earlier records stay readable.

        Examples:
            >>> with tracker.run() as run_id:
            ...     SummaryWriter(tracker).add_scalar("train/loss", 0.5, global_step=10)
            >>> (record,) = tracker.get_records(run_id, "train/loss")
            >>> record.step, record.value
            (10, 0.5)
        """
        with self._step("scalar", tag, global_step) as step:
            self._tracker.record(tag, as_number(scalar_value), step)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Record several numbers, as the metrics `<main_tag>/<key>`.

        Args:
            main_tag: what stands before the names.
            tag_scalar_dict: numbers by key, as `add_scalar` takes them.
            global_step: see the class.
            walltime: not used.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: one of the arguments cannot be recorded.
            JournalError: there is no space left; earlier records stay readable.

        Examples:
            >>> with tracker.run() as run_id:
            ...     SummaryWriter(tracker).add_scalars("loss", {"train": 0.5, "valid": 0.7}, 0)
            >>> tracker.get_metrics(run_id)
            ['loss/train', 'loss/valid']
        """
        for key, value in tag_scalar_dict.items():
            self.add_scalar(f"{main_tag}/{key}", value, global_step)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: Any = None,
        bins: int | str | Sequence[float] = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Record a histogram of values of any shape, in buckets of equal width.

        Args:
            tag: name of the histogram.
            values: an array or tensor of real numbers.
            global_step: see the class.
            bins: how many buckets, or what tells how many: a rule of `numpy.histogram_bin_edges`
                such as "fd", edges (of which only the number is used), or "tensorflow" for 30.
            walltime: not used.
            max_bins: the most buckets there may be.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: one of the arguments cannot be recorded.
            StoreError: the database cannot be written.

        Examples:
            >>> with tracker.run() as run_id:
            ...     SummaryWriter(tracker).add_histogram("weights", [0.0, 0.2, 1.0], 0, bins=2)
            >>> (stored,) = db.get_histograms(run_id)["weights"]
            >>> stored["bucket_counts"]
            [2, 1]
        """
        n_bins = _n_bins(values, bins)
        if max_bins is not None:
            n_bins = min(n_bins, max_bins)
        with self._step("histogram", tag, global_step) as step:
            self._tracker.histogram(tag, values, step, n_bins)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Record an image: floats from 0 to 1, or ints from 0 to 255.

        Args:
            tag: name of the image.
            img_tensor: an array or tensor with 1 to 4 channels, by default of shape (C, H, W).
            global_step: see the class.
            walltime: not used.
            dataformats: its axes: "CHW", "HWC", "HW" or another order of these letters.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: one of the arguments cannot be recorded.
            StoreError: the database cannot be written.

        Examples:
            >>> import numpy as np
            >>> with tracker.run() as run_id:
            ...     SummaryWriter(tracker).add_image("sample", np.zeros((3, 16, 32)), 0)
            >>> (stored,) = db.get_images(run_id)["sample"]
            >>> stored["height"], stored["width"], stored["channels"]
            (16, 32, 3)
        """
        self._add_pixels(tag, _in_order(img_tensor, dataformats, ("HWC", "HW")), global_step)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Record several images of one size as one, in rows of up to eight.

        Args:
            tag: name of the image.
            img_tensor: an array or tensor with 1 to 4 channels, by default of shape (N, C, H, W),
                or a list of them.
            global_step: see the class.
            walltime: not used.
            dataformats: its axes: "NCHW", "NHWC", "NHW" or another order of these letters.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: one of the arguments cannot be recorded.
            StoreError: the database cannot be written.

        Examples:
            >>> import numpy as np
            >>> with tracker.run() as run_id:
            ...     SummaryWriter(tracker).add_images("samples", np.zeros((10, 1, 28, 28)), 0)
            >>> (stored,) = db.get_images(run_id)["samples"]
            >>> stored["height"], stored["width"]
            (56, 224)
        """
        if isinstance(img_tensor, list | tuple):
            img_tensor = _stacked("img_tensor", img_tensor)
        batch = _in_order(img_tensor, dataformats, ("NHWC", "NHW"))
        self._add_pixels(tag, _grid(batch), global_step)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: Any = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Draw a figure of matplotlib, or a list of figures of one size, and record the image.

        Args:
            tag: name of the image.
            figure: a `matplotlib.figure.Figure`, or several.
            global_step: see the class.
            close: close the figures in pyplot.
            walltime: not used.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: one of the arguments cannot be recorded.
            StoreError: the database cannot be written.
        """
        figures = figure if isinstance(figure, list | tuple) else [figure]
        drawn = [_drawn(one) for one in figures]
        pixels = drawn[0] if len(drawn) == 1 else _grid(_stacked("figure", drawn))
        self._add_pixels(tag, pixels, global_step)
        pyplot = sys.modules.get("matplotlib.pyplot")
        if close and pyplot is not None:
            for one in figures:
                pyplot.close(one)

    def add_text(
        self,
        tag: str,
        text_string: str,
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Record a text.

        Args:
            tag: name of the text.
            text_string: the text, of any length.
            global_step: see the class.
            walltime: not used.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: one of the arguments cannot be recorded.
            StoreError: the database cannot be written.

        Examples:
            >>> with tracker.run() as run_id:
            ...     SummaryWriter(tracker).add_text("samples", "To be, or not to bee", 0)
            >>> [stored["content"] for stored in db.get_texts(run_id)["samples"]]
            ['To be, or not to bee']
        """
        with self._step("text", tag, global_step) as step:
            self._tracker.text(tag, text_string, step)

    def add_graph(
        self,
        model: Any,
        input_to_model: Any = None,
        verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:
        """Store the computation graph of `model`, where `Tracker.save_comp_graph` can.

        A module of torch needs `input_to_model`, a tensor or several. Of what cannot be captured
        there is a TrackingWarning, once, and training goes on.

        Args:
            model: what `Tracker.save_comp_graph` takes as its tensor.
            input_to_model: example inputs: one, or a tuple or list of several.
            verbose: not used.
            use_strict_trace: not used.

        Raises:
            NoActiveRunError: no run is active.
            MissingDependencyError: capturing it needs a package that is not installed.
            StoreError: the database cannot be written.

        Examples:
            >>> from types import SimpleNamespace
            >>> flags = {"comp_grad": True, "is_leaf": True, "oper": None, "prev": ()}
            >>> with tracker.run() as run_id:
            ...     SummaryWriter(tracker).add_graph(SimpleNamespace(label="w", shape=(), **flags))
            >>> len(tracker.get_comp_graphs(run_id))
            1
        """
        inputs = input_to_model if isinstance(input_to_model, tuple | list) else (input_to_model,)
        try:
            self._tracker.save_comp_graph(
                model, inputs=() if input_to_model is None else tuple(inputs)
            )
        except InvalidArgumentError as error:
            if not self._has_warned:
                self._has_warned = True
                warnings.warn(
                    f"add_graph: no graph is stored of a {type(model).__name__} ({error.problem})",
                    TrackingWarning,
                    stacklevel=2,
                )

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Any = None,
        run_name: Any = None,
        global_step: Any = None,
        *,
        name: str | None = None,
    ) -> None:
        """Add hyper-parameters to the config of the run and record metrics; no run is begun.

        Args:
            hparam_dict: hyper-parameters by name; what cannot be stored is stored as its text.
            metric_dict: numbers by metric name, as `add_scalar` takes them.
            hparam_domain_discrete: not used.
            run_name: not used; a number is taken for `global_step`, which is the fourth argument of
                tensorboardX's.
            global_step: see the class.
            name: not used.

        Raises:
            NoActiveRunError: no run is active.
            InvalidArgumentError: one of the arguments cannot be recorded.
            StoreError: the database cannot be written.

        Examples:
            >>> with tracker.run() as run_id:
            ...     SummaryWriter(tracker).add_hparams({"lr": 0.01}, {"hparam/accuracy": 0.9})
            >>> tracker.get_run(run_id).config, tracker.get_metrics(run_id)
            ({'lr': 0.01}, ['hparam/accuracy'])
        """
        if run_name is not None and not isinstance(run_name, str):
            global_step = run_name  # which is the fourth argument of tensorboardX's
        with _named_as_here():
            self._tracker.config(**as_params(hparam_dict))
        for tag, value in metric_dict.items():
            self.add_scalar(tag, value, global_step)

    def flush(self) -> None:
        """Do nothing: what was added is kept already."""

    def close(self) -> None:
        """Do nothing: the run ends elsewhere, and a closed writer may go on, as theirs may."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add_pixels(self, tag: str, pixels: Pixels, global_step: Any) -> None:
        with self._step("image", tag, global_step) as step:
            self._tracker.image(tag, pixels, step)

    @contextmanager
    def _step(self, kind: str, tag: str, global_step: Any) -> Iterator[int]:
        """Give the step of an entry; the next one without a step gets the one after it."""
        step = self._next_steps[kind, tag] if global_step is None else _as_step(global_step)
        with _named_as_here():
            yield step
        self._next_steps[kind, tag] = step + 1


@contextmanager
def _named_as_here() -> Iterator[None]:
    """Have errors name the parameters of the writer, not those of the tracker."""
    try:
        yield
    except InvalidArgumentError as error:
        name = _HERE.get(error.argument, error.argument)
        raise InvalidArgumentError(name, error.problem) from None


def _as_step(global_step: Any) -> int:
    try:
        return int(global_step)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgumentError(
            "global_step", f"{described(global_step)} is no number of a step: {error}"
        ) from None


def _n_bins(values: Any, bins: int | str | Sequence[float]) -> int:
    import numpy as np

    if not isinstance(bins, str):
        return len(bins) - 1 if np.ndim(bins) else bins  # type: ignore[arg-type, return-value]
    if bins == "tensorflow":
        return _N_BINS
    array = as_array("values", values).astype(np.float64)
    try:
        edges = np.histogram_bin_edges(array[np.isfinite(array)], bins)
    except ValueError as error:
        raise InvalidArgumentError("bins", str(error)) from None
    return min(len(edges) - 1, MAX_BINS)


def _in_order(source: Any, dataformats: str, orders: tuple[str, ...]) -> Pixels:
    """Return an array with its axes in the one of `orders` that has the letters of dataformats."""
    array = as_array("img_tensor", source)
    letters = dataformats.upper()
    order = next((order for order in orders if sorted(order) == sorted(letters)), None)
    if order is None:
        raise InvalidArgumentError(
            "dataformats", f"{dataformats!r} has other letters than {' or '.join(orders)}"
        )
    if array.ndim != len(order):
        raise InvalidArgumentError(
            "img_tensor", f"of shape {array.shape} has not the axes {dataformats!r}"
        )
    return array.transpose([letters.index(letter) for letter in order])


def _stacked(argument: str, sources: Sequence[Any]) -> Pixels:
    import numpy as np

    arrays = [as_array(argument, one) for one in sources]
    if len({array.shape for array in arrays}) != 1:
        raise InvalidArgumentError(
            argument, f"expected one shape, got {[array.shape for array in arrays]}"
        )
    return np.stack(arrays)


def _grid(batch: Pixels) -> Pixels:
    """Lay out images of shape (N, H, W) or (N, H, W, C) in rows, filled up with zeros.

    >>> import numpy as np
    >>> _grid(np.ones((10, 2, 3))).shape
    (4, 24)
    """
    import numpy as np

    n_images, height, width, *channels = batch.shape
    n_columns = max(min(n_images, _N_COLUMNS), 1)
    n_rows = math.ceil(n_images / n_columns)
    padded = np.zeros((n_rows * n_columns, height, width, *channels), batch.dtype)
    padded[:n_images] = batch
    rows = padded.reshape(n_rows, n_columns, height, width, *channels)
    return rows.swapaxes(1, 2).reshape(n_rows * height, n_columns * width, *channels)


def _drawn(figure: Any) -> Pixels:
    """Return the pixels of a figure of matplotlib, of shape (H, W, 3)."""
    import numpy as np

    canvas = import_module("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3]
