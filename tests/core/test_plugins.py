"""Backends by name: whose options are whose."""

import pytest

from glimpse3d import plugins
from glimpse3d.errors import InvalidSettings


def test_backends_of_one_name_take_each_their_own_options(monkeypatch: pytest.MonkeyPatch) -> None:
    inflate = plugins.BUILTIN["reconstructor"]["inflate"]
    monkeypatch.setitem(plugins.BUILTIN["reconstructor"], "grabcut", inflate)
    options = {"rounds": 3, "elevation": 5.0}
    assert plugins.settings_for("matte", "grabcut", "draft", options).rounds == 3
    assert plugins.settings_for("reconstructor", "grabcut", "draft", options).elevation == 5.0
    for stage in ("matte", "reconstructor"):
        with pytest.raises(InvalidSettings, match="nonsense"):
            plugins.settings_for(stage, "grabcut", "draft", {**options, "nonsense": 1})


def test_an_option_of_another_backend_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="elevation"):
        plugins.settings_for("matte", "grabcut", "draft", {"elevation": 5.0})


def test_backends_of_one_name_share_no_field() -> None:
    fields: dict[str, list[str]] = {}
    for stage in plugins.BUILTIN:
        for name in plugins.BUILTIN[stage]:
            own = plugins.find(stage, name).Settings.__dataclass_fields__
            fields.setdefault(name, []).extend(own)
    assert all(len(names) == len(set(names)) for names in fields.values())
