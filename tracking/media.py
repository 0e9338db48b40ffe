"""Arrays as the database keeps them: histograms and images, pure."""

from __future__ import annotations

import math
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.arguments import described
from tracking.errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy.typing as npt

_PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels; w3.org/TR/png, table 11.1

MAX_BINS = 100_000
"""Most buckets of a histogram."""


class Histogram(NamedTuple):
    """Counts of values in buckets.

    Attributes:
        edges: n + 1 increasing floats.
        counts: n counts; bucket i holds edges[i] <= x < edges[i + 1], the last its right edge too.
        n_non_finite: values that are NaN or infinite, in no bucket.
    """

    edges: list[float]
    counts: list[int]
    n_non_finite: int


class Image(NamedTuple):
    """Pixels, row by row: `data` has height * width * channels bytes."""

    width: int
    height: int
    channels: int
    data: bytes


def as_array(argument: str, source: object) -> npt.NDArray[Any]:
    """Return numbers as an array: of numpy, anything it takes, or a tensor of a framework.

    Tensors are asked for their numbers by `realize`, `detach`, `cpu`, `numpy` and `values`, as far
    as they have them.

    Raises:
        InvalidArgumentError: there are no real numbers in it.
    """
    import numpy as np

    try:
        array = np.asarray(source if isinstance(source, np.ndarray) else _numbers_of(source))
    except Exception as error:  # whatever a framework raises
        raise InvalidArgumentError(argument, f"cannot become an array: {error}") from error
    if array.dtype.kind not in "buif":
        raise InvalidArgumentError(
            argument, f"expected real numbers, got dtype {array.dtype} of {type(source).__name__}"
        )
    return array


def _numbers_of(source: Any) -> Any:
    import numpy as np

    numbers = source
    for method in ("realize", "detach", "cpu", "numpy"):
        if callable(getattr(numbers, method, None)):
            result = getattr(numbers, method)()
            numbers = numbers if result is None else result  # None: done in place
    if not isinstance(numbers, np.ndarray) and hasattr(numbers, "values"):
        return numbers if callable(numbers.values) else numbers.values
    return numbers


def histogram_of(source: object, bins: int) -> Histogram:
    """Count the values of an array of any shape in `bins` buckets of equal width.

    The buckets span the values; 0.5 to both sides of the one value there is, 0 to 1 where there is
    none, and a little more than the values where those lie too close for `bins` floats.

    Raises:
        InvalidArgumentError: `tensor` holds no real numbers, or `bins` is no int from 1 to
            `MAX_BINS`.
    """
    import numpy as np

    is_int = isinstance(bins, int | np.integer) and not isinstance(bins, bool)
    if not is_int or not 1 <= bins <= MAX_BINS:
        raise InvalidArgumentError(
            "bins", f"expected an int from 1 to {MAX_BINS}, got {described(bins)}"
        )
    array = as_array("tensor", source)
    with np.errstate(all="ignore"):  # overflow and underflow are dealt with, not reported
        values = array.astype(np.float64, copy=False).ravel()
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        scale = 2.0**-64 if max(-low, high) > 1e300 else 1.0  # keeps high - low finite
        span = _span(low * scale, high * scale, int(bins), largest=sys.float_info.max * scale)
        edges = np.linspace(*span, int(bins) + 1) / scale
        # Scaling may have made a zero of a subnormal end.
        edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
        counts, _ = np.histogram(finite, bins=edges)
    return Histogram(edges.tolist(), counts.tolist(), int(values.size - finite.size))


def _span(low: float, high: float, bins: int, largest: float) -> tuple[float, float]:
    """Return what the buckets span: at least two floats each, so that all edges differ."""
    least = 2 * bins * math.ulp(max(-low, high))
    margin = 0.0
    if low == high:
        margin = max(0.5, least)
    elif high - low < least:
        margin = least
    return max(low - margin, -largest), min(high + margin, largest)


def image_of(source: object) -> Image:
    """Turn an array of shape (H, W) or (H, W, C), 1 <= C <= 4, into bytes.

    Floats are clipped to 0..1 and scaled to 0..255, NaN becoming 0; other types are clipped to
    0..255.

    Raises:
        InvalidArgumentError: `image_data` is no such array.
    """
    import numpy as np

    pixels = as_array("image_data", source)
    shape = pixels.shape
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or 0 in pixels.shape:
        raise InvalidArgumentError(
            "image_data",
            f"expected shape (H, W) or (H, W, C) with C from 1 to 4, got {shape}",
        )
    if pixels.dtype.kind == "f":
        pixels = np.clip(np.nan_to_num(pixels, nan=0.0), 0, 1) * 255
    elif pixels.dtype != np.uint8:
        pixels = np.clip(pixels.astype(np.float64), 0, 255)
    height, width, channels = pixels.shape
    return Image(width, height, channels, pixels.astype(np.uint8).tobytes())


def as_png(image: Image) -> bytes:
    """Return an image as a PNG file (w3.org/TR/png): 8 bits a sample, rows unfiltered.

    Raises:
        ValueError: it has other than 1 to 4 channels, or not as many bytes as its sizes say.
    """
    width, height, channels, data = image
    n_row = width * channels
    if channels not in _PNG_COLOURS or len(data) != n_row * height or not data:
        raise ValueError(f"{len(data)} bytes are no image of {width} x {height} x {channels}")
    header = struct.pack(">IIBBBBB", width, height, 8, _PNG_COLOURS[channels], 0, 0, 0)
    rows = b"".join(b"\0" + data[start : start + n_row] for start in range(0, len(data), n_row))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
