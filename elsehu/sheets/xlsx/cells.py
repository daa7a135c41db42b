"""What a cell's number looks like to a person."""

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

EPOCH = datetime(1899, 12, 30)
DAYS_TO_1904 = 1462
LAST_DAY = 2_958_466
LAST_SECOND = LAST_DAY * 86400 - 1
"""The last of the year 9999."""

LARGEST = 40
"""Digits. A larger number is left as it is written."""


def number_text(raw: str) -> str:
    """Return a number as people write it: `5.511999990000E12` is `5511999990000`, `0.10000000000000001` is `0.1`."""
    if raw.isdecimal():
        return raw
    try:
        number = Decimal(raw)
    except InvalidOperation:
        return raw
    if not number.is_finite() or abs(number.adjusted()) > LARGEST:
        return raw
    if number == number.to_integral_value():
        return f"{int(number)}"
    return f"{Decimal(repr(float(number))):f}"


def date_text(raw: str, *, from_1904: bool) -> str:
    """Return a day's number as `2026-03-05`, with the time if there is one; what is no day as a number."""
    try:
        days = float(raw)
    except ValueError:
        return raw
    if not 0 <= days < LAST_DAY:
        return number_text(raw)
    if days >= 1 and from_1904:
        days += DAYS_TO_1904
    elif 1 <= days < 60:
        days += 1  # Excel counts a 29 February 1900 that never was
    seconds = min(round(days * 86400), LAST_SECOND)
    if days < 1:
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    moment = EPOCH + timedelta(seconds=seconds)
    return moment.date().isoformat() if seconds % 86400 == 0 else moment.isoformat(" ")
