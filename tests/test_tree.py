"""The tests' folders, which mirror the source's."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src"


def source_of(folder: Path) -> Path:
    """The source folder whose tests lie in a folder of tests."""
    first, *rest = folder.relative_to(TESTS).parts or ("",)
    return (
        SOURCE.joinpath("visavis_train", *rest)
        if first == "train"
        else SOURCE.joinpath("visavis", first, *rest)
    )


def test_each_file_of_tests_names_a_module_of_the_mirrored_folder() -> None:
    astray = []
    for path in sorted(TESTS.rglob("test_*.py")):
        folder = source_of(path.parent)
        modules = {file.stem for ending in ("py", "js") for file in folder.rglob(f"*.{ending}")}
        names = modules | {folder.name, *(("tree", "names", "fuzz") if path.parent == TESTS else ("page",))}
        subject = path.stem.removeprefix("test_")
        if not any(subject == name or subject.startswith(f"{name}_") for name in names):
            astray.append(str(path.relative_to(TESTS)))
    assert astray == []


def test_helpers_of_tests_lie_in_support() -> None:
    loose = {path.name for path in TESTS.glob("*.py") if not path.name.startswith("test_")}
    assert loose == {"conftest.py"}
