"""What the house promises and a machine can check: sizes, names, and documents that cannot lie."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from commsite.realtime.errors import REASONS, CloseCode
from commsite.realtime.registry import declared_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import Settings

ROOT = Path(__file__).resolve().parents[1]
MADE_HERE = frozenset(
    (".git", ".venv", ".state", "node_modules", "static", "staticfiles", "__pycache__", "results")
)
HOMELESS = frozenset(("utils", "util", "helpers", "helper", "common", "misc", "managers", "core"))
MOST_LINES, MOST_LINES_OF_A_TEST = 400, 500
PAGES = sorted(path for path in (ROOT / "docs").glob("*.md"))


def sources(*suffixes: str) -> Iterator[Path]:
    """Every file of the repository with one of these suffixes, without what is made here."""
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name not in MADE_HERE]
        yield from (Path(folder, file) for file in files if Path(file).suffix in suffixes)


def name(path: Path) -> str:
    """The path as a person of the repository would say it."""
    return path.relative_to(ROOT).as_posix()


def tables(page: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Each table of a page: the cells of its head, in lower case, and those of its rows."""
    blocks = re.findall(r"(?:^\|.*\n)+", (ROOT / page).read_text() + "\n", re.MULTILINE)
    for block in blocks:
        rows = [
            [cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in block.splitlines()
        ]
        yield [cell.lower() for cell in rows[0]], rows[2:]


def column(page: str, head: str, *, beside: str) -> dict[str, str]:
    """The column `head` of all tables that have it, each cell with the one under `beside`."""
    return {
        row[titles.index(head)].strip("`"): row[titles.index(beside)].strip("`")
        for titles, rows in tables(page)
        if head in titles and beside in titles
        for row in rows
    }


# ---- Sizes and names -----------------------------------------------------------------------------


def test_no_file_is_longer_than_four_hundred_lines_and_no_test_than_five_hundred() -> None:
    lengths = {
        name(path): len(path.read_text().splitlines())
        for path in sources(".py", ".ts")
        if "migrations" not in path.parts
    }

    allowed = {
        path: MOST_LINES_OF_A_TEST if path.startswith("tests/") else MOST_LINES for path in lengths
    }
    assert {path: length for path, length in lengths.items() if length > allowed[path]} == {}


def test_no_file_or_folder_is_a_home_for_the_homeless() -> None:
    found = [name(path) for path in sources(".py", ".ts") if HOMELESS & {*path.parts, path.stem}]

    assert found == []


def test_packages_hold_a_docstring_and_no_code() -> None:
    with_code = [
        name(path)
        for path in sources(".py")
        if path.name == "__init__.py" and path.parent.name != "migrations"
        for body in [ast.parse(path.read_text()).body]
        if len(body) != 1 or ast.get_docstring(ast.parse(path.read_text())) is None
    ]

    assert with_code == []


def test_no_file_knows_a_path_of_the_machine_it_was_written_on() -> None:
    machine = re.compile(r"(?<![\w.])/(?:" + "|".join(("work", "root", "home", "Users")) + r")/\w")
    knowing = [
        f"{name(path)}:{number}"
        for path in sources(".py", ".ts", ".js", ".mjs", ".md", ".toml", ".txt", ".html", ".json")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if machine.search(line)
    ]

    assert knowing == []


def test_every_requirement_is_pinned() -> None:
    lines = (
        line.split("#")[0].strip()
        for file in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / file).read_text().splitlines()
    )

    assert [line for line in lines if line and not re.match(r"-r |[\w\[\],-]+==", line)] == []


# ---- Documents that must agree with the code -----------------------------------------------------


def test_the_documents_are_all_there() -> None:
    expected = {"architecture", "protocol", "operations", "glossary"}

    assert expected <= {page.stem for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_which_sources_it_speaks_of_and_they_exist(page: Path) -> None:
    line = re.search(r"^(?:<!-- )?source: (.+?)(?: -->)?$", page.read_text(), re.MULTILINE)

    assert line is not None, "the page needs a line `source: <path>, <path>`"
    paths = [path.strip(" `") for path in line[1].split(",")]
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_protocol_page_lists_every_reason_with_its_status() -> None:
    documented = column("docs/protocol.md", "reason", beside="http")

    assert documented == {reason: str(row.http_status) for reason, row in REASONS.items()}


def test_the_protocol_page_lists_every_close_code() -> None:
    documented = column("docs/protocol.md", "code", beside="meaning")

    assert sorted(documented) == sorted(str(code.value) for code in CloseCode)


def test_the_protocol_page_lists_every_event_with_its_delivery_class() -> None:
    documented = column("docs/protocol.md", "event", beside="delivery")
    declared = {event: delivery.name.lower() for event, delivery in declared_events().items()}

    assert {event: documented.get(event) for event in declared} == declared


def environment_of(path: Path) -> set[str]:
    """The variables that a module reads: `env.str("NAME", ...)`, `os.environ["NAME"]`, …"""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case (
                ast.Call(
                    func=ast.Attribute(value=ast.Name(id="env") | ast.Attribute(attr="environ")),
                    args=[ast.Constant(value=str(variable)), *_],
                )
                | ast.Subscript(
                    value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(variable))
                )
            ):
                found.add(variable)
    return found


def test_the_operations_page_lists_every_setting() -> None:
    documented = set(column("docs/operations.md", "variable", beside="default"))
    read = {
        variable
        for package in ("commsite", "conversation", "presence")
        for path in (ROOT / package).rglob("*.py")
        for variable in environment_of(path)
    } - {"DJANGO_SETTINGS_MODULE"}

    assert read - documented == set()


def test_the_operations_page_lists_every_metric() -> None:
    documented = set(column("docs/operations.md", "metric", beside="counts or measures"))
    named = {
        f"commsite_{node.value}"
        for package in ("commsite", "conversation", "presence")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.fullmatch(r"[a-z_]+_total", node.value)
    }

    listed = {cell.split("{")[0] for cell in documented}
    assert named == {metric for metric in listed if metric.endswith("_total")}


def test_the_operations_page_states_every_limit_with_its_default(settings: Settings) -> None:
    documented = column("docs/operations.md", "variable", beside="default")
    limits = {
        f"COMMSITE_{key}": f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in settings.REALTIME.items()
        if key not in {"BENCH", "AGENTS", "NODE"}
    }

    stated = {key: documented.get(key, "").split(" ")[0].replace(",", "") for key in limits}

    assert stated == limits
