"""Arrays as the database keeps them: histograms and images, pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tracking.errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy.typing as npt


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

    numbers: Any = source
    if not isinstance(source, np.ndarray):
        for method in ("realize", "detach", "cpu", "numpy"):
            if callable(getattr(numbers, method, None)):
                numbers = getattr(numbers, method)()
        if not isinstance(numbers, np.ndarray) and hasattr(numbers, "values"):
            numbers = numbers if callable(numbers.values) else numbers.values
    try:
        array = np.asarray(numbers)
    except Exception as error:  # whatever a foreign __array__ raises
        raise InvalidArgumentError(argument, f"cannot become an array: {error}") from error
    if array.dtype.kind not in "buif":
        raise InvalidArgumentError(
            argument, f"expected real numbers, got dtype {array.dtype} of {type(source).__name__}"
        )
    return array


def histogram_of(source: object, bins: int) -> Histogram:
    """Count the values of an array of any shape in `bins` buckets of equal width.

    Raises:
        InvalidArgumentError: `tensor` holds no real numbers, or `bins` is no positive int.
    """
    import numpy as np

    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise InvalidArgumentError("bins", f"expected a positive int, got {bins!r}")
    values = as_array("tensor", source).astype(np.float64, copy=False).ravel()
    finite = values[np.isfinite(values)]
    scale = 1.0
    if finite.size and max(-float(finite.min()), float(finite.max())) > 1e300:
        scale = 2.0**-64  # exact, and keeps the range of the values finite
    counts, edges = np.histogram(finite * scale, bins=int(bins))
    edges = np.clip(edges / scale, -np.finfo(float).max, np.finfo(float).max)
    return Histogram(edges.tolist(), counts.tolist(), int(values.size - finite.size))


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
