"""Who is on call, worked out a second time from what docs/on-call.md says, with Python's own time zones.

Reads a list of {"schedule": ..., "instants": [milliseconds]} and writes a list of lists of names, null for nobody.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


def instant(local, zone):
    """Of a time that comes twice the first, of one that is left out the one an hour later: what fold=0 means."""
    return local.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)


def seconds(text):
    return int(text[:-1]) * UNITS[text[-1]]


def turn(layer, zone, at):
    """The last turn that has begun."""
    first, shift = datetime.fromisoformat(layer["starts_at"]), timedelta(seconds=seconds(layer["shift"]))
    local = at.astimezone(zone).replace(tzinfo=None)
    guess = (local - first) // shift
    reach = timedelta(days=2) // shift + 2
    begun = (n for n in range(guess + reach, guess - reach, -1) if n >= 0 and instant(first + n * shift, zone) <= at)
    return next(begun, None)


def minutes(text):
    day, _, clock = text.rpartition(" ")
    hour, minute = clock.split(":")
    return DAYS.index(day) * 1440 + int(hour) * 60 + int(minute) if day else int(hour) * 60 + int(minute)


def begins_on(window):
    if " " in window["from"]:
        return [DAYS.index(window["from"].split(" ")[0])]
    days = set()
    for text in window.get("days", []):
        first, _, last = text.partition(":")
        number, end = DAYS.index(first), DAYS.index(last or first)
        days.add(number)
        while number != end:
            number = (number + 1) % 7
            days.add(number)
    return sorted(days) or range(7)


def covers(window, zone, at):
    begin, end = minutes(window["from"]), minutes(window["until"])
    around = 7 * 1440 if " " in window["from"] else 1440
    length = end - begin if end > begin else end - begin + around
    today = at.astimezone(zone).date()
    for back in range(-1, 9):
        date = today - timedelta(days=back)
        if date.weekday() not in begins_on(window):
            continue
        midnight = datetime(date.year, date.month, date.day)
        start = midnight + timedelta(minutes=begin % 1440)
        if instant(start, zone) <= at < instant(start + timedelta(minutes=length), zone):
            return True
    return False


def of_layer(layer, zone, at):
    if layer.get("ends_at") and at >= instant(datetime.fromisoformat(layer["ends_at"]), zone):
        return None
    if layer.get("only") and not any(covers(window, zone, at) for window in layer["only"]):
        return None
    number = turn(layer, zone, at)
    return None if number is None else layer["rotation"][number % len(layer["rotation"])]


def who(schedule, at):
    for override in reversed(schedule.get("overrides", [])):
        if datetime.fromisoformat(override["starts_at"]) <= at < datetime.fromisoformat(override["ends_at"]):
            return override["receiver"]
    zone = ZoneInfo(schedule["time_zone"])
    found = (of_layer(layer, zone, at) for layer in reversed(schedule["layers"]))
    return next((name for name in found if name is not None), None)


def moment(ms):
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms)


cases = json.load(sys.stdin)
json.dump([[who(case["schedule"], moment(ms)) for ms in case["instants"]] for case in cases], sys.stdout)
