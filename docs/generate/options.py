"""What `pytest` takes on its command line and in its ini file."""

from __future__ import annotations

from docs.generate.markdown import code, plain
from pytest_sgtrack.options import _FLAGS_ONLY, _OPTIONS, _Option


def page() -> str:
    """Return the page of options."""
    options = "\n".join(map(_section, _OPTIONS))
    return f"""# Options of pytest

The command line wins over the ini file, the ini file over the default. Ini keys stand under
`[tool.pytest.ini_options]` of `pyproject.toml`, under `[pytest]` of `pytest.ini`, or wherever
pytest reads its own. Without `--sg-track` (or `sg_track = true`) tracking is off.

How metrics are compared is said by [the marker](fixtures.md#the-marker-sg_track), or for a whole
project by [patterns](#patterns-of-metric-names).

{options}
## Patterns of metric names

A table of `pyproject.toml`, not an option. Patterns take what the marker takes for a metric; of
several that fit, the later goes before the earlier.

```toml
[tool.sgtrack.metrics]
"*loss*" = {{direction = "lower", rel = 0.02}}
"grad_norm" = {{direction = "both", rel = 0.2}}
```
"""


def _section(option: _Option) -> str:
    value = "N" if option.is_number else option.name.upper()
    facts = {
        "Given as": "" if option.is_flag or option.choices else code(f"{option.flag}={value}"),
        "Values": ", ".join(map(code, option.choices)),
        "Default": code(option.default),
        "Ini key": _ini(option),
    }
    listed = "\n".join(f"- {name}: {fact}" for name, fact in facts.items() if fact)
    said = plain(f"{option.help[0].upper()}{option.help[1:]}.")
    return f"## `{option.flag}`\n\n{said}\n\n{listed}\n"


def _ini(option: _Option) -> str:
    if option.name in _FLAGS_ONLY:
        return "none; it is asked for once and never for every session"
    kind = " (true or false)" if option.is_flag else " (one a line)" if option.is_list else ""
    return code(option.ini) + kind
