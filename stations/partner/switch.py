"""Whether this deployment has stations at all; where it has none, every address of theirs is 404."""

from typing import Final

from ozone.wire.conf import options

_WORDS: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def stations_enabled() -> bool:
    """STATIONS_ENABLED; unset, whether there is a signature secret. Raises ValueError for a word that is neither."""
    words = str(options().STATIONS_ENABLED).strip().lower()
    if not words:
        return bool(options().IOT_SYSTEM_SIGNATURE_SECRET)
    if words not in _WORDS:
        raise ValueError(f"STATIONS_ENABLED is {words!r}; use 1, 0, or leave it empty.")
    return _WORDS[words]
