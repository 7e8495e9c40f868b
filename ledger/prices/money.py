"""Money: whole numbers of a currency's smallest unit within, decimal text outside, and a float nowhere. Pure."""

import re
from decimal import Decimal
from typing import Final

_CODES: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC"
    " CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD"
    " KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO"
    " NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL"
    " THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
"""ISO 4217, what people pay with, by its places after the point."""
_PLACES: Final = {code: places for places, codes in _CODES.items() for code in codes.split()}
MOST: Final = 10**12 - 1
"""Of the smallest unit, as a price: what a million times that makes is within 64 bits."""
HUNDRED_PERCENT: Final = 10_000
"""A percentage is kept in hundredths of a percent."""
_DECIMAL: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,4}))?")


def is_currency(code: str) -> bool:
    """Whether ISO 4217 has it, as money that people pay with."""
    return code in _PLACES


def decimals(currency: str) -> int:
    """Places after the point, by ISO 4217."""
    return _PLACES[currency]


def text(amount: int, currency: str) -> str:
    """`1250` of EUR is `12.50`."""
    return _written(amount, decimals(currency))


def text_or_none(amount: int | None, currency: str) -> str | None:
    return None if amount is None else text(amount, currency)


def grouped(amount: int, currency: str) -> str:
    """The same for people to read: `1,234,567.50`."""
    return f"{Decimal(text(amount, currency)):,}".replace("-", "−")


def read(words: str, currency: str) -> int:
    """Raises ValueError with a sentence that says what it may be. More places are taken where they are noughts."""
    places = decimals(currency)
    found = _scaled(words, places)
    if found is None or found > MOST:
        example = _written(5 * 10**places, places)
        raise ValueError(f'A decimal number as text, with at most {places} places for {currency}: "{example}".')
    return found


def percent_text(hundredths: int) -> str:
    """`3000` is `30.00`."""
    return _written(hundredths, 2)


def read_percent(words: str) -> int:
    """In hundredths of a percent. Raises ValueError with a sentence that says what it may be."""
    found = _scaled(words, 2)
    if found is None or found > HUNDRED_PERCENT:
        raise ValueError('A percentage as text, from 0 to 100, with at most two places: "12.5".')
    return found


def share_of(amount: int, hundredths: int) -> int:
    """That percentage of an amount; half a smallest unit is rounded away from zero."""
    size = (abs(amount) * hundredths + HUNDRED_PERCENT // 2) // HUNDRED_PERCENT
    return size if amount >= 0 else -size


def _written(number: int, places: int) -> str:
    whole, rest = divmod(abs(number), 10**places)
    sign = "-" if number < 0 else ""
    return f"{sign}{whole}.{rest:0{places}d}" if places else f"{sign}{whole}"


def _scaled(words: str, places: int) -> int | None:
    """None where it is no decimal number of so many places."""
    found = _DECIMAL.fullmatch(words)
    if found is None:
        return None
    rest = (found[2] or "").ljust(places, "0")
    if rest[places:].strip("0"):
        return None
    return int(found[1]) * 10**places + int(rest[:places] or 0)
