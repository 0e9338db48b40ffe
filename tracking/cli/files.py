"""What commands write to files: whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.cli.output import write
from tracking.errors import TrackingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def write_texts(texts: Iterable[str], output: Path | None) -> None:
    """Write texts one after another to a file, to the terminal where there is none.

    Raises:
        TrackingError: the file cannot be written; an old one is as it was.
    """
    if output is None:
        for text in texts:
            write(text)
        return
    with replacing(output) as path, path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(texts)


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """Give a file to write that takes the place of `output` once it is whole.

    Raises:
        TrackingError: the operating system refused; an old file is as it was.
    """
    target = Path(os.path.realpath(output))
    is_replaced = target.is_file() or not target.exists()  # a pipe or a device is written to
    name = f".{target.name}.{os.urandom(4).hex()}.tmp"
    path = target.with_name(name) if is_replaced else target
    try:
        yield path
        if is_replaced:
            path.replace(target)
    except BrokenPipeError:
        raise
    except OSError as error:
        if isinstance(error, TrackingError):
            raise
        raise TrackingError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        if is_replaced:
            path.unlink(missing_ok=True)
