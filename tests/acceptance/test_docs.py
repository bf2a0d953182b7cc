"""Every command and program of the documentation, run as a reader would run it, prints what the page says."""

import pytest

from tests.acceptance.page import ROOT, Page, run_block, without_times

#: Pages that have something to run; a new one is found by itself.
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if Page(page).steps()]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Page -> the folder in which its examples run, one after the other."""
    folders = {}

    def folder_of(page):
        if page not in folders:
            folders[page] = tmp_path_factory.mktemp(page.stem)
            Page(page).write_files(folders[page])
            # What a reader in the project's folder has at hand.
            (folders[page] / "lua_scripts").symlink_to(ROOT / "lua_scripts")
        return folders[page]

    return folder_of


STEPS = [
    pytest.param(page, block, expected, id=f"{page.stem}: {block.source.splitlines()[0][:60]}")
    for page in PAGES
    for block, expected in Page(page).steps()
]


def test_page_about_auth_is_among_them():
    assert "auth.md" in [page.name for page in PAGES]


@pytest.mark.parametrize(("page", "block", "expected"), STEPS)
def test_example_of_a_page_prints_what_the_page_says(folders, page, block, expected):
    done = run_block(block, folders(page))
    assert 0 == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    if expected is not None:
        assert without_times(expected) == without_times(done.stdout)
