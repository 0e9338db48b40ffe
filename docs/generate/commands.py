"""Every command of `sgtrack` with all its arguments, as its parser has them.

How argparse itself writes its help differs between releases of Python.
"""

from __future__ import annotations

import argparse
import os
from typing import Any
from unittest.mock import patch

from docs.generate.markdown import code, docstring, plain, table
from tracking.cli import _parser
from tracking.cli.options import STORE_VARIABLE
from tracking.cli.output import EXIT_CODES


def page() -> str:
    """Return the page of commands."""
    with patch.dict(os.environ):
        os.environ.pop(STORE_VARIABLE, None)  # what it names here is nobody's default
        parser = _parser()
    codes = table(["code", "means"], [[str(n), said] for n, said in EXIT_CODES.items()])
    return f"""# Commands, every option

{plain(parser.description or "")}
`python -m tracking` is the same. To learn from: [commands by example](../commands.md).

{"".join(_command(name, command) for name, command in commands_of(parser).items())}
## Exit codes

{codes}
"""


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands by their names."""
    (found,) = (
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(found.choices)


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    shown = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    shown.sort(key=lambda action: bool(action.option_strings))  # what has to be given comes first
    wanted = [_usage(action) for action in shown if not action.option_strings or _is_needed(action)]
    usage = " ".join(["sgtrack", name, *(["[OPTION ...]"] if len(wanted) < len(shown) else [])])
    described = docstring(parser.get_default("command"))
    rows = [[_names(action), _help(parser, action)] for action in shown]
    return f"""## `sgtrack {name}`

```text
{" ".join([usage, *wanted])}
```

{plain(described)}

{table(["argument", "meaning"], rows) if rows else ""}

"""


def _value(action: argparse.Action) -> str:
    """Return what an argument is called."""
    said = action.metavar or action.dest.upper()
    return said if isinstance(said, str) else " ".join(said)


def _several(action: argparse.Action) -> str:
    value = _value(action)
    forms = {"?": f"[{value}]", "*": f"[{value} ...]", "+": f"{value} [{value} ...]", 0: ""}
    if isinstance(action.nargs, int) and action.nargs > 0:
        return " ".join([value] * action.nargs)
    return value if action.nargs is None else forms[action.nargs]


def _is_needed(action: argparse.Action) -> bool:
    """Tell whether the command cannot do without; a variable may stand in for some."""
    return action.required and "(default: the variable" not in (action.help or "")


def _usage(action: argparse.Action) -> str:
    return " ".join([*action.option_strings[-1:], _several(action)])


def _names(action: argparse.Action) -> str:
    if not action.option_strings:
        return code(_several(action))
    *others, last = action.option_strings
    return ", ".join([*map(code, others), code(f"{last} {_several(action)}".strip())])


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    values: dict[str, Any] = {"prog": parser.prog, **vars(action)}
    required = "required" if action.option_strings and _is_needed(action) else ""
    said = plain((action.help or "") % values)
    repeated = isinstance(action, argparse._AppendAction) and "several" not in said
    more = "may be given several times" if repeated and "repeated" not in said else ""
    choices = ", ".join(map(str, action.choices or ()))
    listed = f"one of {choices}" if choices and choices not in said else ""
    return "; ".join(part for part in (said, listed, required, more) if part)
