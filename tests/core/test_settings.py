import pytest

from moorage.core.errors import ValidationFailed
from moorage.core.settings import DEFAULTS, VALUES, check_setting


def test_every_setting_has_a_default_among_its_values() -> None:
    assert set(DEFAULTS) == set(VALUES)
    for name, value in DEFAULTS.items():
        check_setting(name, value)
        check_setting(name)


@pytest.mark.parametrize("name", ["", "blob_mounting", "COLOUR"])
def test_a_setting_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ValidationFailed, match=f"Invalid account setting name '{name}'"):
        check_setting(name)


@pytest.mark.parametrize("value", ["", "enabled", "V2"])
def test_a_value_of_another_setting_is_refused(value: str) -> None:
    with pytest.raises(ValidationFailed, match="Valid values are: ENABLED, DISABLED"):
        check_setting("BLOB_MOUNTING", value)
