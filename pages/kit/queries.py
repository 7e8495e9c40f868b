"""What people look for on pages: how many are offered at once, and what is only found there."""

from typing import Final

from django.db.models import QuerySet

from stations import queries as stations
from stations.models import PowerBank, Station
from telemetry.finding import WORDS, asked, folded_words, occurs

CHOICES: Final = 200
"""Devices offered at once; past that the reader narrows them down by words."""


def few_words(words: str) -> str:
    """What Django's admin is given to look for: it makes a condition of each word for each of its fields."""
    return " ".join(asked(words).split()[:WORDS])


def matching_stations(words: str) -> "QuerySet[Station]":
    """The stations in which each of the words occurs: in its serial number, IMEI or network."""
    found = stations.stations()
    for word in folded_words(words):
        found = found.filter(occurs(word, "serial_number", "imei", "wifi_ssid"))
    return found


def matching_power_banks(words: str) -> "QuerySet[PowerBank]":
    """The power banks whose serial number has each of the words."""
    found = stations.power_banks()
    for word in folded_words(words):
        found = found.filter(occurs(word, "serial_number"))
    return found
