"""The house rules: who may import whom, no cycles, no I/O in stages, what a newcomer adds is documented."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("schemas", "connectors", "pipeline")
MAY_IMPORT = {"schemas": {"schemas"}, "connectors": {"connectors", "schemas"}, "pipeline": {"pipeline", "schemas"}}
IO = {"kafka", "socket", "ssl", "subprocess", "http", "httpx", "requests", "urllib.request"}
IO |= {"pipeline.sources", "pipeline.sinks", "pipeline.commands", "schemas.kafka", "connectors"}


def modules() -> dict[str, Path]:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}
    assert len(names) > 30
    return names


def imports(file: Path) -> set[str]:
    """Full names of what a file imports; 'from a import b' gives both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: (imports(file) & set(known)) - {name} for name, file in known.items()}


def test_packages_import_only_what_the_design_allows() -> None:
    for name, others in graph().items():
        is_command = name == "pipeline.cli" or name.startswith("pipeline.commands.")
        allowed = MAY_IMPORT[name.partition(".")[0]] | ({"connectors"} if is_command else set())
        assert {other.partition(".")[0] for other in others} <= allowed, f"{name} imports {sorted(others)}"


def test_no_import_cycles() -> None:
    tuple(graphlib.TopologicalSorter(graph()).static_order())


def test_a_planted_cycle_is_found() -> None:
    with pytest.raises(graphlib.CycleError):
        tuple(graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())


def test_stages_import_no_io() -> None:
    edges, known = graph(), modules()
    reached, todo = set(), ["pipeline.build"]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += edges[name]
    assert "pipeline.tag" in reached
    for name in reached:
        for other in imports(known[name]):
            assert not any(other == io or other.startswith(io + ".") for io in IO), f"{name} imports {other}"


def test_only_a_process_edge_catches_everything() -> None:
    allowed = {"pipeline.dead_letter", "pipeline.correlate", "connectors._sandbox", "pipeline.analyse"}
    for name, file in modules().items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf8"))):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
                assert not broad or name in allowed, f"{name}:{node.lineno} catches everything"


def test_every_stage_that_dead_letters_name_is_known() -> None:
    from schemas.avro import definition
    from schemas.records import STAGES, DeadLetter

    named = {name for file in modules().values() for name in re.findall(r'(?:Guard\(|dead_letter\(|\bstage=)"(\w+)"', file.read_text(encoding="utf8"))}
    assert {"read", "tag", "write"} <= named <= set(STAGES)
    (doc,) = (field["doc"] for field in definition(DeadLetter)["fields"] if field["name"] == "stage")
    assert doc == f"Stage that failed: {', '.join(STAGES)}."


def test_files_stay_small() -> None:
    for name, file in modules().items():
        assert len(file.read_text(encoding="utf8").splitlines()) <= 400, f"{name} has more than 400 lines"


def test_the_seed_document_is_kept_byte_for_byte() -> None:
    import hashlib

    seed = ROOT / "seeds" / "000_a6554d4f7dcfda61.txt"
    assert hashlib.sha256(seed.read_bytes()).hexdigest() == "ebb0f5b2fd074c31de36cc661706955182c4398f99023364bdaba64669494a18"


def test_every_member_of_a_family_is_documented() -> None:
    guide = (ROOT / "docs" / "how-to-add.md").read_text(encoding="utf8")
    for family in ("connector", "archive format", "source", "sink", "language", "language detector", "event type", "place"):
        assert f"## A{'n' if family[0] in 'aeiou' else ''} {family}\n" in guide, f"docs/how-to-add.md does not say how to add: {family}"


def test_every_connector_is_documented() -> None:
    page = (ROOT / "docs" / "connectors.md").read_text(encoding="utf8")
    names = {file.stem for file in (ROOT / "connectors").glob("[!_]*.py")} - {"archive"}
    assert {name for name in names if f"\n## `{name}`\n" not in page} == set()


def test_readme_shows_the_two_commands_first() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf8").splitlines()[:40]
    assert any("make replay" in line for line in first_screen)
    assert any("make test" in line for line in first_screen)


def test_readme_shows_the_live_pipeline_in_five_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    section = readme.partition("## Live, on one machine\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^dijla (\w+)", section, re.MULTILINE)
    assert commands[:5] == ["broker", "broker", "publish", "run", "watch"]


def test_every_page_that_is_named_exists() -> None:
    """Links, and files of ours in back quotes; names with a placeholder are left out."""
    linked = 0
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        text = page.read_text(encoding="utf8")
        links = re.findall(r"\]\(([^):#]+)\)", text)
        named = re.findall(r"`((?:docs|deploy|pipeline|schemas|connectors|tests)/[\w./-]*\w)`", text)
        linked += len(links) + len(named)
        assert all((page.parent / link).exists() for link in links), page.name
        missing = [name for name in named if not (ROOT / name).exists() and not re.search("NAME|TYPE|xx|_name", name)]
        assert missing == [], page.name
    assert linked > 15


def test_every_command_and_option_is_documented() -> None:
    from pipeline.cli import main

    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf8")

    def walk(command: object, path: str) -> None:
        for option in getattr(command, "params", []):
            for flag in option.opts:
                if flag.startswith("--"):
                    assert f"`{flag}" in page, f"docs/cli.md does not name {path} {flag}"
        for name, sub in getattr(command, "commands", {}).items():
            assert f"`{path} {name}" in page, f"docs/cli.md does not name `{path} {name}`"
            walk(sub, f"{path} {name}")

    walk(main, "dijla")


def test_nothing_of_one_machine_is_tracked() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    homes = ("/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/")
    for name in tracked:
        if not name.startswith(("seeds/", "tests/samples/")):
            text = (ROOT / name).read_bytes().decode("utf8", "replace") if (ROOT / name).exists() else ""
            assert not any(home in text for home in homes), name
