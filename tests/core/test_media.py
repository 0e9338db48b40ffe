"""Arrays as the database keeps them: histograms and images."""

from __future__ import annotations

import array
import math
import struct
import sys
import zlib
from bisect import bisect_right
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.errors import InvalidArgumentError
from tracking.media import MAX_BINS, Image, as_array, as_png, histogram_of, image_of

NAN, INF, MAX, ULP = math.nan, math.inf, sys.float_info.max, math.ulp(0.0)

every_value = st.floats() | st.sampled_from([MAX, -MAX, ULP, 1e-310, 1.0, math.nextafter(1, 2)])


def recounted(values, edges):
    """Count by the definition: edges[i] <= x < edges[i + 1], the last bucket with its end."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(bisect_right(edges, value), len(counts)) - 1] += 1
    return counts


def refused(function, *arguments):
    with pytest.raises(InvalidArgumentError) as caught:
        function(*arguments)
    return caught.value


# Arrays and tensors


class Ours:
    """A tensor as the seed has it: values once it was realized, in place."""

    def __init__(self, values):
        self.pending, self.values = values, None

    def realize(self):
        self.values = self.pending


class Chained:
    """A tensor that gives itself, or another one, at each step."""

    def __init__(self, values):
        self.values = np.asarray(values) + 1000  # not to be taken where numpy() is
        self.real = values
        self.steps = []

    def step(self, name):
        self.steps.append(name)
        return self

    def realize(self):
        return self.step("realize")

    def detach(self):
        return self.step("detach")

    def cpu(self):
        return self.step("cpu")

    def numpy(self):
        assert self.steps == ["realize", "detach", "cpu"]
        return np.asarray(self.real)


class ByProtocol:
    def __init__(self, values):
        self.real = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.real, dtype=dtype)


class OnlyValues:
    def __init__(self, values):
        self.values = values


class Raises:
    def __init__(self, name):
        self.name = name

    def __getattr__(self, name):
        if name != self.name:
            raise AttributeError(name)

        def method(*arguments, **keywords):
            raise TypeError(f"unsupported by {name}")

        return method


@pytest.mark.parametrize(
    "wrap",
    [list, tuple, np.array, Ours, Chained, ByProtocol, OnlyValues, lambda x: array.array("d", x)],
)
def test_numbers_come_out_of_every_kind_of_tensor(wrap):
    found = as_array("tensor", wrap([1.0, 2.0, 3.5]))
    assert type(found) is np.ndarray
    assert found.tolist() == [1.0, 2.0, 3.5]


@pytest.mark.parametrize(
    "dtype", ["?", "i1", "u1", "i4", "u8", "f2", "f4", "f8", ">f4", "longdouble"]
)
def test_every_dtype_of_real_numbers_is_taken(dtype):
    assert histogram_of(np.array([0, 1, 1], dtype=dtype), 2).counts == [1, 2]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (None, "got dtype object of NoneType"),
        ("text", "got dtype <U4 of str"),
        (b"bytes", "of bytes"),
        ({"a": 1}, "got dtype object of dict"),
        ([1j], "got dtype complex128 of list"),
        ([Decimal(1)], "object of list"),
        ([10**30], "object of list"),
        ([[1, 2], [3]], "cannot become an array"),
        (np.array([None]), "object of ndarray"),
        (np.array([1], "datetime64[s]"), "datetime64"),
        (np.zeros(2, "f4,f4"), "of ndarray"),
        (Ours("text"), "<U4 of Ours"),
        (Raises("realize"), "cannot become an array: unsupported by realize"),
        (Raises("numpy"), "cannot become an array: unsupported by numpy"),
        (ByProtocol("text"), "<U4 of ByProtocol"),
        (ByProtocol([[1], [2, 3]]), "cannot become an array"),
        (object(), "object of object"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else None,
)
def test_what_holds_no_real_numbers_is_refused(source, problem):
    for function, argument in [(lambda x: histogram_of(x, 3), "tensor"), (image_of, "image_data")]:
        error = refused(function, source)
        assert error.argument == argument
        assert problem in error.problem


# Histograms


@pytest.mark.parametrize("bins", [1, 2, 7, 30, np.int64(5), 1_000])
@pytest.mark.parametrize("shape", [(1_000,), (10, 4, 25), (1, 2)])
@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 1e200])
def test_counts_are_those_of_numpy(bins, shape, scale):
    values = scale * np.random.default_rng(0).normal(size=shape)
    counts, edges = np.histogram(values, bins=bins)
    found = histogram_of(values, bins)
    assert found == (edges.tolist(), counts.tolist(), 0)
    assert {type(count) for count in found.counts} == {int}
    assert {type(edge) for edge in found.edges} == {float}


@pytest.mark.parametrize(
    ("values", "n_finite", "n_non_finite"),
    [
        ([], 0, 0),
        (np.zeros((0, 3)), 0, 0),
        ([NAN], 0, 1),
        ([INF, -INF, NAN, NAN], 0, 4),
        ([1.0, NAN, 2.0, INF, 3.0, -INF], 3, 3),
        (np.array([1, INF], np.float16), 1, 1),
        (5.0, 1, 0),
        (np.float32(5), 1, 0),
    ],
)
def test_what_is_not_finite_is_counted_apart(values, n_finite, n_non_finite):
    found = histogram_of(values, 4)
    assert sum(found.counts) == n_finite
    assert found.n_non_finite == n_non_finite
    if not n_finite:
        assert found.edges == [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        ([3.0, 3.0], [2.5, 3.0, 3.5], [0, 2]),
        ([True, False, True], [0.0, 0.5, 1.0], [1, 2]),
        ([0, 5, 10], [0.0, 5.0, 10.0], [1, 2]),
        (np.array([-128, 127], np.int8), [-128.0, -0.5, 127.0], [1, 1]),
        (np.array([0, 2**64 - 1], np.uint64), [0.0, 2.0**63, 2.0**64], [1, 1]),
        ([-MAX, MAX], [-MAX, 0.0, MAX], [1, 1]),
        ([-MAX, 0.0, 1.0, MAX], [-MAX, 0.0, MAX], [1, 3]),
        ([0.0, MAX], [0.0, MAX / 2, MAX], [1, 1]),
        ([0.0, 100 * ULP], [0.0, 50 * ULP, 100 * ULP], [1, 1]),
    ],
)
def test_known_histograms(values, edges, counts):
    assert histogram_of(values, 2) == (edges, counts, 0)


@pytest.mark.parametrize("bins", [1, 2, 30, 1_000])
@pytest.mark.parametrize(
    "values",
    [
        [1e20],
        [2**60, 2**60],
        [MAX],
        [-MAX, -MAX],
        [1.0, math.nextafter(1.0, 2.0)],
        [1e300, math.nextafter(1e300, INF), math.nextafter(1e300, 0)],
        [math.nextafter(MAX, 0.0), MAX],
        [0.0, ULP],
        [-ULP, ULP],
        [1e16, 1e16 + 2],
    ],
)
def test_values_too_close_for_so_many_buckets_still_get_them(values, bins):
    found = histogram_of(values, bins)
    assert sum(found.counts) == len(values)
    assert all(a < b for a, b in zip(found.edges, found.edges[1:], strict=False))
    assert found.edges[0] <= min(values)
    assert max(values) <= found.edges[-1]


@given(st.lists(every_value, max_size=50), st.integers(1, 40), st.sampled_from(["f4", "f8"]))
@settings(deadline=None)
def test_every_value_is_counted_once_where_it_belongs(values, bins, dtype):
    with np.errstate(over="ignore"):
        source = np.array(values).astype(dtype)
    with np.errstate(all="raise"):
        edges, counts, n_non_finite = histogram_of(source, bins)
    finite = [value for value in source.tolist() if math.isfinite(value)]
    assert len(edges) == bins + 1
    assert all(map(math.isfinite, edges))
    assert edges == sorted(set(edges))
    assert counts == recounted(finite, edges)
    assert sum(counts) + n_non_finite == len(values)


@pytest.mark.skipif(np.finfo(np.longdouble).maxexp == 1024, reason="long double is double here")
def test_long_doubles_beyond_all_floats_count_as_not_finite():
    assert histogram_of(np.array(["1e4000", "1"], np.longdouble), 2).n_non_finite == 1


@pytest.mark.parametrize("bins", [0, -1, True, 2.0, "3", None, NAN, MAX_BINS + 1, [1, 2], np.True_])
def test_bins_is_a_positive_int(bins):
    error = refused(histogram_of, [1.0], bins)
    assert error.argument == "bins"
    assert "expected an int from 1 to" in error.problem


def test_an_enormous_number_of_bins_is_refused_before_memory_is_taken():
    assert refused(histogram_of, [1.0], 10**5_000).argument == "bins"


def test_the_array_handed_in_is_left_as_it_was():
    values = np.array([1e301, NAN, 1.0])
    histogram_of(values, 3)
    image_of(values.reshape(1, 3))
    assert repr(values.tolist()) == "[1e+301, nan, 1.0]"


# Images


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 3), (3, 2, 1)),
        ((2, 3, 1), (3, 2, 1)),
        ((2, 3, 2), (3, 2, 2)),
        ((2, 3, 3), (3, 2, 3)),
        ((4, 5, 4), (5, 4, 4)),
        ((1, 1), (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_image_is_its_rows_of_pixels(shape, expected, order):
    pixels = np.arange(math.prod(shape), dtype=np.uint8).reshape(shape)
    image = image_of(np.asarray(pixels, order=order))
    assert image[:3] == expected
    assert image.data == bytes(range(math.prod(shape)))


@pytest.mark.parametrize(
    ("row", "dtype", "expected"),
    [
        ([0, 1, 128, 255], "u1", [0, 1, 128, 255]),
        ([-128, -1, 0, 127], "i1", [0, 0, 0, 127]),
        ([-5, 0, 255, 300], "i4", [0, 0, 255, 255]),
        ([-(2**63), 7, 256, 2**63 - 1], "i8", [0, 7, 255, 255]),
        ([0, 255, 256, 2**64 - 1], "u8", [0, 255, 255, 255]),
        ([False, True], "?", [0, 1]),
        ([0.0, 0.2, 1.0, -0.0], "f8", [0, 51, 255, 0]),
        ([-1.0, 2.0, 1e308, -1e308], "f8", [0, 255, 255, 0]),
        ([NAN, INF, -INF, ULP], "f8", [0, 255, 0, 0]),
        ([NAN, INF, -INF, 0.5], "f2", [0, 255, 0, 127]),
        ([NAN, INF, -INF, 0.5], "f4", [0, 255, 0, 127]),
        ([NAN, INF, -INF, 0.5], "longdouble", [0, 255, 0, 127]),
        ([0.0, 1.0], ">f4", [0, 255]),
    ],
)
def test_pixels_are_clipped_to_a_byte(row, dtype, expected):
    with np.errstate(all="raise"):
        image = image_of(np.array([row], dtype=dtype))
    assert image == Image(len(row), 1, 1, bytes(expected))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_bytes_scaled_to_floats_come_back(dtype):
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert image_of(pixels.astype(dtype) / np.array(255, dtype)).data == pixels.tobytes()


@pytest.mark.parametrize("wrap", [Ours, Chained, ByProtocol, OnlyValues, list])
def test_an_image_may_be_a_tensor_or_a_list(wrap):
    assert image_of(wrap([[0, 255], [7, 8]])) == Image(2, 2, 1, bytes([0, 255, 7, 8]))


@pytest.mark.parametrize(
    "shape", [(), (3,), (0, 3), (3, 0), (2, 2, 0), (2, 2, 5), (3, 32, 32), (1, 2, 2, 3)]
)
def test_another_shape_is_refused_by_its_name(shape):
    error = refused(image_of, np.zeros(shape))
    assert error.argument == "image_data"
    assert f"got {shape}" in error.problem


# PNG


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_an_image_becomes_a_png_file_that_others_read(channels):
    width, height = 3, 2
    data = bytes(value % 256 for value in range(0, 7 * width * height * channels, 7))
    png = as_png(Image(width, height, channels, data))
    assert decoded_png(png) == (width, height, channels, data)


def decoded_png(png):
    """Read a PNG file of 8 bits a sample and unfiltered rows, chunk by chunk."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(png):
        (size,) = struct.unpack_from(">I", png, place)
        kind, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + size]
        (crc,) = struct.unpack_from(">I", png, place + 8 + size)
        assert crc == zlib.crc32(kind + body)
        chunks[kind] = body
        place += size + 12
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[colour]
    rows = zlib.decompress(chunks[b"IDAT"])
    n_row = width * channels + 1
    assert len(rows) == n_row * height
    assert all(rows[start] == 0 for start in range(0, len(rows), n_row))
    pixels = b"".join(rows[start + 1 : start + n_row] for start in range(0, len(rows), n_row))
    return width, height, channels, pixels


@pytest.mark.parametrize(
    "image", [Image(1, 1, 5, b"12345"), Image(2, 1, 1, b"1"), Image(0, 0, 1, b"")]
)
def test_what_is_no_image_has_no_png(image):
    with pytest.raises(ValueError, match="bytes are no image"):
        as_png(image)
