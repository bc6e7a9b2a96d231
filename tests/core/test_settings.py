import json

import pytest

from glimpse3d import settings
from glimpse3d.errors import InvalidSettings


@pytest.mark.parametrize("name", ["draft", "standard", "high"])
def test_presets_survive_json(name: str) -> None:
    before = settings.preset(name, options={"grabcut": {"rounds": 3}}, formats=("glb", "stl"))
    text = json.dumps(settings.to_dict(before))
    assert settings.from_dict(json.loads(text)) == before


def test_presets_grow_with_quality() -> None:
    draft, standard, high = (settings.PRESETS[name] for name in ("draft", "standard", "high"))
    for field in ("faces", "texture_size", "gaussians"):
        assert getattr(draft, field) < getattr(standard, field) < getattr(high, field)
    assert standard.turntable.frames == 120 and standard.turntable.fps == 30


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"size": 0.0}, "size"),
        ({"size": float("nan")}, "size"),
        ({"size": "big"}, "size"),
        ({"faces": 2.5}, "faces"),
        ({"faces": True}, "faces"),
        ({"faces": 7}, "faces"),
        ({"seed": -1}, "seed"),
        ({"formats": ["exe"]}, "formats"),
        ({"formats": []}, "formats"),
        ({"turntable": {"frames": 0}}, "frames"),
        ({"turntable": {"resolution": 513}}, "resolution"),
        ({"turntable": {"speed": 1}}, "speed"),
        ({"colour": "red"}, "colour"),
        ({"preset": "best"}, "preset"),
    ],
)
def test_bad_values_name_their_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        settings.from_dict(changes)
    assert caught.value.field == field
    assert caught.value.code == "invalid_settings"


def test_whole_numbers_do_for_floats() -> None:
    assert settings.preset("draft", size=2).size == 2.0


def test_description_names_every_field_with_its_limits() -> None:
    rows = {row["name"]: row for row in settings.describe(settings.Settings)}
    assert rows["turntable.fps"]["default"] == 30
    assert rows["size"]["low"] == 1e-4 and rows["size"]["type"] == "float"
    assert rows["formats"]["choices"] == ("glb", "obj", "stl")
    assert all(row["help"] for row in rows.values())
    json.dumps(list(rows.values()))
