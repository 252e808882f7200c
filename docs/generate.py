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
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from pytest_lambda_lifecycle.errors import CODES
from pytest_lambda_lifecycle.function.settings import SETTINGS, Setting
from pytest_lambda_lifecycle.plugin.options import MODES, ORDINARY, Option

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "pytest_lambda_lifecycle"
LINE_LENGTH: Final = 100
INI_TYPES: Final = {
    "bool": "true or false",
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "paths": "paths",
    "args": "names",
    "linelist": "lines of `{}`",
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
    return "\n".join([*head, *map(_options_row, (*ORDINARY, *MODES))])


def _options_row(option: Option) -> str:
    repeatable = ", repeatable" if option.many else ""
    values = {"": "", "SEED": "[=SEED]"}
    flag = f"`{option.flag}{values.get(option.metavar, f' {option.metavar}')}`{repeatable}"
    kind = INI_TYPES[option.ini_type].format(option.metavar)
    return f"| `{option.ini}` | {kind} | {flag} |"


# -- codes of errors -------------------------------------------------------------------------------


def codes_table() -> str:
    """Return the table of codes, each with a link to its entry in ``docs/errors.md``."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    headings = dict(re.findall(r"^### (LLC\d+)(.*)$", text, re.MULTILINE))
    rows = [
        f"| [{code}](errors.md#{_anchor(code + headings[code])}) | {meaning} |"
        for code, meaning in CODES.items()
    ]
    return "\n".join(["| code | what it means |", "|---|---|", *rows])


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# -- docstrings ------------------------------------------------------------------------------------


def fixtures_table() -> str:
    """Return the table of fixtures."""
    rows = ["| fixture | scope | |", "|---|---|---|"]
    for node in _tree("plugin").body:
        scope = _scope(node) if isinstance(node, ast.FunctionDef) else None
        if scope is not None and isinstance(node, ast.FunctionDef):
            rows.append(f"| `{node.name}` | {scope} | {_cell(_docstring(node))} |")
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


class Member(NamedTuple):
    """A public method, property or documented attribute of a class."""

    name: str
    line: int
    signature: str
    """``""`` for a property or an attribute."""
    type: str
    text: str
    """The docstring."""


def environment() -> str:
    """Return the members of an environment, under the headings of its source."""
    module = "environment.execution_environment"
    members = list(_members(module, "ExecutionEnvironment"))
    headings = {
        number: found[1]
        for number, line in enumerate(_source(module).splitlines(), start=1)
        if (found := re.fullmatch(r"    # -- (.+?) -+", line))
    }
    parts: list[str] = []
    for begin, end in pairwise([*headings, sys.maxsize]):
        here = [member for member in members if begin < member.line < end]
        parts += [f"### {headings[begin].capitalize()}", *_described(here, "env.", "####")]
    return "\n\n".join(parts)


def members_of(module: str, *classes: str, only: str = "", owner: str = "") -> str:
    """Return the members of classes of a module; ``only`` names the ones to show."""
    found = [member for name in classes for member in _members(module, name)]
    wanted = only.split() or [member.name for member in found]
    return "\n\n".join(_described([one for one in found if one.name in wanted], owner))


def phase(module: str, *classes: str) -> str:
    """Return the members that a kind of phase has beside those of every phase."""
    common = {member.name for member in _members("lifecycle.phases", "Phase")}
    own = [member.name for name in classes for member in _members(module, name)]
    return members_of(module, *classes, only=" ".join(name for name in own if name not in common))


def _described(members: list[Member], owner: str, heading: str = "###") -> Iterator[str]:
    """Yield an entry for each method, and one table of the attributes."""
    for member in members:
        if member.signature:
            yield f"{heading} `{owner}{member.name}`"
            yield f"```text\n{member.signature}\n```"
            yield _markdown(member.text)
    rows = [
        f"| `{owner}{member.name}` | {_cell(f'`{member.type}`')} | {_cell(member.text)} |"
        for member in members
        if not member.signature
    ]
    if rows:
        yield "\n".join(["| attribute | type | |", "|---|---|---|", *rows])


def _members(module: str, name: str) -> Iterator[Member]:
    """Yield the public members of a class that have a docstring."""
    for cls in _tree(module).body:
        if isinstance(cls, ast.ClassDef) and cls.name == name:
            for node, following in pairwise([*cls.body, ast.Pass()]):
                member = _member(node, following)
                if member is not None and member.text and not member.name.startswith("_"):
                    yield member


def _member(node: ast.stmt, following: ast.stmt) -> Member | None:
    if isinstance(node, ast.FunctionDef):
        signature = "" if node.decorator_list else _signature(node)
        returned = ast.unparse(node.returns) if node.returns else ""
        return Member(node.name, node.lineno, signature, returned, _docstring(node))
    # The docstring of an attribute is a string that stands after it.
    if isinstance(node, ast.AnnAssign) and isinstance(following, ast.Expr):
        text = inspect.cleandoc(ast.literal_eval(following.value))
        name = ast.unparse(node.target)
        return Member(name, node.lineno, "", ast.unparse(node.annotation), text)
    return None


def _docstring(node: ast.FunctionDef) -> str:
    return ast.get_docstring(node) or ""


def _signature(node: ast.FunctionDef) -> str:
    """Return a signature without `self`, with a line for each argument if it is long."""
    arguments = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
    # Arguments at this place are refused, with an error that says more than Python's.
    arguments = arguments.replace("*misplaced: NoReturn", "*")
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


def _cell(text: str) -> str:
    """Return a docstring as a cell of a table."""
    return " ".join(_markdown(text).split()).replace("|", "\\|")


@cache
def _source(module: str) -> str:
    path = ROOT / PACKAGE / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text(encoding="utf-8")


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_source(module))


# -- folders ---------------------------------------------------------------------------------------

FLOORS: Final = (
    "plugin",
    "environment environment.checks",
    "observation observation.calls extensions state",
    "conductor runtimes",
    "api api.telemetry clock processes",
    "isolation isolation.parts isolation.modules isolation.sandbox report report.page",
    "lifecycle function",
)
"""The folders of the package, from the highest floor to the lowest."""


def folders_table() -> str:
    """Return the table of folders, with the sentences of their docstrings."""
    rows = ["| floor | folder | |", "|---:|---|---|"]
    for floor, names in zip(range(len(FLOORS) + 1, 1, -1), FLOORS, strict=True):
        for name in names.split():
            text = _cell(ast.get_docstring(_tree(name)) or "")
            rows.append(f"| {floor} | `{name.replace('.', '/')}/` | {text} |")
    rows.append(f"| 1 | `errors.py` | {_cell(ast.get_docstring(_tree('errors')) or '')} |")
    return "\n".join(rows)


# -- figures of the fidelity pages -----------------------------------------------------------------

VERDICTS: Final = ("exact", "approximated", "not simulated")
FIDELITY_PAGES: Final = (
    "init invoke errors-and-exits time-limits freeze-reset-shutdown time handler json context "
    "logging platform-lines variables modules process snap-start extensions apis-and-telemetry "
    "limits calls outside-an-environment recorded-cases"
).split()
"""The pages below ``docs/fidelity``, in the order of the index."""


def fidelity_figures() -> str:
    """Return the table of the fidelity pages: rows by verdict, and rows that a test shows."""
    head = ["section", *VERDICTS, "rows", "rows with a test"]
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    total = [0] * (len(head) - 1)
    for name in FIDELITY_PAGES:
        title, figures = _fidelity_page(name)
        total = [one + other for one, other in zip(total, figures, strict=True)]
        lines.append(f"| [{title}](fidelity/{name}.md) | {' | '.join(map(str, figures))} |")
    lines.append(f"| all | {' | '.join(map(str, total))} |")
    return "\n".join(lines)


def _fidelity_page(name: str) -> tuple[str, list[int]]:
    """Return the title of a page and its figures."""
    text = (ROOT / "docs" / "fidelity" / f"{name}.md").read_text(encoding="utf-8")
    title = text.partition("\n")[0].removeprefix("# ")
    rows = [
        row.split(" | ") for row in re.findall(r"^\| (?!Lambda \|)(.+) \|$", text, re.MULTILINE)
    ]
    verdicts = [row[1].partition(":")[0] for row in rows]
    tested = sum("`" in row[-1] for row in rows if len(row) == 4)
    return title, [*map(verdicts.count, VERDICTS), len(rows), tested]


CALL_FIELDS: Final = "phase invocation where attempts exception duration_ms"
HTTP_FIELDS: Final = "method url library status matched"
AWS_FIELDS: Final = "service operation parameters region status error_code"
"""The members of calls that the reference shows."""

PARTS: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    f"{PACKAGE}/plugin/options.py": {"options": option_rows},
    "docs/reference.md": {
        "fixtures": fixtures_table,
        "environment": environment,
        "phase": partial(members_of, "lifecycle.phases", "Phase"),
        "init": partial(phase, "lifecycle.phases", "_Preparation", "Init"),
        "import_time": partial(members_of, "lifecycle.import_times", "ImportTime"),
        "invocation": partial(phase, "lifecycle.invocation", "Invocation"),
        "shutdown": partial(phase, "lifecycle.phases", "Shutdown"),
        "timeline": partial(
            members_of,
            "lifecycle.timeline",
            "Timeline",
            only="names of count svg",
            owner="env.timeline.",
        ),
        "spy": partial(members_of, "observation.spies", "Spy", owner="spy."),
        "call": partial(members_of, "lifecycle.call_events", "Call", only=CALL_FIELDS),
        "http_call": partial(members_of, "lifecycle.call_events", "HttpCall", only=HTTP_FIELDS),
        "aws_call": partial(members_of, "lifecycle.call_events", "AwsCall", only=AWS_FIELDS),
        "aws_client": partial(members_of, "lifecycle.call_events", "AwsClient"),
        "fault": partial(members_of, "observation.calls.faults", "Fault", owner="fault."),
        "extension": partial(members_of, "function.extension", "Extension"),
        "clock": partial(
            members_of,
            "clock.public_clock",
            "LambdaClock",
            only="now advance move_to",
            owner="lambda_clock.",
        ),
        "settings": settings_table,
        "options": options_table,
        "hooks": hooks,
    },
    "docs/troubleshooting.md": {"codes": codes_table},
    "docs/fidelity.md": {"figures": fidelity_figures},
    "docs/architecture.md": {"folders": folders_table},
}
"""The generated parts of each file, by their names."""


# -- files -----------------------------------------------------------------------------------------


def regenerated(file: str) -> str:
    """Return the text of a file with its parts as the code has them now."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for name, make in PARTS[file].items():
        before = rf".*<generated: {name}>[^\n]*\n"
        after = rf"\n[^\n]*</generated: {name}>.*"
        found = re.fullmatch(f"({before}).*?({after})", text, re.DOTALL)
        if found is None:
            raise SystemExit(f"{file} has no part <generated: {name}>")
        text = f"{found[1]}{make()}{found[2]}"
    return text


def main() -> None:
    """Rewrite all files."""
    for file in PARTS:
        (ROOT / file).write_text(regenerated(file), encoding="utf-8")


if __name__ == "__main__":
    main()
