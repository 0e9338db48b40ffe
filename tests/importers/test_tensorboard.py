"""Logs of TensorBoard, written by tensorboardX and read here, beside TensorBoard's own reading."""

from __future__ import annotations

import base64
import io
import math
import shutil
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tensorboard import data_compat
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboardX import SummaryWriter

from tracking import MissingDependencyError, StoreError
from tracking.importers import Imported, Remark, import_runs
from tracking.importers.event_file import frames, masked_crc
from tracking.importers.pixels import decoded

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10


def logged(folder, log=lambda writer: None, **options):
    """Write an event file with tensorboardX; return its path."""
    before = set(folder.glob("*")) if folder.exists() else set()
    with SummaryWriter(str(folder), **options) as writer:
        log(writer)
    (path,) = set(folder.glob("*")) - before
    return path


def events_of(path):
    with path.open("rb") as file:
        return [event_pb2.Event.FromString(content) for content in frames(file)]


def write_events(path, events):
    with path.open("wb") as file:
        for event in events:
            content = event.SerializeToString()
            length = struct.pack("<Q", len(content))
            for part in (length, content):
                file.write(part + struct.pack("<I", masked_crc(part)))


def with_tensors(path):
    """Rewrite a file in the new form, as TensorBoard itself brings the old one to it."""
    write_events(path, [data_compat.migrate_event(event) for event in events_of(path)])


def imported(source, folder, **options):
    return list(import_runs(source, folder, **options))


def one_run(source, folder, everything):
    (item,) = imported(source, folder)
    (run,) = everything(item.db_path).values()
    return run, item.run


rows = st.lists(
    st.tuples(
        st.sampled_from(["loss", "val/acc"]),
        st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5),
        st.floats(width=32),
        st.floats(0, 1e10),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None)
@given(rows=rows, is_tensor=st.booleans())
def test_scalars_come_out_as_they_went_in(tmp_path_factory, everything, rows, is_tensor):
    folder = tmp_path_factory.mktemp("log")

    def log(writer):
        for tag, step, value, time in rows:
            writer.add_scalar(tag, value, step, walltime=time)

    path = logged(folder / "log", log)
    if is_tensor:
        with_tensors(path)
    run, _ = one_run(folder / "log", folder, everything)
    expected = {}  # SQLite keeps no sign of zero
    for tag, step, value, time in rows:
        expected.setdefault(tag, []).append((step, repr(value + 0.0), time))
    expected = {tag: sorted(found, key=lambda row: row[0]) for tag, found in expected.items()}
    assert run["records"] == expected
    assert run["status"] == "completed"


def log_media(writer):
    writer.add_text("note", "once upon a time", 3, walltime=5.0)
    writer.add_image("digit", PIXELS, 2, walltime=5.0, dataformats="HWC")
    writer.add_image("grey", PIXELS[:, :, 0], 2, dataformats="HW")
    writer.add_histogram("weights", np.array([0.0, 0.1, 0.1, 0.9, 1.0]), 1, bins=[0, 0.5, 1.0])
    writer.add_histogram_raw(
        "raw",
        min=-1.0,
        max=3.0,
        num=3,
        sum=2,
        sum_squares=10,
        bucket_limits=[-2.0, 0.0, 2.0, sys.float_info.max],
        bucket_counts=[0.0, 1.0, 0.5, 2.0],
        global_step=7,
    )


@pytest.mark.parametrize("is_tensor", [False, True])
def test_texts_images_and_histograms_come_too(tmp_path, everything, is_tensor):
    path = logged(tmp_path / "log", log_media)
    if is_tensor:
        with_tensors(path)
    run, source = one_run(tmp_path / "log", tmp_path, everything)
    assert source.left_out() == {}
    ((tag, (text,)),) = run["texts"].items()
    assert tag.startswith("note")
    assert text == {"step": 3, "content": "once upon a time", "log_time": 5.0}
    (image,) = run["images"]["digit"]
    sizes = [image[name] for name in ("step", "width", "height", "channels", "log_time")]
    assert sizes == [2, 4, 2, 3, 5.0]
    assert base64.b64decode(image["data_b64"]) == PIXELS.tobytes()
    assert {image["channels"] for image in run["images"]["grey"]} <= {1, 3}
    (weights,) = run["histograms"]["weights"]
    assert sum(weights["bucket_counts"]) == 5
    assert (weights["bucket_edges"][0], weights["bucket_edges"][-1]) == (0.0, 1.0)
    (raw,) = run["histograms"]["raw"]
    assert (raw["bucket_edges"], raw["bucket_counts"]) == ([-1.0, 0.0, 2.0, 3.0], [1, 0.5, 2])


