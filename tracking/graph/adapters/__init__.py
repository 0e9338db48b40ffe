"""What the adapters of frameworks share: how their values become attributes of nodes.

An adapter is a module with `capture(thing, *args, **options) -> Graph`. It imports its framework in
that function only, where something of it was handed in. Two conventions hold for all of them:

- An operation with several results is one node; a result of it that is used is a node `getitem`
  with attribute `index`, which takes the operation. An operation with one result has none.
- Nothing that differs between two processes becomes part of a node: no address, no running number,
  no order of a set.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from enum import Enum
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from tracking.graph.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracking.graph.model import Scalar

GETITEM = "getitem"
"""Operation of a node that is one of the results of the operation it takes."""

_MAX_LENGTH = 200
_MAX_DEPTH = 16
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


def element(
    index: int,
    shape: tuple[int | str, ...] | None = None,
    dtype: str | None = None,
    namespace: str = "",
) -> Kind:
    """Return the kind of the result number `index`, from 0, of an operation with several."""
    return Kind(GETITEM, shape, dtype, namespace, "", (("index", index),))


def attributes(values: Iterable[tuple[str, Any]]) -> tuple[tuple[str, Scalar], ...]:
    """Return pairs of name and value as attributes of a kind: plain, and sorted by name."""
    return tuple(sorted((str(name), scalar(value)) for name, value in values))


def scalar(value: Any) -> Scalar:
    """Return `value` as a scalar that is the same in every process and fits strict JSON.

    Texts, bools, integers, finite floats and None stay; NaN and infinities become their names.
    Arrays become their dtype, shape and digest; sequences, mappings, dataclasses and named tuples
    the text of what they hold; classes and functions their name; what else there is its text or,
    where that shows an address, the name of its class. Long texts are cut and end in a digest.
    """
    plain = _plain(value, 0)
    if isinstance(plain, str) and len(plain) > _MAX_LENGTH:
        return f"{plain[: _MAX_LENGTH - 20]}... {digest(plain.encode('utf-8', 'replace'))}"
    return plain


def digest(content: bytes) -> str:
    """Return 16 hexadecimal digits of blake2b."""
    return blake2b(content, digest_size=8).hexdigest()


def array_text(array: Any) -> str:
    """Return dtype, shape and digest of the values of a numpy array: `float32[2, 3] 0011...`."""
    import numpy as np

    # Objects' bytes are their addresses, texts' bytes the machine's.
    content = repr(array.tolist()).encode() if array.dtype.kind in "OUS" else None
    if content is None:
        content = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()
    return f"{array.dtype.name}{list(array.shape)} {digest(content)}"


def _plain(value: Any, depth: int) -> Scalar:
    if value is None or type(value) in (str, bool, int):
        return value  # type: ignore[no-any-return]
    if type(value) is float:
        return value if math.isfinite(value) else _non_finite(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, type):
        return value.__qualname__
    return _array_or_number(value, depth)


def _non_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _array_or_number(value: Any, depth: int) -> Scalar:
    if hasattr(type(value), "__array__") and hasattr(value, "dtype"):
        import numpy as np

        array = np.asarray(value)
        if array.ndim == 0 and array.dtype.kind == "f":
            # The shortest text of the type's own precision: 0.1, not 0.10000000149011612.
            return _plain(float(str(array)), depth)
        if array.ndim == 0 and array.dtype.kind in "biuSU":
            return _plain(array.item(), depth)
        return array_text(array)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _plain(float(value), depth)
    return _text(value, depth)


def _text(value: Any, depth: int) -> str:
    def inner(item: Any) -> str:
        if depth >= _MAX_DEPTH:
            return "..."
        return repr(item) if type(item) is str else str(_plain(item, depth + 1))

    def fields(pairs: Iterable[tuple[Any, Any]]) -> str:
        return ", ".join(f"{name}={inner(item)}" for name, item in pairs)

    name = type(value).__name__
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return f"{name}({fields(zip(value._fields, value, strict=True))})"
    if isinstance(value, (list, tuple, range)):
        return f"({', '.join(map(inner, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(inner, value)))}}}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(sorted(f'{inner(key)}: {inner(value[key])}' for key in value))}}}"
    if isinstance(value, slice):
        return f"slice{inner((value.start, value.stop, value.step))}"
    if isinstance(value, partial):
        return f"partial({inner(value.func)}, {inner(value.args)}, {inner(value.keywords)})"
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return f"{name}({fields((field, getattr(value, field)) for field in names)})"
    if callable(value):
        return str(getattr(value, "__qualname__", getattr(value, "__name__", name)))
    text = str(value)
    return name if _ADDRESS.search(text) else text
