"""The fixed anatomy of a notebook: readers find the same things in the same places."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells(path: Path) -> list[Any]:
    return list(nbformat.read(path, as_version=4).cells)


def code(path: Path) -> list[Any]:
    return [c for c in cells(path) if c.cell_type == "code"]


def tags(cell: Any) -> set[str]:
    return set(cell.metadata.get("tags", []))


def is_colab(cell: Any) -> bool:
    return "google.colab" in cell.source


def test_there_are_notebooks() -> None:
    assert [p.stem[:2] for p in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_outputs_are_not_committed(path: Path) -> None:
    assert not any(c.outputs or c.execution_count for c in code(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_begins_and_ends_as_all_do(path: Path) -> None:
    found = cells(path)
    first = found[0].source
    assert first.startswith(f"# {path.stem[:2]} ")
    assert first.splitlines()[0].endswith("?")
    assert all(f"- {word}: " in first for word in ("Reads", "Writes", "Takes"))
    order = [next(i for i, c in enumerate(found) if t in tags(c)) for t in ("setup", "parameters")]
    assert order[0] < order[1] <= 3
    assert any(c.source.startswith("## What is next") for c in found)
    assert "run.finish(" in found[-1].source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_parameters_are_few_literals_with_comments(path: Path) -> None:
    (cell,) = [c for c in code(path) if "parameters" in tags(c)]
    lines = cell.source.splitlines()
    assert lines[0].startswith('RUN = "latest"')
    assert len(lines) <= 8
    for line in lines:
        assert "  # " in line
        (assignment,) = ast.parse(line).body
        assert isinstance(assignment, ast.Assign)
        ast.literal_eval(assignment.value)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_stays_short_and_holds_no_logic(path: Path) -> None:
    body = [c for c in code(path) if not is_colab(c)]
    assert len(cells(path)) <= 38
    assert sum(len(c.source.splitlines()) for c in body) <= 120
    for cell in body:
        assert len(cell.source.splitlines()) <= 15
        tree = ast.parse(cell.source)
        for node in ast.walk(tree):
            assert not isinstance(
                node, ast.FunctionDef | ast.ClassDef | ast.If | ast.For | ast.While
            )
    assert len([c for c in code(path) if is_colab(c)]) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_part_asks_a_question_and_explains_itself(path: Path) -> None:
    found = cells(path)
    headings = [c.source for c in found if c.cell_type == "markdown"][1:]
    for text in headings:
        title, _, rest = text.partition("\n")
        assert title.startswith("## ")
        assert title.endswith("?") or title == "## What is next"
        assert len(rest.split()) >= 10


@pytest.mark.parametrize("name", ["smoke", "cpu", "gpu", "seed-recipe"])
def test_profiles_name_parameters_that_exist(name: str) -> None:
    from nbutils.runner import profiles

    text = (ROOT / "notebooks" / "profiles" / f"{name}.yaml").read_text(encoding="utf-8")
    stages = profiles.plan(name)
    given = yaml.safe_load(text)["parameters"]
    assert {s.number for s in stages} >= set(given)
