"""Words that the server says to people."""


def duration(seconds: float) -> str:
    """A stretch of time in its two largest units: `16 min`, `10 h 5 min`, `3 days 4 h`."""
    left = int(seconds)
    words = []
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, size)
        if number:
            words.append("1 day" if (number, unit) == (1, "days") else f"{number} {unit}")
        elif words:
            break
    return " ".join(words[:2]) or "0 s"
