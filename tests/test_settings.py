"""Settings refuse what they do not know in one sentence, and put overrides where they belong."""

import pytest

from auricle import settings
from auricle.settings import Positive, Settings, SettingsError


class Wheel(Settings):
    inches: Positive = 28


class Bicycle(Settings):
    name: str
    gears: Positive = 7
    front: Wheel = Wheel()
    spares: list[Wheel] | None = None


def build(**values: object) -> Bicycle:
    return settings.build(Bicycle, values, name="bicycle")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": "a", "gear": 3}, "bicycle has no key `gear`; did you mean `gears`?"),
        ({"name": "a", "front": {"inch": 3}}, "bicycle has no key `front.inch`; did you mean `inches`?"),
        ({"name": "a", "spares": [{"inchs": 3}]}, "bicycle has no key `spares.0.inchs`; did you mean `inches`?"),
        ({"name": "a", "xyzzy": 3}, "bicycle has no key `xyzzy`"),
        ({}, "bicycle: `name` is missing"),
        ({"name": "a", "gears": 0}, "bicycle: `gears` is 0: input should be greater than or equal to 1"),
    ],
)
def test_one_sentence_names_the_key_the_value_and_what_was_expected(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        build(**values)
    assert str(error.value) == sentence


def test_key_value_texts_and_nested_mappings_change_the_same_values() -> None:
    by_text = {"name": "a", "front": {"inches": 20, "tyre": "wide"}}
    by_mapping = {"name": "a", "front": {"inches": 20, "tyre": "wide"}}
    settings.override(by_text, ["front.inches=26", "gears=3", "spares=[{inches: 24}]"], name="bicycle")
    settings.override(by_mapping, {"front": {"inches": 26}, "gears": 3, "spares": [{"inches": 24}]}, name="bicycle")
    assert by_text == by_mapping
    assert by_text["front"] == {"inches": 26, "tyre": "wide"}


def test_an_override_that_is_no_key_and_value_is_refused() -> None:
    with pytest.raises(SettingsError, match="expected key=value, got 'gears'"):
        settings.override({}, ["gears"], name="bicycle")
    with pytest.raises(SettingsError, match=r"bicycle has no key `gears\.low`: `gears` is a single value"):
        settings.override({"gears": 7}, ["gears.low=1"], name="bicycle")


def test_a_file_that_is_not_there_or_no_mapping_is_named(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"no recipe file nowhere\.yaml"):
        settings.read_yaml("nowhere.yaml", package="auricle.pretraining", kind="recipe")
    with pytest.raises(SettingsError, match=r"no recipe byola-2022-smal; did you mean byola-2022-small\?"):
        settings.read_yaml("byola-2022-smal", package="auricle.pretraining", kind="recipe")
    (tmp_path / "list.yaml").write_text("- a\n- b\n")
    with pytest.raises(SettingsError, match="is not a recipe: expected keys and values, found list"):
        settings.read_yaml(tmp_path / "list.yaml", package="auricle.pretraining", kind="recipe")
