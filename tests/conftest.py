"""What all tests share: the flags ``--slow`` and ``--soak``."""

import pytest

KINDS = ("slow", "soak")


def pytest_addoption(parser: pytest.Parser) -> None:
    for kind in KINDS:
        parser.addoption(
            f"--{kind}",
            action="store_true",
            help=f"run the tests marked {kind}, and only them (without it: those without a mark)",
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = {kind for kind in KINDS if config.getoption(f"--{kind}")}
    chosen, left_out = [], []
    for item in items:
        marks = {kind for kind in KINDS if kind in item.keywords}
        (chosen if marks & wanted or not (marks or wanted) else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = chosen
