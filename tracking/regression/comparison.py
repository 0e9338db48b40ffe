"""What a comparison found, as a run keeps it: JSON.

    {"version": 1, "baseline": "../tests/__baselines__/test_x.json", "key": "test_y",
     "action": "fail", "n_samples": 1, "notes": [],
     "checks": [{"metric": "loss", "statistic": "tail", "verdict": "regressed", ...}]}

Of a check what is None or empty is left out. Where runs are a baseline for later ones, "sample" is
the text of what this one recorded, and "accepted" says that it was accepted whatever the verdict.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from tracking.model import Direction, Verdict, decode_number, encode_number
from tracking.regression.checks import Check

FORMAT_VERSION = 1

_NUMBERS = ("baseline", "current", "allowance", "detectable")
_CHECK_FIELDS = tuple(field.name for field in fields(Check))


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of one run with its baseline.

    Attributes:
        checks: what was compared.
        action: what the verdict did to the test: pass, show, warn or fail.
        baseline: the baseline file, as seen from the folder of the experiment; or
            `baseline.STORE` and a branch.
        key: name of the test in it.
        n_samples: how many samples it had of the test.
        notes: what else a reader has to know, a line each.
        sample: what the run recorded, as `history.sample_as_text` gives it; empty where no later
            run is compared with it.
        is_accepted: whether it was accepted whatever the verdict.
    """

    checks: tuple[Check, ...]
    action: str
    baseline: str
    key: str
    n_samples: int = 0
    notes: tuple[str, ...] = ()
    sample: str = ""
    is_accepted: bool = False


def dump_comparison(compared: Compared) -> str:
    """Return a comparison as JSON."""
    content = {
        "version": FORMAT_VERSION,
        "baseline": compared.baseline,
        "key": compared.key,
        "action": compared.action,
        "n_samples": compared.n_samples,
        "notes": compared.notes,
        "checks": [check_as_plain(check) for check in compared.checks],
        **({"sample": compared.sample} if compared.sample else {}),
        **({"accepted": True} if compared.is_accepted else {}),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def parse_comparison(text: str) -> Compared:
    """Undo `dump_comparison`.

    Raises:
        ValueError: the text is damaged, or of a newer version.
    """
    content = json.loads(text)
    try:
        if content["version"] != FORMAT_VERSION:
            raise ValueError(f"a comparison of version {content['version']!r} is not known here")
        return Compared(
            checks=tuple(map(check_from_plain, content["checks"])),
            action=content["action"],
            baseline=content["baseline"],
            key=content["key"],
            n_samples=content["n_samples"],
            notes=tuple(content["notes"]),
            sample=content.get("sample", ""),
            is_accepted=content.get("accepted", False),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"no comparison: {error!r}") from error


def check_as_plain(check: Check) -> dict[str, Any]:
    """Return a check as values that JSON knows; what is None or empty is left out."""
    plain = {name: getattr(check, name) for name in _CHECK_FIELDS}
    plain |= {name: encode_number(plain[name]) for name in _NUMBERS}
    plain["verdict"] = check.verdict.value  # xdist sends no enums
    plain["direction"] = check.direction and check.direction.value
    plain["details"] = list(check.details)
    return {name: value for name, value in plain.items() if value not in (None, "", [])}


def check_from_plain(plain: dict[str, Any]) -> Check:
    """Undo `check_as_plain`.

    Raises:
        KeyError, TypeError, ValueError: it is damaged.
    """
    direction = plain.get("direction")
    return Check(
        metric=plain.get("metric", ""),
        statistic=plain.get("statistic", ""),
        verdict=Verdict(plain["verdict"]),
        message=plain.get("message", ""),
        warning=plain.get("warning", ""),
        direction=None if direction is None else Direction(direction),
        at_most=plain.get("at_most", ""),
        details=tuple(plain.get("details", ())),
        **{name: decode_number(plain.get(name)) for name in _NUMBERS},
    )
