"""Building images from their recipes: tools from the toolchain, layers from the cache."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import paths
from lab.errors import LabError
from lab.images import layer, layers, oci
from lab.images.table import DIST_PACKAGES, RECIPES, REGISTRY, Recipe
from lab.toolchain import ensure
from lab.toolchain.progress import Progress, default_progress
from worker import release as worker
from zone_watcher import release as zone_watcher

_LAYERS_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class _Package:
    """A package of this project that images are made of."""

    sources: Callable[[Path], list[Path]]
    """Its modules in a checkout."""
    tag: Callable[[Path], str]
    """Tag of its image."""
    requirements: Path | None = None
    """Hash-pinned list of what it needs besides Python, in a checkout."""


_PACKAGES = {
    "worker": _Package(worker.image_sources, worker.image_tag, Path("requirements/worker.txt")),
    "zone_watcher": _Package(zone_watcher.image_sources, zone_watcher.image_tag),
}


def build(names: Iterable[str], progress: Progress | None = None) -> list[oci.BuiltImage]:
    """Return the named images, after building the tools and layers that are missing.

    Args:
        names: Keys of `table.RECIPES`.
        progress: Where to show what is built; chosen by the terminal when not given.

    Raises:
        LabError: A name is unknown, a prerequisite is missing, or a build failed.
    """
    wanted = [_recipe(name) for name in dict.fromkeys(names)]
    shown = progress or default_progress()
    if os.geteuid() != 0 and any(recipe.is_on_base for recipe in wanted):
        raise LabError("building images needs root: file owners inside images are set with chown")
    tools = ensure(sorted(_tools(wanted)), shown)
    with _sources() as sources, ThreadPoolExecutor(_LAYERS_AT_ONCE) as pool:
        stacks = [_stack(recipe, tools, sources) for recipe in wanted]
        shown.expect(len({entry.name for stack in stacks for entry in stack if not entry.path.exists()}))
        if "mmdebstrap" in tools:
            # First and alone: what lies on it is named by its content.
            layers.obtain(layers.base(tools["mmdebstrap"]), shown)
        jobs = [pool.submit(_image, recipe, tools, sources, shown) for recipe in wanted]
        try:
            return [job.result() for job in jobs]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def needed_tools(names: Iterable[str]) -> set[str]:
    """Return the toolchain's names of what the named images are made with and from."""
    return _tools([_recipe(name) for name in names])


def full_name(recipe: Recipe, checkout: Path | None = None) -> str:
    """Return an image's name with registry and tag."""
    tag = recipe.tag or _PACKAGES[recipe.package].tag(checkout or paths.checkout_dir())
    return f"{REGISTRY}/{recipe.repository}:{tag}"


@contextmanager
def _sources() -> Iterator[Path]:
    """Give a copy of what this project's images are made from, so that an edit meanwhile is not half in one."""
    checkout = paths.checkout_dir()
    with tempfile.TemporaryDirectory(prefix="routerfleet-images-") as folder:
        copy = Path(folder)
        only_python = shutil.ignore_patterns("__pycache__", "*.pyc")
        for name, package in _PACKAGES.items():
            shutil.copytree(checkout / name, copy / name, ignore=only_python)
            if package.requirements:
                (copy / package.requirements).parent.mkdir(exist_ok=True)
                shutil.copyfile(checkout / package.requirements, copy / package.requirements)
        yield copy


def _tools(recipes: Iterable[Recipe]) -> set[str]:
    return {
        tool
        for recipe in recipes
        for tool in (*recipe.tools.values(), *(["mmdebstrap"] if recipe.is_on_base else []))
    }


def _recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise LabError(f"unknown image {name!r}; there are: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]


def _image(recipe: Recipe, tools: Mapping[str, Path], sources: Path, progress: Progress) -> oci.BuiltImage:
    run = oci.RunConfig(
        user=f"{recipe.user}:{recipe.user}",
        command=recipe.command,
        environment=recipe.variables,
        labels={"org.opencontainers.image.title": recipe.repository},
    )
    blobs = [layers.obtain(entry, progress) for entry in _stack(recipe, tools, sources)]
    return oci.image(full_name(recipe, sources), blobs, run)


def _stack(recipe: Recipe, tools: Mapping[str, Path], sources: Path) -> list[layers.Layer]:
    """Return the layers of an image, lowest first."""
    stack: list[layers.Layer] = []
    if recipe.is_on_base:
        stack.append(layers.base(tools["mmdebstrap"]))
    if recipe.debian:
        stack.append(layers.debian(recipe.debian, tuple(stack), tools["mmdebstrap"]))
    if recipe.tools or recipe.links:
        content = {path: layer.Entry(tools[tool], _mode(tools[tool])) for path, tool in recipe.tools.items()}
        # A tool's folder is named by everything that decides its bytes.
        inputs = " ".join(f"{path}={_home(tools[tool])}" for path, tool in sorted(recipe.tools.items()))
        stack.append(layers.files(recipe.repository, content, recipe.links, inputs))
    if recipe.package:
        package = _PACKAGES[recipe.package]
        if package.requirements:
            stack.append(layers.dependencies(sources / package.requirements, tuple(stack)))
        modules = package.sources(sources)
        code = {f"/{DIST_PACKAGES}/{path.relative_to(sources)}": layer.Entry(path) for path in modules}
        stack.append(layers.files(recipe.repository, code, {}, package.tag(sources)))
    return stack


def _mode(tool: Path) -> int:
    return 0o644 if tool.is_dir() else 0o755


def _home(tool: Path) -> str:
    return str(tool.relative_to(paths.cache_dir() / "tools"))
