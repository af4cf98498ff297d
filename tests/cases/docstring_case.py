"""What a function of the package raises, as far as its source and that of what it calls tell."""

import ast
import builtins
import functools
import importlib
import inspect
import textwrap
import types


def raised(function, owner=None, above=frozenset()):
    """Return exception -> where it is raised, of a function, a property or a class.

    Calls are followed where the name tells the function: of a module, or of `owner` after self.
    What the kernels raise is not seen, nor what goes through a callback.
    """
    if isinstance(function, type):
        parts = (getattr(function, name, None) for name in ("__init__", "__post_init__"))
        found = {}
        for part in filter(None, parts):
            found |= raised(part, function, above)  # self is one of this class
        return found
    function, tree = _plain(function), _tree(_plain(function))
    if tree is None or function in above:
        return {}
    names = {**function.__globals__, "self": owner, "cls": owner, **_imported(tree, function)}
    visitor = _Raises(names, function, above | {function})
    for statement in tree.body:
        visitor.visit(statement)
    return visitor.found


def caught_by_context(function):
    """Return the names of what a context manager made by contextlib turns into something else."""
    tree = _tree(_plain(function))
    tries = [node for node in ast.walk(tree) if isinstance(node, ast.Try)] if tree else []
    return [
        handler.type
        for node in tries
        if any(isinstance(inner, ast.Yield) for part in node.body for inner in ast.walk(part))
        for handler in node.handlers
    ]


def _plain(thing):
    thing = getattr(thing, "fget", None) or getattr(thing, "func", thing)
    return inspect.unwrap(getattr(thing, "__func__", thing)) if callable(thing) else None


@functools.cache
def _tree(function):
    if not isinstance(function, types.FunctionType) or "lenet_c" not in function.__module__:
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError):  # made by dataclass, or a lambda
        return None
    return tree if isinstance(tree, ast.FunctionDef) else None


def _imported(tree, function):
    """Return the names that a function imports when it is called."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            name = "." * node.level + (node.module or "")
            module = importlib.import_module(name, function.__globals__["__package__"])
            found |= {
                alias.asname or alias.name: getattr(module, alias.name, None)
                for alias in node.names
            }
    return found


class _Raises(ast.NodeVisitor):
    def __init__(self, names, function, above):
        self.names, self.function, self.above = names, function, above
        self.found, self.caught = {}, []

    def resolve(self, node):
        if isinstance(node, ast.Name):
            return self.names.get(node.id, getattr(builtins, node.id, None))
        if isinstance(node, ast.Attribute):
            return getattr(self.resolve(node.value), node.attr, None)
        return None

    def add(self, found):
        for error, place in found.items():
            if not issubclass(error, tuple(self.caught)):
                self.found.setdefault(error, place)

    def within(self, statements, caught):
        """Visit what stands where some errors are caught."""
        nodes = [one for node in caught for one in getattr(node, "elts", [node])]
        errors = [BaseException if node is None else self.resolve(node) for node in nodes]
        before = self.caught
        self.caught = before + [error for error in errors if isinstance(error, type)]
        for statement in statements:
            self.visit(statement)
        self.caught = before

    def visit_FunctionDef(self, node):  # a callback
        pass

    visit_Lambda = visit_FunctionDef

    def visit_Try(self, node):
        self.within([*node.body, *node.orelse], [handler.type for handler in node.handlers])
        self.within([*node.handlers, *node.finalbody], [])

    def visit_With(self, node):
        caught = []
        for item in node.items:
            call = item.context_expr
            self.visit(call)
            if isinstance(call, ast.Call):
                manager = self.resolve(call.func)
                is_suppress = getattr(manager, "__name__", "") == "suppress"
                caught += call.args if is_suppress else caught_by_context(manager)
        self.within(node.body, caught)

    def visit_Raise(self, node):
        error = self.resolve(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
        if isinstance(error, types.FunctionType):  # that makes one
            error = self.resolve(ast.parse(error.__annotations__["return"], mode="eval").body)
        if isinstance(error, type):
            self.add({error: f"{self.function.__module__}.{self.function.__qualname__}"})
        self.generic_visit(node)

    def visit_Call(self, node):
        called = self.resolve(node.func)
        owner = self.resolve(node.func.value) if isinstance(node.func, ast.Attribute) else None
        if isinstance(called, type) and "lenet_c" not in called.__module__:
            called = None
        self.add(raised(called, owner if isinstance(owner, type) else None, self.above))
        self.generic_visit(node)

    def visit_Attribute(self, node):
        thing = self.resolve(node)
        if isinstance(thing, (property, functools.cached_property)):
            self.add(raised(thing, self.resolve(node.value), self.above))
        self.generic_visit(node)
