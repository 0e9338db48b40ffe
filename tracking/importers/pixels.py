"""Pictures as others keep them, by Pillow."""

from __future__ import annotations

import io
import warnings
from typing import NamedTuple

from tracking.errors import MissingDependencyError

# What Pillow calls the ways pixels lie, and the one of ours that holds as much.
_MODES = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "P": "RGB",
    "PA": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
}


class Pixels(NamedTuple):
    """A decoded picture.

    Attributes:
        sizes: width, height and channels, these from 1 to 4.
        data: uint8, height x width x channels.
    """

    sizes: tuple[int, int, int]
    data: bytes


def decoded(content: bytes) -> Pixels:
    """Decode a PNG, a JPEG, or whatever else Pillow knows.

    Raises:
        MissingDependencyError: there is no Pillow.
        ValueError: it is damaged, moves, is too large, or has more than 8 bits a sample.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError(
            "images need Pillow, which is not installed; pip install 'pytest-sgtrack[tensorboard]'"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content)) as image:
                if getattr(image, "is_animated", False):
                    raise ValueError("it moves")
                mode = _MODES.get(image.mode)
                if mode is None:
                    raise ValueError(f"its pixels are of the kind {image.mode}")
                if image.mode == "P" and "transparency" in image.info:
                    mode = "RGBA"
                plain = image.convert(mode)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ValueError("it is too large") from error
        except (OSError, SyntaxError) as error:  # what Pillow raises for damage
            raise ValueError("it is damaged, or no picture") from error
    return Pixels((*plain.size, len(mode)), plain.tobytes())
