"""The statements of function code that change an object: found in the source, nothing is traced."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

__all__ = ["CALL", "DECORATED", "OPEN", "REMOVALS", "Write", "writes_in"]

Chain: TypeAlias = tuple[str, ...]

REMOVALS: Final = frozenset(
    "[]del clear del discard pop popitem popleft remove removeHandler".split()
)
DECORATED: Final = "@"
"""The verb of a function whose decorator may keep something for it."""
CALL: Final = "()"
"""The verb of a call of any other method, which may change its receiver."""
OPEN: Final = "open()"
"""The verb of a call that opens a file or a socket; the name of the function is its chain."""
_OPENERS: Final = frozenset(
    "NamedTemporaryFile TemporaryFile connect create_connection fdopen mkstemp open openpty pipe "
    "popen socket socketpair urlopen".split()
)
_CHANGES: Final = REMOVALS | frozenset(
    "add addFilter addHandler append append_keys appendleft chdir "
    "difference_update extend extendleft "
    "filterwarnings heappush heappop insert insort insort_left insort_right "
    "intersection_update move_to_end next putenv reverse rotate set set_event_loop setLevel "
    "setattr setdefault setlocale shuffle signal simplefilter sort symmetric_difference_update "
    "unsetenv update".split()
)
"""Methods, and functions by their last name, that change their receiver or first argument."""
_OF_ARGUMENT: Final = frozenset(
    "heappush heappop insort insort_left insort_right next setattr shuffle".split()
)
_WITH_KEYS: Final = ("append_keys", "setdefault", "update")
_ACCESS: Final = frozenset("get items keys setdefault values __getitem__".split())
"""Methods whose result is a part of their receiver."""


class Write(NamedTuple):
    """One statement."""

    line: int
    chain: Chain
    """The names that lead to the changed object: ``self.items.append(x)`` has self and items."""
    verb: str
    """The method; ``"="``, ``"+="`` or ``"del"``, after ``"[]"`` for an entry."""
    key: object
    """The constant key of ``x[key] = ...``; None if it has none."""
    function: str
    """The name of the function around it."""
    is_global: bool
    """The first name is no local variable of that function."""


def writes_in(source: str) -> list[Write]:
    """Return the writes in the functions of a module; none for source that is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    returned = {
        node.name: chain
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (chain := _chain_returned(node))
    }
    found: list[Write] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += _Function(node, returned).writes()
            if node.decorator_list:
                found.append(Write(node.lineno, (node.name,), DECORATED, None, "", True))
    return found


def _chain_returned(function: ast.FunctionDef) -> Chain:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Name | ast.Attribute):
            return _names_of(node.value)
    return ()


def _names_of(node: ast.expr) -> Chain:
    """Return the names of ``a.b[c].d``; empty if it begins with anything but a name."""
    names: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            node = node.func
            if isinstance(node, ast.Attribute) and node.attr in _ACCESS:
                node = node.value
        elif isinstance(node, ast.Name):
            return (node.id, *reversed(names))
        else:
            return ()


