"""Runs out of TensorBoard's event files, by the messages of the package `tensorboard`.

A folder of event files is a run, as TensorBoard shows it. The files are read frame by frame here
and not by TensorBoard's own loader, which ends at damage without a word.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tracking.errors import MissingDependencyError, StoreError
from tracking.events import RunEnd
from tracking.importers.event_file import DamagedFrameError, frames
from tracking.importers.model import (
    ImportedRun,
    Part,
    Remark,
    name_of_experiment,
    name_of_run,
    time_of_run,
    uuid_of,
)
from tracking.importers.pixels import decoded
from tracking.importers.rows import Histogram, Image, Text
from tracking.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KIND = "tensorboard"
_FILES = "*tfevents*"
_MOST_ELEMENTS = 10_000_000  # of a tensor; a damaged shape can claim any number
_HPARAMS = "hparams"


def event_files(source: Path) -> Iterator[Path]:
    """Yield the event files below a folder, or the one that is named."""
    if source.is_file():
        yield source
    else:
        yield from (path for path in source.rglob(_FILES) if path.is_file())


def read(source: Path) -> Iterator[ImportedRun | Remark]:
    """Yield the run of each folder that holds event files, by name.

    Args:
        source: a folder, or one event file, which is read as a part of its folder's run.

    Raises:
        MissingDependencyError: `tensorboard` is not installed.
        StoreError: a file cannot be read.
    """
    messages = _Messages()
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in event_files(source):
        by_folder[path.parent].append(path)
    root = source.parent if source.is_file() else source
    for folder, files in sorted(by_folder.items()):
        reading = _Reading(messages)
        try:
            for path in sorted(files):
                reading.read(path)
            first_event = _first_event(folder)
        except OSError as error:
            raise StoreError(f"cannot read {error.filename}: {error.strerror}") from error
        name = root.resolve().name if folder == root else folder.relative_to(root).as_posix()
        if first_event is None or not reading.has_anything():
            yield from reading.remarks_of(name)
            continue
        # Files are named after the second and the host: two runs may well share one. Their first
        # events tell them apart, by the microsecond.
        uuid = uuid_of(KIND, folder.resolve().name, *first_event)
        yield reading.run(uuid, name_of_run(name), name_of_experiment(root.resolve().name))


def _first_event(folder: Path) -> tuple[str, str] | None:
    """Return the name of a folder's first file that holds an event, and the event."""
    for path in sorted(folder.glob(_FILES)) or sorted(folder.iterdir()):
        if not path.is_file():
            continue
        with path.open("rb") as file:
            try:
                first = next(frames(file), None)
            except DamagedFrameError:
                continue
        if first is not None:
            return path.name, first.hex()
    return None


class _Messages:
    """What of the package `tensorboard` is used; it does without TensorFlow."""

    def __init__(self) -> None:
        try:
            self.event = import_module("tensorboard.compat.proto.event_pb2")
            self.hparams = import_module("tensorboard.plugins.hparams.plugin_data_pb2")
            self.tensors = import_module("tensorboard.util.tensor_util")
            self.DecodeError = import_module("google.protobuf.message").DecodeError
        except ImportError as error:
            raise MissingDependencyError(
                "event files need tensorboard, which is not installed;"
                " pip install 'pytest-sgtrack[tensorboard]'"
            ) from error

    def array(self, tensor: Any) -> Any:
        """Return a tensor as a numpy array.

        Raises:
            ValueError: it is none.
        """
        if math.prod(size.size for size in tensor.tensor_shape.dim) > _MOST_ELEMENTS:
            raise ValueError("their shape is too large")
        try:
            return self.tensors.make_ndarray(tensor)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError("they cannot be decoded") from error


