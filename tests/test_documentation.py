"""What the documents say exists: links, commands, targets, configs; and the limits the code keeps."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent
FOLDERS = ("resnet_zoo", "configs", "docs", "tests", "scripts", "benchmarks", ".ci", ".github")
TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".json", ".sh", ".cfg", ".txt", ""}

# Addresses that a document or docstring may send a reader to. Software is installed by its name, from whatever index
# the reader's installer is set to.
HOSTS = {
    "arxiv.org", "doi.org", "github.com", "docs.pytorch.org", "lightning.ai", "jsonargparse.readthedocs.io",
    "image-net.org", "www.image-net.org", "www.cs.toronto.edu", "scikit-learn.org", "archive.ics.uci.edu",
    "creativecommons.org", "docs.wandb.ai", "packaging.python.org", "json-schema.org", "localhost", "127.0.0.1",
}  # fmt: skip
LONGEST_FILE, LONGEST_FUNCTION = 300, 60


def files() -> list[Path]:
    """The project's own text files."""
    found = [path for path in PROJECT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        found += [path for path in (PROJECT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in found if path.suffix in TEXT and "__pycache__" not in path.parts)


def documents() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


def package() -> list[Path]:
    return [path for path in files() if path.suffix == ".py" and path.is_relative_to(PROJECT / "resnet_zoo")]


def name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as the sites that show Markdown form them."""
    headings = re.findall(r"^#+ +(.*?) *$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{name(document)} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file.read_text()), f"{name(document)} links to {target}"


@pytest.mark.parametrize("document", documents(), ids=name)
def test_commands_exist(document: Path) -> None:
    from resnet_zoo.cli.configs import find_config
    from resnet_zoo.cli.main import COMMANDS

    text = document.read_text()
    makefile = (PROJECT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    code = "\n".join(code_blocks(text, "(?:bash|sh|console)?") + re.findall(r"`([^`\n]+)`", text))
    for command in re.findall(
        r"^ *(?:\$ )?(?:[A-Z_]+=\S+ )*(?:srun )?resnet-zoo ([a-z][a-z-]*)", code, re.MULTILINE
    ):
        assert command in COMMANDS, f"{name(document)} shows 'resnet-zoo {command}'"
    for target in re.findall(r"^ *(?:\$ )?make ([a-z-]+)", code, re.MULTILINE):
        assert target in targets, f"{name(document)} shows 'make {target}'"
    for config in re.findall(r"--config[ =]([\w./-]+)", code):
        stands_for_one = config.isupper() or Path(config).name.startswith("my")
        if not stands_for_one and not (document.parent / config).is_file():
            assert find_config(config).is_file()


@pytest.mark.parametrize("document", documents(), ids=name)
def test_examples_are_well_formed(document: Path) -> None:
    text = document.read_text()
    for block in code_blocks(text, "python"):
        ast.parse(block)
    for block in code_blocks(text, "yaml"):
        yaml.safe_load(block)


@pytest.mark.parametrize("path", package(), ids=name)
def test_code_keeps_its_limits(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{name(path)}:{node.lineno} {node.name} has {lines} lines"


def test_no_helper_without_a_home() -> None:
    assert not [name(path) for path in files() if path.stem in ("utils", "util", "helpers", "misc", "common")]


def test_no_path_of_a_machine() -> None:
    pattern = re.compile(r"(?<![\w.:$}/-])/(?:work|root|home|Users|mnt|opt)/\w")
    found = [
        f"{name(path)}:{number}"
        for path in files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found


def test_addresses_are_known() -> None:
    found = {
        f"{name(path)}: {host}"
        for path in files()
        if not path.is_relative_to(PROJECT / "tests")
        for host in re.findall(r"https?://([\w.-]*\w)", path.read_text(errors="replace"))
        if host not in HOSTS and not host.endswith((".invalid", "example.com", "example.org"))
    }
    assert not found, "say why in HOSTS, or leave the address out"


def test_generated_tables_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    specification = importlib.util.spec_from_file_location(
        "generate_tables", PROJECT / "docs/generate_tables.py"
    )
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    assert script.main(["--check"]) == 0, capsys.readouterr().err
