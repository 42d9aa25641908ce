import re

import pytest

from lab import paths
from lab.toolchain.model import GOMODULES, DebianTool, GoModule, GoTool, ModuleFiles, PythonTool
from lab.toolchain.table import BY_NAME, KUBERNETES, TOOLS

MODULES = sorted(
    {tool.module for tool in TOOLS if isinstance(tool, GoTool | ModuleFiles)}, key=lambda m: m.folder
)
UPSTREAM = [module for module in MODULES if not module.path.startswith("lab/")]


def read(module: GoModule, name: str) -> str:
    return (module.directory / name).read_text()


def test_versions_are_those_the_lab_was_measured_with():
    assert {module.folder: module.version for module in MODULES} == {
        "cloudnative-pg": "1.28.1",
        "coredns": "1.14.1",
        "kubernetes": "1.34.3",
        "pause": "3",
        "pulumi": "3.259.0",
        "pulumi-language-python": "3.79.0",
        "temporal-server": "1.32.1",
        "temporal-ui": "2.55.0",
    }


def test_names_are_unique():
    assert len(BY_NAME) == len(TOOLS)


def test_every_pinning_folder_is_used():
    assert sorted(folder.name for folder in GOMODULES.iterdir()) == [module.folder for module in MODULES]


@pytest.mark.parametrize("module", UPSTREAM, ids=lambda module: module.folder)
def test_go_mod_pins_the_version_of_the_table(module: GoModule):
    required = re.findall(
        rf"^(?:require)?\s+{re.escape(module.path)} (\S+)", read(module, "go.mod"), re.MULTILINE
    )

    assert required == [f"v{module.version}"]


@pytest.mark.parametrize("module", UPSTREAM, ids=lambda module: module.folder)
def test_go_sum_knows_the_module_by_content(module: GoModule):
    sums = re.findall(
        rf"^{re.escape(module.path)} v{re.escape(module.version)}(/go\.mod)? h1:\S{{43}}=$",
        read(module, "go.sum"),
        re.MULTILINE,
    )

    assert sorted(sums) == ["", "/go.mod"]


@pytest.mark.parametrize("tool", [t for t in TOOLS if isinstance(t, GoTool)], ids=lambda tool: tool.name)
def test_go_mod_keeps_what_each_binary_needs(tool: GoTool):
    if tool.module in UPSTREAM:
        named = re.findall(r"^(?:tool)?\s+(\S+)$", read(tool.module, "go.mod"), re.MULTILINE)
        assert tool.import_path in named
    else:
        assert (tool.module.directory / "main.go").read_text().count("func main()") == 1


def test_kubernetes_staging_modules_are_of_its_own_release():
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) (\S+)$", read(KUBERNETES, "go.mod"), re.MULTILINE)

    assert len(replaced) == 31
    assert {(name == by, version) for name, by, version in replaced} == {(True, "v0.34.3")}


@pytest.mark.parametrize("folder", ["pulumi", "kubernetes"])
def test_binaries_report_the_version_of_the_table(folder: str):
    module = next(module for module in MODULES if module.folder == folder)

    assert f"=v{module.version}" in module.ldflags


def test_python_tools_are_pinned_by_the_requirement_list():
    pins = (paths.checkout_dir() / "requirements" / "dev.txt").read_text().splitlines()

    for tool in TOOLS:
        if isinstance(tool, PythonTool):
            assert [line for line in pins if line.startswith(f"{tool.distribution}==")] == [
                f"{tool.distribution}=={tool.version} \\"
            ]


def test_minimum_versions_are_dotted_numbers():
    assert [
        tool.name
        for tool in TOOLS
        if isinstance(tool, DebianTool) and not re.fullmatch(r"\d+(\.\d+)+", tool.minimum)
    ] == []
