"""Small words that several verbs print."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Minutes and seconds, or hours and minutes.

    >>> duration(75), duration(3700)
    ('1:15', '1 h 1 min')
    """
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes}:{seconds:02d}"


def settings_text(settings: dict[str, float]) -> str:
    """Settings in one line.

    >>> settings_text({"lr": 0.005, "weight_decay": 0.01})
    'lr 0.005, weight decay 0.01'
    """
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in settings.items())


def visible(text: str) -> str:
    """A text on one line of a terminal, whatever it holds: what does not show is written as its code.

    >>> visible("cat"), visible("a\\x1b[2Jb")
    ('cat', 'a\\\\x1b[2Jb')
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
