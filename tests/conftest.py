"""What all tests share: the flags ``--slow`` and ``--soak``."""

import pytest

KINDS = {"slow": "the tests marked slow", "soak": "the tests of ten minutes and full size"}


def pytest_addoption(parser: pytest.Parser) -> None:
    for name, what in KINDS.items():
        parser.addoption(
            f"--{name}",
            action="store_true",
            help=f"run {what}, and only them (without it: all others)",
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = {name for name in KINDS if config.getoption(f"--{name}")}
    left_out = [item for item in items if KINDS.keys() & item.keywords.keys() != wanted]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if KINDS.keys() & item.keywords.keys() == wanted]
