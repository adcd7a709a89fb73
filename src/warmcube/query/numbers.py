"""Exact arithmetic on numerics: reserved values, decimals, and division as Postgres does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Final

from warmcube.model.schema import ColumnType, Kind

__all__ = [
    "MAX_PRECISION",
    "Reserved",
    "decimals_of",
    "digits_of",
    "divide",
    "floor_scaled",
    "reserved",
]

MAX_PRECISION: Final = 38
"""Digits of a stored numeric and of an exact sum; only an average may have more."""

_BEYOND_BITS: Final = 4096
"""Width of an average's numbers: Postgres's 1,000 decimals and 38 digits before them fit."""

_MIN_SIGNIFICANT_DIGITS: Final = 16
_MAX_SCALE: Final = 1000
_BASE_DIGITS: Final = 4  # Postgres computes to the base 10,000

_HUGE: Final = 2000
"""A decimal exponent beyond which a number is greater than all that a column can hold."""

_EXACT: Final = Context(prec=3 * _HUGE, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


@dataclass(frozen=True, slots=True)
class Reserved:
    """The values of a storage form that stand for no number or day (see `Kind`)."""

    least: int  # -infinity
    infinity: int
    nan: int | None = None


def _numeric(bits: int) -> Reserved:
    greatest = (1 << (bits - 1)) - 1
    return Reserved(-greatest - 1, greatest - 1, greatest)


_NARROW: Final = _numeric(64)
_WIDE: Final = _numeric(128)
_BEYOND: Final = _numeric(_BEYOND_BITS)
_DAYS: Final = Reserved(-(1 << 31), (1 << 31) - 1)
_INSTANTS: Final = Reserved(-(1 << 63), (1 << 63) - 1)


def reserved(type: ColumnType) -> Reserved:
    """The reserved values of a column's storage form.

    Raises:
        TypeError: if the type has none: every value is itself.
    """
    if type.kind is Kind.NUMERIC:
        if not type.is_wide:
            return _NARROW
        return _WIDE if type.precision <= MAX_PRECISION else _BEYOND
    if type.kind is Kind.DATE:
        return _DAYS
    if type.kind.is_instant:
        return _INSTANTS
    raise TypeError(f"{type} has no reserved values")


def decimals_of(values: Sequence[int], type: ColumnType) -> list[Decimal]:
    """The decimals that a numeric column's stored values mean, with the column's scale."""
    special = reserved(type)
    names = {special.nan: "NaN", special.infinity: "Infinity", special.least: "-Infinity"}
    scale, scaled = -type.scale, _EXACT.scaleb
    return [
        Decimal(names[value]) if value in names else scaled(Decimal(value), scale)
        for value in values
    ]


def digits_of(value: int) -> int:
    """How many decimal digits an integer has; 1 for zero."""
    return len(str(abs(value)))


def floor_scaled(value: Decimal, scale: int) -> tuple[int, bool]:
    """The greatest integer not above ``value * 10**scale``, and whether it is exactly that.

    A finite value of any exponent costs little: what is greater than every stored number comes
    back as some integer greater than every stored number, and not as exact.
    """
    if not value:
        return 0, True
    exponent = value.adjusted() + scale
    if exponent > _HUGE:
        beyond = 10**_HUGE
        return (-beyond if value.is_signed() else beyond), False
    if exponent < 0:
        return (-1 if value.is_signed() else 0), False
    sign, digits, power = value.as_tuple()
    shift = int(power) + scale
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1)
    if shift >= 0:
        return unscaled * 10**shift, True
    quotient, rest = divmod(unscaled, 10**-shift)
    return quotient, rest == 0


def _leading(value: int, scale: int) -> tuple[int, int]:
    """Weight and value of the first digit to the base 10,000 of ``value / 10**scale``."""
    if value == 0:
        return 0, 0
    text = str(abs(value))
    weight, extra = divmod(len(text) - 1 - scale, _BASE_DIGITS)
    return weight, int(text[: extra + 1].ljust(extra + 1, "0"))


def divide(dividend: int, scale: int, divisor: int, divisor_scale: int = 0) -> tuple[int, int]:
    """``(dividend / 10**scale) / (divisor / 10**divisor_scale)`` as Postgres divides numerics.

    The quotient gets at least 16 significant digits, estimated on digits to the base 10,000, and
    never fewer decimals than dividend or divisor; it is rounded half away from zero
    (``select_div_scale`` and ``div_var`` in Postgres's numeric.c).

    Args:
        dividend: an integer.
        scale: its decimals.
        divisor: an integer that isn't zero.
        divisor_scale: its decimals.

    Returns:
        The quotient as an integer, and its own number of decimals.
    """
    weight, first = _leading(dividend, scale)
    divisor_weight, divisor_first = _leading(divisor, divisor_scale)
    weight -= divisor_weight
    if first <= divisor_first:
        weight -= 1
    significant = _MIN_SIGNIFICANT_DIGITS - weight * _BASE_DIGITS
    decimals = min(max(significant, scale, divisor_scale, 0), _MAX_SCALE)
    power = decimals - scale + divisor_scale
    numerator, denominator = (
        abs(dividend) * 10 ** max(power, 0),
        abs(divisor) * 10 ** max(-power, 0),
    )
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest >= denominator:
        quotient += 1
    return (-quotient if (dividend < 0) != (divisor < 0) else quotient), decimals
