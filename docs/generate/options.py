"""What `pytest` takes on its command line and in its ini file."""

from __future__ import annotations

from docs.generate.markdown import code, plain, table
from pytest_sgtrack.options import _FLAGS_ONLY, _OPTIONS, _Option


def page() -> str:
    """Return the page of options."""
    rows = [[_flag(option), _ini(option), _help(option)] for option in _OPTIONS]
    return f"""# Options of pytest

The command line wins over the ini file, the ini file over the default. Ini keys stand under
`[tool.pytest.ini_options]` of `pyproject.toml`, under `[pytest]` of `pytest.ini`, or wherever
pytest reads its own. Without `--sg-track` (or `sg_track = true`) tracking is off.

{table(["flag", "ini key", "meaning"], rows)}

How metrics are compared is said by [the marker](fixtures.md#the-marker-sg_track), or for a whole
project by patterns of metric names in `pyproject.toml`:

```toml
[tool.sgtrack.metrics]
"*loss*" = {{direction = "lower", rel = 0.02}}
"grad_norm" = {{direction = "both", rel = 0.2}}
```

They take what the marker takes for a metric; of several patterns that fit, the later goes before
the earlier.
"""


def _flag(option: _Option) -> str:
    if option.is_flag:
        return code(option.flag)
    value = "N" if option.is_number else option.name.upper()
    choices = ", ".join(map(code, option.choices))
    return code(f"{option.flag}={value}") + (f": {choices}" if choices else "")


def _ini(option: _Option) -> str:
    if option.name in _FLAGS_ONLY:
        return "none"
    kind = " (true or false)" if option.is_flag else " (one a line)" if option.is_list else ""
    return code(option.ini) + kind


def _help(option: _Option) -> str:
    default = f" (default: `{option.default}`)" if option.default else ""
    return plain(option.help) + default