class _Reading:
    """What has been read of one run."""

    def __init__(self, messages: _Messages) -> None:
        self._messages = messages
        self._parts: list[Part] = []
        self._plugins: dict[str, str] = {}  # by tag; only the first value of a tag names it
        self._config: dict[str, Any] = {}
        self._times: list[float] = []  # of the first event and the latest
        self._status = Status.COMPLETED
        self._remarks: list[str] = []

    def has_anything(self) -> bool:
        return bool(self._config) or any(sum(part.counts().values()) for part in self._parts)

    def remarks_of(self, name: str) -> Iterator[Remark]:
        """Yield what is to be said of a folder that becomes no run."""
        for text in self._remarks:
            yield Remark(text)
        for what, n in sum((part.left_out for part in self._parts), Counter()).items():
            yield Remark(f"{name}: left out: {n} {what}")

    def run(self, uuid: str, name: str, experiment: str) -> ImportedRun:
        first, latest = self._times
        duration_s = max(latest - first, 0.0)
        return ImportedRun(
            uuid,
            name,
            experiment,
            time_of_run(first),
            RunEnd(self._status, duration_s=duration_s if math.isfinite(duration_s) else None),
            self._parts,
            self._config,
            {"imported_from": KIND},
            remarks=self._remarks,
        )

    def read(self, path: Path) -> None:
        """Read a file as far as it goes."""
        part = Part(path.name)
        self._parts.append(part)
        n_events = end = 0
        with path.open("rb") as file:
            try:
                for content in frames(file):
                    try:
                        event = self._messages.event.Event.FromString(content)
                    except self._messages.DecodeError as error:
                        raise DamagedFrameError("it is no event") from error
                    self._take(part, event)
                    n_events += 1
                    end = file.tell()
            except DamagedFrameError as error:
                size = path.stat().st_size
                self._remarks.append(
                    f"{path}: read to byte {end} of {size}, {n_events} events; behind it lies no"
                    f" whole event: {error}"
                )

    def _take(self, part: Part, event: Any) -> None:
        time = event.wall_time
        self._times = [self._times[0], max(self._times[1], time)] if self._times else [time, time]
        what = event.WhichOneof("what")
        if what == "summary":
            for value in event.summary.value:
                if value.WhichOneof("value") == "simple_value":
                    part.record(value.tag, event.step, value.simple_value, time)
                else:
                    self._take_value(part, event.step, time, value)
        elif what in ("graph_def", "meta_graph_def", "tagged_run_metadata", "log_message"):
            part.left_out[f"{what}s, which have no place here"] += 1

    def _take_value(self, part: Part, step: int, time: float, value: Any) -> None:
        plugin = value.metadata.plugin_data.plugin_name
        plugin = self._plugins.setdefault(value.tag, plugin) if plugin else plugin
        kind = value.WhichOneof("value")
        place = (value.tag, step)
        if plugin == _HPARAMS:
            self._take_hparams(part, value.metadata.plugin_data.content)
        elif kind == "histo":
            part.add(Histogram.checked, *place, *_buckets(value.histo), time)
        elif kind == "image":
            _take_pictures(part, place, [value.image.encoded_image_string], time)
        elif kind == "tensor":
            plugin = plugin or self._plugins.get(value.tag, "")
            try:
                self._take_tensor(part, plugin, place, value.tensor, time)
            except ValueError as error:
                part.left_out[f"tensors of the plugin {plugin!r}: {error}"] += 1
        else:
            part.left_out[f"values of the kind {kind}, which have no place here"] += 1

    def _take_tensor(
        self, part: Part, plugin: str, place: tuple[str, int], tensor: Any, time: float
    ) -> None:
        if plugin not in ("scalars", "histograms", "images", "text"):
            raise ValueError("they have no place here")
        array = self._messages.array(tensor)
        if plugin == "scalars":
            if array.size != 1 or array.dtype.kind == "O":
                raise ValueError("expected one number")
            part.record(*place, float(array.item()), time)
        elif plugin == "histograms":
            if array.ndim != 2 or array.shape[1] != 3:
                raise ValueError(f"expected buckets, got the shape {array.shape}")
            lefts, rights, counts = array.astype(float).T.tolist()
            edges = [*lefts, rights[-1]] if counts else []
            part.add(Histogram.checked, *place, *_histogram(edges, counts), time)
        else:
            contents = [one for one in array.ravel().tolist() if isinstance(one, bytes)]
            if plugin == "images":
                _take_pictures(part, place, contents[2:], time)  # the first two are its sizes
            for content in contents if plugin == "text" else ():
                part.add(Text.checked, *place, content.decode(errors="replace"), time)

    def _take_hparams(self, part: Part, content: bytes) -> None:
        try:
            data = self._messages.hparams.HParamsPluginData.FromString(content)
        except self._messages.DecodeError:
            part.left_out["hyper-parameters that are damaged"] += 1
            return
        if data.session_end_info.status == 2:  # STATUS_FAILURE of the plugin's api.proto
            self._status = Status.FAILED
        for name, value in data.session_start_info.hparams.items():
            kind = value.WhichOneof("kind")
            if kind in ("number_value", "string_value", "bool_value"):
                self._config[name] = getattr(value, kind)
            else:
                part.left_out["hyper-parameters that are no number, text or truth"] += 1


def _take_pictures(
    part: Part, place: tuple[str, int], contents: Sequence[bytes], time: float
) -> None:
    for content in contents:
        try:
            pixels = decoded(content)
        except (MissingDependencyError, ValueError) as error:
            part.left_out[f"images: {error}"] += 1
        else:
            part.add(Image.checked, *place, *pixels, time)


def _buckets(histogram: Any) -> tuple[list[float], list[float]]:
    """Return edges and counts of the old form: right edges only, the outer ones beyond all floats.

    Empty buckets at both ends are left out, and smallest and largest value are the outer edges, as
    TensorBoard does it.
    """
    counts = list(histogram.bucket)
    filled = [place for place, count in enumerate(counts) if count]
    if not filled:
        return _histogram([], [])
    first, last = filled[0], filled[-1]
    inner = list(histogram.bucket_limit)[first:last]
    return _histogram([histogram.min, *inner, histogram.max], counts[first : last + 1])


def _histogram(edges: list[float], counts: list[float]) -> tuple[list[float], list[float]]:
    """Return edges and counts, whole numbers as such; of no values one empty bucket."""
    if not counts:
        return [0.0, 1.0], [0]
    return edges, [int(count) if count.is_integer() else count for count in counts]
