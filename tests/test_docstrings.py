"""Every public name says what it does, what it takes, what it raises, and shows it at work.

The examples themselves are run by `pytest --doctest-modules tracking pytest_sgtrack`.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import doctest
import enum
import inspect
import re
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import tracking
from pytest_sgtrack import plugin
from tracking import errors
from tracking.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTIONS = ("Attributes", "Args", "Returns", "Yields", "Raises", "Examples")

WITHOUT_EXAMPLE = {
    "ExperimentDBManager.abandoned_runs": "called by recovery, between its own values",
    "ExperimentDBManager.append": "called by a drain, between its own values",
    "ExperimentDBManager.end_abandoned_runs": "called by recovery, between its own values",
    "ExperimentDBManager.forget_segment": "called by recovery, between its own values",
    "ExperimentDBManager.insert_run": "called by Tracker.start_run; create_run is for users",
    "SummaryWriter.add_figure": "needs matplotlib, which no extra brings; see tests/adapters",
}


class Documented(NamedTuple):
    """Something public, and the class it is public in."""

    label: str
    value: Any
    owner: type | None = None

    @property
    def text(self) -> str:
        return inspect.cleandoc(self.value.__doc__ or "")

    @property
    def sections(self) -> dict[str, str]:
        parts = re.split(rf"^({'|'.join(SECTIONS)}):$", self.text, flags=re.MULTILINE)
        return {
            name: textwrap.dedent(body) for name, body in zip(parts[1::2], parts[2::2], strict=True)
        }

    def entries(self, section: str) -> set[str]:
        return set(re.findall(r"^\*{0,2}([\w.]+): ", self.sections.get(section, ""), re.MULTILINE))

    @property
    def function(self) -> Any:
        return self.value.fget if isinstance(self.value, property) else inspect.unwrap(self.value)

    @property
    def parameters(self) -> list[str]:
        """Return what a caller gives, of a class to its constructor."""
        if isinstance(self.value, property):
            return []
        if self.owner is None and isinstance(self.value, type):
            if issubclass(self.value, enum.Enum):
                return list(self.value.__members__)
            if dataclasses.is_dataclass(self.value):
                return [field.name for field in dataclasses.fields(self.value)]
            if issubclass(self.value, tuple):
                return list(self.value._fields)
            if not inspect.isfunction(self.value.__init__):
                return []
            return list(inspect.signature(self.value.__init__).parameters)[1:]
        named = list(inspect.signature(self.value).parameters)
        return named[1:] if named[:1] in (["self"], ["cls"]) else named

    @property
    def example(self) -> str:
        return "".join(one.source for one in doctest.DocTestParser().get_examples(self.text))


def offered() -> Iterator[Documented]:
    """Give what users import, and the methods and properties of these classes."""
    yield Documented("sgtrack", main)
    for name in sorted({*tracking.__all__} - {"__version__"}):
        value = getattr(tracking, name)
        yield Documented(name, value)
        for method, owner in methods_of(value).items():
            found = vars(owner)[method]
            is_bound = isinstance(found, classmethod | staticmethod)
            shown = getattr(value, method) if is_bound else found
            yield Documented(f"{name}.{method}", shown, value)


def methods_of(cls: object) -> dict[str, type]:
    """Return public methods and properties with the class of ours that defines each."""
    if not isinstance(cls, type):
        return {}
    return {
        name: base
        for base in reversed(cls.__mro__)
        if base.__module__.startswith("tracking")
        for name, value in vars(base).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod))
    }


OFFERED = list(offered())
FIXTURES = ("sg_tracker", "tracker", "sg_summary_writer", "sg_seed")


def problems_of(one: Documented) -> list[str]:
    """Return what is missing in a docstring."""
    return [*layout_problems(one), *name_problems(one), *example_problems(one)]


def layout_problems(one: Documented) -> Iterator[str]:
    first, *rest = one.text.split("\n")
    if not re.fullmatch(r"[A-Z].*[.]", first) or (rest and rest[0]):
        yield "its first line is no sentence by itself"
    if list(one.sections) != [name for name in SECTIONS if name in one.sections]:
        yield "its sections stand in another order"
    yield from (f"{name} is empty" for name, body in one.sections.items() if not body.strip())


def name_problems(one: Documented) -> Iterator[str]:
    arguments = one.entries("Args")
    parameters = set(one.parameters)
    yield from (f"{n} is not named" for n in parameters - arguments - one.entries("Attributes"))
    yield from (f"there is no argument {name}" for name in arguments - parameters)
    if not isinstance(one.value, type):
        said = [error_of(name) for name in one.entries("Raises")]
        for name in raised_by(one.function, one.owner):
            if not any(issubclass(getattr(errors, name), error) for error in said):
                yield f"it raises {name}"


def example_problems(one: Documented) -> Iterator[str]:
    """Look for an example of its own, in its class, or of the error it is a kind of."""
    if one.example and (">>>" not in one.sections.get("Examples", "") or "# doctest:" in one.text):
        yield "its example is not one of Examples, or not run as it stands"
    is_exempt = one.label in WITHOUT_EXAMPLE
    if one.owner is None and isinstance(one.value, type) and not one.parameters:
        is_exempt = issubclass(one.value, errors.TrackingError)
    if one.owner is not None and not is_exempt:
        used = Documented("", one.owner).example
        is_exempt = bool(re.search(rf"\.{one.function.__name__}\b", used))
    if not one.example and not is_exempt:
        yield "it has no example"


def test_what_is_offered_is_documented_in_full():
    found = {one.label: problems_of(one) for one in OFFERED}
    assert {label: problems for label, problems in found.items() if problems} == {}
    assert len(found) > 100


def test_what_needs_no_example_is_there_and_has_none():
    assert {one.label for one in OFFERED if not one.example} >= WITHOUT_EXAMPLE.keys()


def complete(one, other):
    """Do what it says.

    Args:
        one: a thing.
        other: another.

    Raises:
        TrackingError: it does not.

    Examples:
        >>> complete(1, 2)
    """
    raise tracking.StoreError


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("", "", None),
        ("Do what it says.", "Do what", "its first line is no sentence by itself"),
        ("says.\n", "says.\nMore.\n", "its first line is no sentence by itself"),
        ("    other: another.\n", "", "other is not named"),
        ("another.\n", "another.\n    third: no more.\n", "there is no argument third"),
        ("TrackingError:", "ReportError:", "it raises StoreError"),
        ("    TrackingError: it does not.\n", "", "Raises is empty"),
        ("Examples:", "Returns:", "its sections stand in another order"),
        (">>> complete(1, 2)", "See elsewhere.", "it has no example"),
        (
            "(1, 2)",
            "(1, 2)  # doctest: +SKIP",
            "its example is not one of Examples, or not run as it stands",
        ),
    ],
)
def test_what_is_missing_is_found(before, after, problem, monkeypatch):
    text = inspect.cleandoc(complete.__doc__)  # as Python does it from 3.13 on
    assert before in text
    monkeypatch.setattr(complete, "__doc__", text.replace(before, after))
    found = problems_of(Documented("complete", complete))
    assert found == [] if problem is None else problem in found


def error_of(name: str) -> type[BaseException]:
    """Return an error by its name in a docstring; there is no other."""
    found = getattr(errors, name, None) or getattr(builtins, name, None)
    return getattr(pytest, name.removeprefix("pytest.")) if found is None else found


def raised_by(function: Any, owner: type | None, seen: frozenset[str] = frozenset()) -> set[str]:
    """Return names of our errors that a function raises, itself or in a method of its own class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = {name for name in raised_in(tree) if hasattr(errors, name)}
    for helper in {*helpers_in(tree)} - seen:
        method = getattr(owner, helper, None)
        if inspect.isfunction(method):
            found |= raised_by(method, owner, seen | {helper})
    return found