def test_an_empty_histogram_stays_one(tmp_path, everything):
    path = logged(tmp_path / "log", log_media)
    events = [event for event in events_of(path) if event.summary.value]
    (value,) = (v for event in events for v in event.summary.value if v.tag == "raw")
    value.histo.bucket[:] = [0.0] * 4
    write_events(path, events)
    for _ in range(2):
        run, _ = one_run(tmp_path / "log", tmp_path / path.name, everything)
        (raw,) = run["histograms"]["raw"]
        assert (raw["bucket_edges"], raw["bucket_counts"]) == ([0.0, 1.0], [0])
        with_tensors(path)
        shutil.rmtree(tmp_path / path.name)


def test_hyper_parameters_become_config_of_the_run_they_were_written_to(tmp_path, everything):
    hparams = {"lr": 0.1, "optimizer": "adam", "nesterov": True}
    with SummaryWriter(str(tmp_path / "log")) as writer:
        writer.add_scalar("loss", 1.0, 0)
        writer.add_hparams(hparams, {"best": 0.5}, name="trial")
    imported(tmp_path / "log", tmp_path)
    runs = everything(tmp_path / "log.db")
    assert set(runs) == {"log", "trial"}
    assert runs["trial"]["config"] == hparams
    assert runs["trial"]["records"]["best"][0][1] == "0.5"
    assert runs["log"]["config"] == {}


def test_a_session_that_failed_is_a_failed_run(tmp_path, everything):
    with SummaryWriter(str(tmp_path / "log")) as writer:
        writer.add_hparams({"lr": 0.1}, {"best": 0.5}, name="trial")
    (path,) = (tmp_path / "log" / "trial").iterdir()
    events = events_of(path)
    for event in events:
        for value in event.summary.value:
            data = value.metadata.plugin_data
            if value.tag == "_hparams_/session_end_info":
                data.content = data.content.replace(b"\x22\x02\x08\x01", b"\x22\x02\x08\x02")
    write_events(path, events)
    run, _ = one_run(path.parent, tmp_path, everything)
    assert run["status"] == "failed"


def test_each_folder_is_a_run_that_knows_when_it_began_and_how_long_it_took(tmp_path, everything):
    for place, name in enumerate(("train", "val/deep")):
        path = logged(tmp_path / "log" / name, lambda w: w.add_scalar("loss", 1.0, 0))
        events = events_of(path)
        for event, time in zip(events, (1e9, 1e9 + 2.5 + place), strict=True):
            event.wall_time = time
        write_events(path, events)
    imported(tmp_path / "log", tmp_path)
    runs = everything(tmp_path / "log.db")
    assert {
        name: (run["started_at"], run["duration_s"], run["environment"])
        for name, run in runs.items()
    } == {
        "train": (1e9, 2.5, {"imported_from": "tensorboard"}),
        "val/deep": (1e9, 3.5, {"imported_from": "tensorboard"}),
    }


def test_a_run_is_the_same_wherever_its_folder_lies_and_however_it_is_named(tmp_path):
    path = logged(tmp_path / "a" / "log", lambda w: w.add_scalar("loss", 1.0, 0))
    shutil.copytree(tmp_path / "a", tmp_path / "b" / "a")
    (item,) = imported(path.parent, tmp_path / "e")
    for source in (path, path.parent.parent, tmp_path / "b"):
        (again,) = imported(source, tmp_path / "e", experiment=item.run.experiment)
        assert (again.run.uuid, again.added.is_nothing()) == (item.run.uuid, True)
    other = logged(tmp_path / "c" / "log", lambda w: w.add_scalar("loss", 1.0, 0))
    (another,) = imported(other.parent, tmp_path / "e")
    assert another.run.uuid != item.run.uuid


