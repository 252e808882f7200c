"""Rewrite the generated parts: of the documentation, and of the plugin's options.

Run ``python docs/generate.py`` where the package of this checkout can be imported.  A generated
part stands between two comments, ``<generated: name>`` and ``</generated: name>``; everything else
is written by hand.  A test compares each part with the code.

Settings come from their table, everything else from docstrings.  Those are read from the source,
since Python drops the docstrings of attributes.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Final

from pytest_lambda_lifecycle.function.settings import SETTINGS, Setting
from pytest_lambda_lifecycle.plugin.options import CLOCK_OPTIONS, OPTIONS, Option

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "pytest_lambda_lifecycle"
LINE_LENGTH: Final = 100
INI_TYPES: Final = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "paths": "paths",
    "args": "names",
    "linelist": "lines of `NAME=VALUE`",
}

# -- the plugin's options --------------------------------------------------------------------------


def option_rows() -> str:
    """Return the rows of ``OPTIONS``, as the formatter would write them."""
    rows = [_option_row(name, setting) for name, setting in SETTINGS.items() if setting.metavar]
    return "\n".join(["OPTIONS: Final = (", *rows, ")"])


def _option_row(name: str, setting: Setting) -> str:
    limits = f": {setting.kind.limits}" if setting.kind.limits else ""
    default = f" (default: {setting.default_in_words})" if setting.default_in_words else ""
    values = [name, setting.metavar, f"{setting.help}{limits}{default}"]
    if setting.kind.ini_type != "string":
        values.append(setting.kind.ini_type)
    row = f"    Option({', '.join(map(_literal, values))}),"
    if len(row) <= LINE_LENGTH:
        return row
    arguments = [f"        {_literal(value)}," for value in values]
    return "\n".join(["    Option(", *arguments, "    ),"])


def _literal(text: str) -> str:
    """Return the literal of an argument that has a line of its own, or several if it is long."""
    lines = textwrap.wrap(text, LINE_LENGTH - 12)
    return "\n        ".join(f'"{line} "' for line in lines)[:-2] + '"'


# -- settings and options in the reference ---------------------------------------------------------


def settings_table() -> str:
    """Return the table of settings."""
    head = ["| setting | default | values | |", "|---|---|---|---|"]
    return "\n".join([*head, *(_setting_row(name, SETTINGS[name]) for name in SETTINGS)])


def _setting_row(name: str, setting: Setting) -> str:
    default = setting.computed or f"`{setting.default!r}`".replace("'", '"')
    if name == "handler":
        default = "none: it has to be given"
    elif setting.default is None:
        default = f"`None`: {setting.kind.none}"
    values = setting.kind.takes.replace("'", "`")
    return f"| `{name}` | {default} | {values} | {setting.help} |"


def options_table() -> str:
    """Return the table of ini options and command line options."""
    head = ["| ini option | its type | command line |", "|---|---|---|"]
    return "\n".join([*head, *map(_options_row, (*OPTIONS, *CLOCK_OPTIONS))])


def _options_row(option: Option) -> str:
    repeatable = ", repeatable" if option.many else ""
    flag = f"`{option.flag} {option.metavar}`{repeatable}"
    return f"| `{option.ini}` | {INI_TYPES[option.ini_type]} | {flag} |"


# -- docstrings ------------------------------------------------------------------------------------


def fixtures_table() -> str:
    """Return the table of fixtures."""
    rows = ["| fixture | scope | |", "|---|---|---|"]
    for node in _tree("plugin").body:
        scope = _scope(node) if isinstance(node, ast.FunctionDef) else None
        if scope is not None and isinstance(node, ast.FunctionDef):
            rows.append(f"| `{node.name}` | {scope} | {_in_one_line(_docstring(node))} |")
    return "\n".join(rows)


def _scope(node: ast.FunctionDef) -> str | None:
    """Return the scope of a fixture; None if the function is none."""
    for decorator in node.decorator_list:
        call = ast.unparse(decorator)
        if call.startswith("pytest.fixture"):
            return "".join(re.findall(r"scope='(\w+)'", call)) or "function"
    return None


def hooks() -> str:
    """Return an entry for each hook."""
    entries: list[str] = []
    for node in _tree("plugin.hookspecs").body:
        if isinstance(node, ast.FunctionDef):
            text = re.sub(r"\n(Use in conftest plugins)\n-+\n", r"\n**\1.**\n", _docstring(node))
            text = re.sub(r":hook:(`\w+`)", r"\1", text)
            text = re.sub(r":param (\w+):\s+", r"* `\1`: ", text).replace("::\n", ":\n")
            names = [argument.arg for argument in node.args.args]
            entries.append(f"### `{node.name}({', '.join(names)})`\n\n{_markdown(text)}")
    return "\n\n".join(entries)


def environment() -> str:
    """Return the members of an environment, under the headings of its source."""
    text = _source("environment.execution_environment")
    headings = [
        (text.count("\n", 0, found.start()) + 1, found[1])
        for found in re.finditer(r"^    # -- (.+?) -+$", text, re.MULTILINE)
    ]
    parts: list[str] = []
    members = list(_members("environment.execution_environment", "ExecutionEnvironment"))
    for index, (line, heading) in enumerate(headings):
        end = headings[index + 1][0] if index + 1 < len(headings) else len(text)
        here = [node for node in members if line < node.lineno < end]
        parts += [f"### {heading.capitalize()}", *_described(here, "env.")]
    return "\n\n".join(parts)


def members_of(module: str, *classes: str, only: str = "", owner: str = "") -> str:
    """Return the members of classes of a module; ``only`` names the ones to show."""
    found = [node for name in classes for node in _members(module, name)]
    wanted = only.split() or list(map(_name, found))
    return "\n\n".join(_described([node for node in found if _name(node) in wanted], owner))


def phase(module: str, *classes: str) -> str:
    """Return the members that a kind of phase has beside those of every phase."""
    common = set(map(_name, _members("lifecycle.phases", "Phase")))
    own = [_name(node) for name in classes for node in _members(module, name)]
    return members_of(module, *classes, only=" ".join(name for name in own if name not in common))


def _described(members: list[ast.stmt], owner: str) -> Iterator[str]:
    """Yield an entry for each method, and one table of the attributes."""
    methods = [node for node in members if _is_method(node)]
    for node in methods:
        assert isinstance(node, ast.FunctionDef)
        yield f"#### `{owner}{node.name}`"
        yield f"```text\n{_signature(node)}\n```"
        yield _markdown(_docstring(node))
    attributes = [node for node in members if not _is_method(node)]
    if attributes:
        rows = [
            f"| `{owner}{_name(node)}` | {_type(node)} | {_in_one_line(_text(node))} |"
            for node in attributes
        ]
        yield "\n".join(["| attribute | type | |", "|---|---|---|", *rows])


def _members(module: str, name: str) -> Iterator[ast.stmt]:
    """Yield the public methods, properties and documented attributes of a class."""
    (cls,) = (
        node for node in _tree(module).body if isinstance(node, ast.ClassDef) and node.name == name
    )
    for node, following in zip(cls.body, [*cls.body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(following, ast.Expr):
            node.documentation = ast.literal_eval(following.value)  # type: ignore[attr-defined]
        elif not isinstance(node, ast.FunctionDef):
            continue
        if not _name(node).startswith("_"):
            yield node


def _name(node: ast.stmt) -> str:
    return node.name if isinstance(node, ast.FunctionDef) else ast.unparse(node).partition(":")[0]


def _is_method(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and not node.decorator_list


def _type(node: ast.stmt) -> str:
    annotation = node.returns if isinstance(node, ast.FunctionDef) else node.annotation  # type: ignore[attr-defined]
    return f"`{ast.unparse(annotation)}`".replace("|", "\\|")


def _text(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef):
        return _docstring(node)
    return inspect.cleandoc(node.documentation)  # type: ignore[attr-defined]


def _docstring(node: ast.FunctionDef) -> str:
    return ast.get_docstring(node) or ""


def _signature(node: ast.FunctionDef) -> str:
    """Return a signature without `self`, with a line for each argument if it is long."""
    arguments = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
    arguments = re.sub(r"=_?[A-Z_]+\b", "=...", arguments)  # the names of constants say nothing
    arguments = arguments.replace("=", " = ").replace("'", '"')
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{node.name}({arguments}){returned}"
    if len(line) <= LINE_LENGTH:
        return line
    lines = re.split(r", (?=\*|\w+:)", arguments)
    return "\n".join([f"{node.name}(", *(f"    {one}," for one in lines), f"){returned}"])


def _markdown(text: str) -> str:
    """Return a docstring as Markdown: one kind of quotes, and one space after a full stop."""
    return re.sub(r"(?<=[.:!?])  (?=\S)", " ", text.replace("``", "`"))


def _in_one_line(text: str) -> str:
    return " ".join(_markdown(text).split()).replace("|", "\\|")


@cache
def _source(module: str) -> str:
    path = ROOT / PACKAGE / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text(encoding="utf-8")


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_source(module))


# -- files -----------------------------------------------------------------------------------------

PARTS: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    f"{PACKAGE}/plugin/options.py": {"options": option_rows},
    "docs/reference.md": {
        "fixtures": fixtures_table,
        "environment": environment,
        "phase": partial(members_of, "lifecycle.phases", "Phase"),
        "init": partial(phase, "lifecycle.phases", "_Preparation", "Init"),
        "invocation": partial(phase, "lifecycle.invocation", "Invocation"),
        "shutdown": partial(phase, "lifecycle.phases", "Shutdown"),
        "timeline": partial(
            members_of,
            "lifecycle.timeline",
            "Timeline",
            only="names of count",
            owner="env.timeline.",
        ),
        "spy": partial(members_of, "observation.spies", "Spy", owner="spy."),
        "extension": partial(members_of, "function.extension", "Extension"),
        "clock": partial(
            members_of,
            "clock.lambda_clock",
            "LambdaClock",
            only="now advance move_to",
            owner="lambda_clock.",
        ),
        "settings": settings_table,
        "options": options_table,
        "hooks": hooks,
    },
}
"""The generated parts of each file, by their names."""


def regenerated(file: str) -> str:
    """Return the text of a file with its parts as the code has them now."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for name, make in PARTS[file].items():
        begin = rf"(<generated: {name}>[^\n]*\n)"
        end = rf"(\n[^\n]*</generated: {name}>)"
        body = make()
        text, found = re.subn(
            f"{begin}.*?{end}",
            lambda match, body=body: f"{match[1]}{body}{match[2]}",
            text,
            flags=re.DOTALL,
        )
        if found != 1:
            raise SystemExit(f"{file} has to have one part <generated: {name}>, and has {found}")
    return text


def main() -> None:
    """Rewrite all files."""
    for file in PARTS:
        (ROOT / file).write_text(regenerated(file), encoding="utf-8")


if __name__ == "__main__":
    main()