def raised_in(tree: ast.AST) -> Iterator[str]:
    """Give the names of what a function raises, without those of their modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            yield ast.unparse(raised).rpartition(".")[2]


def helpers_in(tree: ast.AST) -> Iterator[str]:
    """Give the names of private methods that a function calls on its own object."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                if name.startswith("_"):
                    yield name


@pytest.mark.parametrize(
    ("source", "errors_raised"),
    [
        ("def f(self):\n    raise StoreError('x')", {"StoreError"}),
        ("def f(self):\n    raise ValueError('x')", set()),
        ("def f(self):\n    raise", set()),
        ("def f(self):\n    return self._active_run()", {"NoActiveRunError"}),
        ("def f(self):\n    return self._drained().db", {"NoExperimentError"}),
    ],
)
def test_raised_errors_are_found(source, errors_raised, monkeypatch):
    given = inspect.getsource
    monkeypatch.setattr(inspect, "getsource", lambda f: source if f is None else given(f))
    assert raised_by(None, tracking.Tracker) == errors_raised


@pytest.mark.parametrize("name", FIXTURES)
def test_the_first_paragraph_of_a_fixture_says_of_what_type_it_is(name):
    """`pytest --fixtures` shows no more of it."""
    paragraph = inspect.cleandoc(getattr(plugin, name).__doc__).split("\n\n")[0]
    types = r"`tracking\.(Tracker|SummaryWriter)`|`sg_tracker`|an int"
    assert re.search(types, paragraph)


def test_the_examples_of_fixtures_are_tests_that_pass(pytester, monkeypatch):
    for name in FIXTURES:
        example = Documented(name, getattr(plugin, name)).example
        assert f"{name}: " in example
        (pytester.path / f"test_{name}.py").write_text(example)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("CI", raising=False)
    result = pytester.runpytest_subprocess("-Werror", "-p", "sgtrack", "--sg-track")
    result.assert_outcomes(passed=len(FIXTURES))


def test_the_marker_names_all_it_may_say(pytestconfig):
    from pytest_sgtrack.markers import _ARGUMENTS

    (said,) = [one for one in pytestconfig.getini("markers") if one.startswith("sg_track(")]
    signature, _, text = said.partition("): ")
    assert set(re.findall(r"(\w+)=", signature)) == set(_ARGUMENTS)
    assert all(re.search(rf"\b{name}\b", text) for name in _ARGUMENTS)