def test_a_log_that_goes_on_in_a_second_file_is_one_run(tmp_path, everything):
    for step in range(2):
        logged(
            tmp_path / "log",
            lambda w, step=step: w.add_scalar("loss", step, step, walltime=5.0),
            filename_suffix=f".{step}",
        )
        run, _ = one_run(tmp_path / "log", tmp_path, everything)
    assert run["records"] == {"loss": [(0, "0.0", 5.0), (1, "1.0", 5.0)]}


def test_files_of_a_run_are_read_in_the_order_of_their_names(tmp_path, everything):
    for value in (3, 1, 2, 0):
        path = logged(tmp_path / "log", lambda w, value=value: w.add_scalar("loss", value, 0, None))
        path.rename(path.with_name(f"events.out.tfevents.{value}"))
    run, _ = one_run(tmp_path / "log", tmp_path, everything)
    assert [value for _, value, _ in run["records"]["loss"]] == ["0.0", "1.0", "2.0", "3.0"]


def test_a_tag_keeps_the_plugin_that_its_first_value_named(tmp_path, everything):
    path = logged(tmp_path / "log", lambda w: [w.add_scalar("loss", n, n) for n in range(3)])
    with_tensors(path)
    events = events_of(path)
    for event in events[2:]:
        event.summary.value[0].ClearField("metadata")
    write_events(path, events)
    run, source = one_run(tmp_path / "log", tmp_path, everything)
    assert source.left_out() == {}
    assert [step for step, _, _ in run["records"]["loss"]] == [0, 1, 2]


def test_the_latest_event_need_not_be_the_last(tmp_path, everything):
    def log(writer):
        for time in (2e9 + 9, 2e9 + 4):
            writer.add_scalar("loss", 1.0, 0, walltime=time)

    path = logged(tmp_path / "log", log)
    events = events_of(path)
    events[0].wall_time = 2e9
    write_events(path, events)
    run, _ = one_run(tmp_path / "log", tmp_path, everything)
    assert (run["started_at"], run["duration_s"]) == (2e9, 9.0)


# What cannot come, and is said


def heard():
    event = event_pb2.Event(step=1)
    event.summary.value.add(tag="voice").audio.sample_rate = 44_100
    return event


def test_what_has_no_place_is_counted(tmp_path):
    def log(writer):
        writer.add_scalar("loss", 1.0, 0)
        writer.add_pr_curve("pr", np.array([0, 1]), np.array([0.1, 0.9]), 0)
        writer.add_image("broken", PIXELS, 0, dataformats="HWC")

    path = logged(tmp_path / "log", log)
    events = events_of(path)
    (image,) = (v.image for e in events for v in e.summary.value if v.tag == "broken")
    image.encoded_image_string = image.encoded_image_string[:-30]
    write_events(path, [*events, heard(), event_pb2.Event(step=1, graph_def=b"x")])
    (item,) = imported(tmp_path / "log", tmp_path)
    assert item.added.counts == {"records": 1}
    assert item.run.left_out() == {
        "values of the kind audio, which have no place here": 1,
        "tensors of the plugin 'pr_curves': they have no place here": 1,
        "images: it is damaged, or no picture": 1,
        "graph_defs, which have no place here": 1,
    }


def with_hparams(path, change):
    """Write an event file whose hyper-parameters have been changed."""
    events = events_of(path)
    for event in events:
        for value in event.summary.value:
            if value.tag == "_hparams_/session_start_info":
                data = value.metadata.plugin_data
                data.content = change(data.content)
    write_events(path, events)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: b"\xff" + content, "hyper-parameters that are damaged"),
        (
            # The number of lr gives way to a list, which no kind of hyper-parameter is.
            lambda content: with_list(content, "lr"),
            "hyper-parameters that are no number, text or truth",
        ),
    ],
)
def test_hyper_parameters_that_cannot_come_are_counted(tmp_path, change, problem):
    with SummaryWriter(str(tmp_path / "log")) as writer:
        writer.add_hparams({"lr": 0.1}, {"best": 0.5}, name="trial")
    (path,) = (tmp_path / "log" / "trial").iterdir()
    with_hparams(path, change)
    (item,) = imported(path.parent, tmp_path)
    assert item.added.counts == {"records": 1}
    assert item.run.left_out() == {problem: 1}


