"""Checks of arguments that several data sets share, with the messages users see."""

from __future__ import annotations

from resnet_zoo.errors import InvalidValue, nearest_names


def check_count(name: str, value: int | None, minimum: int = 1) -> None:
    """Refuse a count below its minimum; None passes."""
    if value is not None and value < minimum:
        raise InvalidValue(f"{name}={value} is not allowed. Use {minimum} or more.")


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not among the allowed ones, suggesting the nearest."""
    if value not in allowed:
        nearest = nearest_names(value, allowed, count=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise InvalidValue(
            f"{name}={value!r} is not allowed.{hint} Allowed: {', '.join(map(repr, allowed))}."
        )


def check_fraction(name: str, value: float | None) -> None:
    """Refuse what is not strictly between 0 and 1; None passes."""
    if value is not None and not 0 < value < 1:
        raise InvalidValue(f"{name}={value} is not allowed. Use a share between 0 and 1, e.g. 0.1.")


def check_less_than(name: str, value: int, limit: int, of_what: str) -> None:
    """Refuse a part that is not smaller than its whole."""
    if value >= limit:
        raise InvalidValue(
            f"{name}={value} leaves nothing of the {limit:,} {of_what}. Use less than {limit}."
        )


def refuse_two_validations(val_size: int, validate_on_test: bool) -> None:
    """A validation split can come from the training images or be the test split, not both."""
    if val_size and validate_on_test:
        raise InvalidValue(
            f"val_size={val_size} and validate_on_test=true exclude each other. Validate on training images that "
            "are set aside (val_size), or on the test split (validate_on_test)."
        )


def check_not_negative(name: str, value: float) -> None:
    """Refuse a negative number."""
    if value < 0:
        raise InvalidValue(f"{name}={value} is negative. Use 0 or more.")
