"""Code of the user's own and of other libraries that a run needs: looked for when it is planned, without running any of it."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ..core.errors import InputError, one_line
from ..networks.catalogue import LIBRARIES, networks
from .config import Run
from .fingerprint import PACKAGE, source_of, sources_used_by
from .library_names import torchvision_weights, unknown_network
from .reading import parsed

SIZES = ("in_channels", "image_size", "classes")


def check_own_code(config: Run) -> None:
    """Check that what builds a run's networks, carries their weights and knows how to normalise their images is there.

    Raises:
        InputError: a library is not installed or has no such network or weights, there is no such module or function, it imports
            what is not installed, or it takes other arguments; one line each.
    """
    wrong = [*_missing_packages(config), *_missing_weights(config)]
    for name in dict.fromkeys(block.architecture for block in config.networks.values()):
        if name not in networks() and name.partition(":")[0] not in LIBRARIES:
            wrong += _mistakes(*name.split(":"))
    if wrong:
        raise InputError("\n".join(wrong))


def _missing_packages(config: Run) -> Iterator[str]:
    """What a run takes from packages that are not installed: a line each."""
    taken = {"network": [block.architecture for block in config.networks.values()]}
    taken["weights"] = [block.weights for block in config.networks.values() if block.weights]
    scales = [images.scale for images in config.datasets.values()]
    taken["dataset.normalisation"] = [scale for scale in scales if isinstance(scale, str)]
    for what, names in taken.items():
        for name in dict.fromkeys(names):
            kind, _, rest = name.partition(":")
            package = rest.partition("/")[0] if kind == "package" else kind if kind in LIBRARIES else None
            top = None if package is None else package.partition(".")[0]
            if top is not None and not (top.isidentifier() and _is_installed(top)):
                yield f"{what} {name} needs {package}, which is not installed: install it"
            elif kind in LIBRARIES and what != "weights" and (unknown := unknown_network(kind, rest)):
                yield f"{what} {unknown}"


def _missing_weights(config: Run) -> Iterator[str]:
    """Which weights of torchvision there are not: a line each."""
    for block in config.networks.values():
        library, _, name = (block.weights or "").partition(":")
        if library != "torchvision":
            continue
        architecture, network = block.architecture, block.architecture.removeprefix("torchvision:")
        known = torchvision_weights(network)
        if network == architecture:
            yield f"weights {block.weights} need a network of torchvision, not {architecture}"
        elif known and name not in known:
            yield f"weights {block.weights} are not known; {architecture} has {', '.join(known)}"


def _mistakes(module: str, name: str) -> Iterator[str]:
    """What is wrong with the function ``module:name``, in a line."""
    network = f"network {module}:{name}"
    source = source_of(module)
    if source is None:
        top = module.partition(".")[0]
        yield f"{network}: there is no module {module}: install it, or start with PYTHONPATH=<the folder of {top}>"
    elif source.suffix == ".py":
        yield from _mistakes_in(source, network, name)


def _mistakes_in(source: Path, network: str, name: str) -> Iterator[str]:
    try:
        statements = list(_executed(parsed(source.read_bytes(), source).body))
    except (SyntaxError, ValueError) as error:
        yield f"{network}: {source} is no Python: {one_line(error)}"
        return
    bound = {bound for statement in statements for bound in _bound_by(statement)}
    if not bound & {name, "*", "__getattr__"}:
        yield f"{network}: {source} has no {name}"
    yield from (f"{network}: {line}" for line in _missing_imports(source))
    functions = [one for one in statements if isinstance(one, ast.FunctionDef) and one.name == name]
    if functions and not functions[-1].decorator_list and not _takes_sizes(functions[-1].args):
        yield f"{network}: {name} must take the keywords {', '.join(SIZES)}, and need no other"


def _missing_imports(source: Path) -> Iterator[str]:
    """What files of the user's own import, whatever happens, and is not installed: a line each.

    Nothing is said of files that change the places where Python looks, or are no Python.
    """
    try:
        own = [path for path in sources_used_by(source) if path.suffix == ".py" and not path.is_relative_to(PACKAGE)]
        texts = {path: path.read_bytes() for path in own}
        statements = [(path, statement) for path, text in texts.items() for statement in parsed(text, path).body]
    except (SyntaxError, ValueError):
        return
    if any(b"sys.path" in text for text in texts.values()):
        return
    for path, name in dict.fromkeys((path, name) for path, statement in statements for name in _imported_by(statement)):
        if not _is_installed(name):
            yield f"{path} imports {name}, which is not installed: install it"


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # of a module that was run as a script
        return True


def _imported_by(statement: ast.stmt) -> Iterator[str]:
    """The packages that an import names, those of relative ones left out."""
    if isinstance(statement, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom) and not statement.level:
        yield statement.module.partition(".")[0]


def _executed(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those inside ``if``, ``try``, ``with`` and loops among them."""
    pending: list[ast.stmt | ast.excepthandler] = statements[::-1]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt | ast.excepthandler)]
            pending += inner[::-1]


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement gives a value."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    else:
        names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
        yield from (node.id for node in names if isinstance(node.ctx, ast.Store))


def _takes_sizes(arguments: ast.arguments) -> bool:
    """Whether a function can be called with the sizes as keywords, and with nothing else."""
    by_place = [*arguments.posonlyargs, *arguments.args]
    needed = {argument.arg for argument in by_place[: len(by_place) - len(arguments.defaults)]}
    needed |= {
        one.arg for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None
    }
    taken = {argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)}
    return needed <= set(SIZES) and (arguments.kwarg is not None or set(SIZES) <= taken)