def with_list(content, name):
    data = plugin_data_pb2.HParamsPluginData.FromString(content)
    data.session_start_info.hparams[name].list_value.values.add().number_value = 1.0
    return data.SerializeToString()


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    path = logged(tmp_path / "log", lambda w: w.add_scalar("loss", 1.0, 0))
    opened = Path.open

    def refused(file, *arguments, **named):
        if file == path:
            raise PermissionError(13, "Permission denied", str(file))
        return opened(file, *arguments, **named)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(StoreError) as caught:
        imported(tmp_path / "log", tmp_path)
    assert str(caught.value) == f"cannot read {path}: Permission denied"
    assert not (tmp_path / "log.db").exists()


def test_a_frame_that_is_whole_and_no_event_ends_what_is_read(tmp_path):
    path = logged(tmp_path / "log", lambda w: w.add_scalar("loss", 1.0, 0))
    size = path.stat().st_size
    content, length = b"\xff\xff", struct.pack("<Q", 2)
    with path.open("ab") as file:
        for part in (length, content):
            file.write(part + struct.pack("<I", masked_crc(part)))
    (item,) = imported(tmp_path / "log", tmp_path)
    (remark,) = remarks_of(item)
    assert records_of(item) == 1
    assert f"read to byte {size} of {path.stat().st_size}, 2 events; behind" in remark


@pytest.mark.parametrize(
    ("plugin", "shape", "problem"),
    [
        ("scalars", [10**13], "their shape is too large"),
        ("scalars", [2], "expected one number"),
        ("histograms", [2], "expected buckets, got the shape (2,)"),
        ("scalars", [], "they cannot be decoded"),
    ],
)
def test_tensors_that_are_not_what_their_plugin_says_are_counted(tmp_path, plugin, shape, problem):
    path = logged(tmp_path / "log", lambda w: w.add_scalar("loss", 1.0, 0))
    event = event_pb2.Event(step=1)
    value = event.summary.value.add(tag="odd")
    value.metadata.plugin_data.plugin_name = plugin
    value.tensor.dtype = 1 if shape else 20
    value.tensor.float_val.append(1.0)
    for size in shape:
        value.tensor.tensor_shape.dim.add(size=size)
    write_events(path, [*events_of(path), event])
    (item,) = imported(tmp_path / "log", tmp_path)
    ((reason, n),) = item.run.left_out().items()
    assert reason.startswith(f"tensors of the plugin '{plugin}': ")
    assert problem in reason
    assert (n, item.added.counts) == (1, {"records": 1})


def test_a_folder_with_nothing_to_take_becomes_no_run(tmp_path):
    logged(tmp_path / "log" / "empty")
    path = logged(tmp_path / "log" / "heard")
    write_events(path, [*events_of(path), heard()])
    (tmp_path / "log" / "cut").mkdir()
    (tmp_path / "log" / "cut" / "events.out.tfevents.1").write_bytes(b"\x18")
    items = imported(tmp_path / "log", tmp_path / "e")
    assert items == [
        Remark(
            f"{tmp_path}/log/cut/events.out.tfevents.1: read to byte 0 of 1, 0 events; behind it"
            " lies no whole event: it is cut short"
        ),
        Remark("heard: left out: 1 values of the kind audio, which have no place here"),
    ]
    assert not (tmp_path / "e").exists()


def ends_of_frames(path):
    ends = []
    with path.open("rb") as file:
        ends.extend(file.tell() for _ in frames(file))
    return ends


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    def log(writer):
        for step in range(4):
            writer.add_scalar("loss", step, step)

    return logged(tmp_path_factory.mktemp("whole") / "log", log)


