"""Rows of what a run keeps beside its records, made of what comes from outside. Pure."""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

from tracking.arguments import as_json, checked_name, checked_step, checked_text
from tracking.errors import InvalidArgumentError
from tracking.graph import check_graph_data


class Graph(NamedTuple):
    """A row of `graphs`."""

    graph_json: str
    created_at: float

    @classmethod
    def checked(cls, graph_data: object, created_at: float) -> Graph:
        """Check what comes from outside.

        Raises:
            InvalidArgumentError: it cannot be stored.
        """
        return cls(check_graph_data(graph_data), finite_time(created_at))


class Histogram(NamedTuple):
    """A row of `histograms`: n + 1 edges and n counts as JSON."""

    name: str
    step: int
    bucket_edges: str
    bucket_counts: str
    wall_time: float

    @classmethod
    def checked(
        cls, name: str, step: int, edges: object, counts: object, wall_time: float
    ) -> Histogram:
        """Check what comes from outside.

        Raises:
            InvalidArgumentError: it cannot be stored.
        """
        all_edges, all_counts = _numbers("bucket_edges", edges), _numbers("bucket_counts", counts)
        if not all_counts or len(all_edges) != len(all_counts) + 1:
            problem = f"{len(all_counts)} counts have {len(all_edges)} edges"
            raise InvalidArgumentError("bucket_edges", problem)
        return cls(
            checked_name("name", name),
            checked_step(step),
            as_json(all_edges),
            as_json(all_counts),
            finite_time(wall_time),
        )


class Image(NamedTuple):
    """A row of `images`."""

    name: str
    step: int
    width: int
    height: int
    channels: int
    image_data: bytes  # compressed, since all images of a run are held at once
    wall_time: float

    @classmethod
    def checked(
        cls, name: str, step: int, sizes: tuple[int, int, int], pixels: object, wall_time: float
    ) -> Image:
        """Check what comes from outside: width, height and channels, and as many bytes.

        Raises:
            InvalidArgumentError: it cannot be stored.
        """
        if not isinstance(pixels, bytes) or not all(
            type(size) is int and size > 0 for size in sizes
        ):
            raise InvalidArgumentError("image_data", "are no pixels")
        if len(pixels) != math.prod(sizes):
            problem = f"has {len(pixels)} bytes for {' x '.join(map(str, sizes))}"
            raise InvalidArgumentError("image_data", problem)
        packed = zlib.compress(pixels, level=1)
        return cls(
            checked_name("name", name),
            checked_step(step),
            *sizes,
            packed,
            finite_time(wall_time),
        )

    def unpacked(self) -> Image:
        """Return it with its pixels as they are stored: uint8, height x width x channels."""
        return self._replace(image_data=zlib.decompress(self.image_data))


class Text(NamedTuple):
    """A row of `texts`."""

    name: str
    step: int
    content: str
    wall_time: float

    @classmethod
    def checked(cls, name: str, step: int, content: str, wall_time: float) -> Text:
        """Check what comes from outside.

        Raises:
            InvalidArgumentError: it cannot be stored.
        """
        return cls(
            checked_name("name", name),
            checked_step(step),
            checked_text("content", content),
            finite_time(wall_time),
        )


Medium = Graph | Histogram | Image | Text

TABLES: dict[type[Medium], str] = {
    Graph: "graphs",
    Histogram: "histograms",
    Image: "images",
    Text: "texts",
}
"""The table of each kind of row."""


def finite_time(stored: float) -> float:
    """Return a time of a record, Unix seconds; one that is no finite number becomes 0."""
    return float(stored) if math.isfinite(stored) else 0.0


def _numbers(argument: str, values: object) -> list[float]:
    largest = 1.7976931348623157e308
    numbers = values if isinstance(values, list) else None
    if numbers is None or not all(
        type(number) in (int, float) and -largest <= number <= largest for number in numbers
    ):
        raise InvalidArgumentError(argument, "are not a list of finite numbers")
    return numbers