class _Function:
    """The writes of one function, without those of functions inside it."""

    def __init__(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, returned: dict[str, Chain]
    ) -> None:
        self._name = node.name
        self._returned = returned
        self._nodes = list(_own_nodes(node))
        self._outer = {
            name
            for one in self._nodes
            if isinstance(one, ast.Global | ast.Nonlocal)
            for name in one.names
        }
        arguments = node.args
        self._parameters = {
            one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        }
        self._local = {
            one.id
            for one in self._nodes
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        } - self._outer
        self._aliases = dict(self._find_aliases())

    def _find_aliases(self) -> Iterator[tuple[str, Chain]]:
        """Yield local variables that stand for a part of something else."""
        for one in self._nodes:
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                name, value = one.targets[0].id, one.value
            elif isinstance(one, ast.For | ast.AsyncFor):
                target = one.target
                last = target.elts[-1] if isinstance(target, ast.Tuple) else target
                if not isinstance(last, ast.Name):
                    continue
                name, value = last.id, one.iter
            elif isinstance(one, ast.NamedExpr):
                name, value = one.target.id, one.value
            else:
                continue
            chain = _names_of(value)
            if isinstance(value, ast.Call) and not _is_access(value):
                # What a shallow copy holds is still that of the original.
                copied = _copied(value)
                called = chain[-1] if chain else ""
                chain = _names_of(copied) if copied else self._returned.get(called, (called,))
            if chain and name in self._local and chain[0] != name:
                yield name, chain

    def writes(self) -> Iterator[Write]:
        for node in self._nodes:
            if isinstance(node, ast.Assign):
                yield from self._of_targets(node.targets, "=")
            elif isinstance(node, ast.AugAssign | ast.AnnAssign):
                verb = "+=" if isinstance(node, ast.AugAssign) else "="
                yield from self._of_targets([node.target], verb)
            elif isinstance(node, ast.Delete):
                yield from self._of_targets(node.targets, "del")
            elif isinstance(node, ast.Call):
                yield from self._of_call(node)

    def _of_targets(self, targets: Iterable[ast.expr], verb: str) -> Iterator[Write]:
        for target in targets:
            if isinstance(target, ast.Tuple | ast.List):
                yield from self._of_targets(target.elts, verb)
                continue
            if isinstance(target, ast.Name) and target.id not in self._outer:
                continue
            if isinstance(target, ast.Subscript) and _is_dict_of(target.value):
                chain = _names_of(target.value)[:-1]
                if chain and isinstance(target.slice, ast.Constant):
                    yield self._made(target, (*chain, str(target.slice.value)), "setattr", None)
            elif isinstance(target, ast.Subscript):
                yield from self._write(target, target.value, f"[]{verb}", target.slice)
            else:
                yield from self._write(target, target, verb, None)

    def _of_call(self, node: ast.Call) -> Iterator[Write]:
        func = node.func
        verb = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        if verb in _OPENERS:
            yield Write(node.lineno, (verb,), OPEN, None, self._name, True)
        if verb not in _CHANGES:
            if isinstance(func, ast.Attribute):
                yield from self._write(node, func.value, CALL, None)
            return
        first = node.args[0] if node.args else None
        if verb in _WITH_KEYS:
            yield from self._of_update(node, func, verb)
        elif verb == "setattr" and len(node.args) == 3 and isinstance(node.args[1], ast.Constant):
            chain = _names_of(node.args[0])
            if chain:
                yield self._made(node, (*chain, str(node.args[1].value)), verb, None)
        elif verb in _OF_ARGUMENT and first is not None:
            yield from self._write(node, first, verb, None)
        elif isinstance(func, ast.Attribute):
            yield from self._write(node, func.value, verb, None)

    def _of_update(self, node: ast.Call, func: ast.expr, verb: str) -> Iterator[Write]:
        if not isinstance(func, ast.Attribute):
            return
        chain = _names_of(func.value)
        first = node.args[0] if node.args else None
        keys: list[object] = [word.arg for word in node.keywords if word.arg]
        if isinstance(first, ast.Dict):
            keys += [key.value for key in first.keys if isinstance(key, ast.Constant)]
        elif verb == "setdefault" and isinstance(first, ast.Constant):
            keys.append(first.value)
        if chain:
            yield from (self._made(node, chain, verb, key) for key in keys or [None])

    def _write(
        self, node: ast.expr, target: ast.expr, verb: str, key: ast.expr | None
    ) -> Iterator[Write]:
        chain = _names_of(target)
        if chain:
            constant = key.value if isinstance(key, ast.Constant) else None
            if chain == ("globals",) and isinstance(constant, str):
                yield Write(node.lineno, (constant,), verb[2:], None, self._name, True)
                return
            yield self._made(node, chain, verb, constant)

    def _made(self, node: ast.expr, chain: Chain, verb: str, key: object) -> Write:
        is_global = chain[0] not in self._local and chain[0] not in self._parameters
        for _ in range(4):  # an alias of an alias
            if chain[0] not in self._aliases or is_global:
                break
            chain = (*self._aliases[chain[0]], *chain[1:])
            is_global = chain[0] not in self._local and chain[0] not in self._parameters
        return Write(node.lineno, chain, verb, key, self._name, is_global)


def _is_dict_of(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "__dict__"


def _copied(call: ast.Call) -> ast.expr | None:
    """Return the expression of which a call makes a shallow copy."""
    func = call.func
    if isinstance(func, ast.Attribute) and func.attr == "copy":
        is_module = isinstance(func.value, ast.Name) and func.value.id == "copy"
        return call.args[0] if is_module and call.args else func.value
    is_copy = isinstance(func, ast.Name) and func.id in ("dict", "list", "copy")
    return call.args[0] if is_copy and call.args else None


def _is_access(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in _ACCESS


def _own_nodes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body in order, without those of inner functions."""
    todo: list[ast.AST] = list(reversed(function.body))
    while todo:
        node = todo.pop()
        yield node
        inner = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        if not isinstance(node, inner):
            todo.extend(reversed(list(ast.iter_child_nodes(node))))