@settings(deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_up_to_the_damage_and_says_so(tmp_path_factory, whole, data):
    content = whole.read_bytes()
    ends = ends_of_frames(whole)
    place = data.draw(st.integers(0, len(content) - 1), label="place")
    is_cut = data.draw(st.booleans(), label="is_cut")
    damaged = bytearray(content)
    damaged[place] ^= data.draw(st.integers(1, 255), label="change")
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "log" / whole.name
    path.parent.mkdir()
    path.write_bytes(content[:place] if is_cut else damaged)
    n_whole = sum(end <= place for end in ends)
    is_clean = is_cut and place in (0, *ends)
    items = imported(folder / "log", folder)
    remarks = [text for item in items for text in remarks_of(item)]
    assert len(remarks) == (not is_clean)
    for text in remarks:
        end = ([0, *ends])[n_whole]
        size = path.stat().st_size
        assert text.startswith(f"{path}: read to byte {end} of {size}, {n_whole} events; behind")
    # The first event is the file's version.
    assert sum(records_of(item) for item in items) == max(n_whole - 1, 0)


def remarks_of(item):
    return [item.text] if isinstance(item, Remark) else list(item.run.remarks)


def records_of(item):
    return item.added.counts["records"] if isinstance(item, Imported) else 0


def test_a_repaired_file_adds_what_was_missing(tmp_path, whole, everything):
    path = tmp_path / "log" / whole.name
    path.parent.mkdir()
    path.write_bytes(whole.read_bytes()[:-5])
    assert [records_of(item) for item in imported(path.parent, tmp_path)] == [3]
    shutil.copy(whole, path)
    assert [records_of(item) for item in imported(path.parent, tmp_path)] == [1]
    assert len(everything(tmp_path / "log.db")["log"]["records"]["loss"]) == 4


@given(st.binary(max_size=200))
def test_the_check_is_the_one_of_tensorboard(content):
    assert masked_crc(content) == pywrap_tensorflow.masked_crc32c(content)


@pytest.mark.parametrize("package", ["tensorboard.compat.proto", "google.protobuf.message"])
def test_without_tensorboard_it_is_said_how_to_get_it(monkeypatch, tmp_path, whole, package):
    monkeypatch.setitem(sys.modules, package, None)
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingDependencyError, match=r"pip install 'pytest-sgtrack\[tensorboard\]"):
        imported(whole.parent, tmp_path / "e")
    assert not (tmp_path / "e").exists()


# Pictures


def picture(mode, kind="PNG", **options):
    file = io.BytesIO()
    Image.new(mode, (3, 2)).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "channels"),
    [
        (picture("1"), 1),
        (picture("L"), 1),
        (picture("LA"), 2),
        (picture("RGB"), 3),
        (picture("RGBA"), 4),
        (picture("P"), 3),
        (picture("P", transparency=0), 4),
        (picture("RGB", "JPEG"), 3),
        (picture("CMYK", "JPEG"), 3),
        (picture("RGB", "GIF"), 3),
    ],
)
def test_pictures_become_bytes(content, channels):
    sizes, data = decoded(content)
    assert sizes == (3, 2, channels)
    assert len(data) == math.prod(sizes)


def moving():
    file = io.BytesIO()
    frames_of_it = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
    frames_of_it[0].save(file, "GIF", save_all=True, append_images=frames_of_it[1:])
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no picture"),
        (b"GIF89a", "no picture"),
        (picture("RGB")[:-30], "damaged"),
        (moving(), "it moves"),
        (picture("I;16"), "of the kind I;16"),
    ],
)
def test_what_is_no_picture_says_why(content, problem):
    with pytest.raises(ValueError, match=problem):
        decoded(content)


def test_a_picture_that_would_fill_the_memory_is_refused(monkeypatch):
    content = picture("RGB")
    for most in (5, 2):  # of 6 pixels: where Pillow warns, and where it refuses
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError, match="too large"):
                decoded(content)


def test_without_pillow_images_are_left_out_and_come_when_it_is_there(
    monkeypatch, tmp_path, everything
):
    logged(tmp_path / "log", log_media)
    monkeypatch.setitem(sys.modules, "PIL", None)
    (item,) = imported(tmp_path / "log", tmp_path)
    ((reason, n),) = item.run.left_out().items()
    assert "pip install 'pytest-sgtrack[tensorboard]'" in reason
    assert n == 2
    monkeypatch.undo()
    (item,) = imported(tmp_path / "log", tmp_path)
    assert item.added.counts == {"images": 2}
    assert set(everything(item.db_path)["log"]["images"]) == {"digit", "grey"}
