"""The columns of a table that is not known, guessed by their names and units."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fitness_assets.sources.exports.layout import UNITS

# By canonical column, in the order in which columns are given away: names of which all words are in
# the name of a column. Without accents, in lower case.
_NAMES: dict[str, tuple[str, ...]] = {
    "date": ("date", "day", "datum", "tag", "fecha", "dia", "data", "jour", "giorno", "timestamp"),
    "time": ("hour", "time", "minute", "uhrzeit", "stunde", "hora", "heure", "ora"),
    "user_id": ("user", "userid", "user id", "participant", "subject", "patient", "person"),
    "hrv_sdnn": ("sdnn",),
    "hrv_rmssd": ("rmssd", "hrv", "heart rate variability", "herzfrequenzvariabilitat"),
    "resting_heart_rate": (
        *("resting heart rate", "resting hr", "rhr", "resting pulse", "ruhepuls"),
        *("ruheherzfrequenz", "frequence cardiaque repos", "frecuencia cardiaca reposo"),
    ),
    "heart_rate_avg": (
        *("heart rate", "heartrate", "hr", "bpm", "pulse", "puls", "herzfrequenz"),
        *("frequence cardiaque", "frecuencia cardiaca", "frequenza cardiaca"),
    ),
    "sleep_deep": ("deep", "deep sleep", "tiefschlaf", "sommeil profond", "sueno profundo"),
    "sleep_light": ("light sleep", "leichtschlaf", "sommeil leger", "sueno ligero"),
    "sleep_rem": ("rem",),
    "sleep_awake": ("awake", "wach", "wachzeit"),
    "sleep_hours": ("sleep", "asleep", "schlaf", "schlafdauer", "sommeil", "sueno", "sonno"),
    "light_minutes": ("lightly active", "light activity", "light active"),
    "moderate_minutes": ("moderate", "fairly active", "moderately active"),
    "vigorous_minutes": ("vigorous", "very active", "intense"),
    "sedentary_minutes": ("sedentary", "sitting", "inaktiv", "sedentaire"),
    "active_minutes": ("active minutes", "exercise minutes", "exercise", "active time", "aktiv"),
    "steps": ("steps", "stepcount", "schritte", "pas", "pasos", "passi", "stappen", "passos"),
    "floors": ("floors", "stairs", "etagen", "stockwerke", "etages", "pisos"),
    "distance_km": (
        *("distance", "km", "miles", "distanz", "strecke", "entfernung", "distancia", "distanza"),
    ),
    "calories_burned": (
        *("calories", "kcal", "energy", "kalorien", "energie", "calorias", "calorie", "kj"),
    ),
    "spo2": ("spo2", "oxygen", "saturation", "sauerstoff", "sauerstoffsattigung", "oxigeno"),
    "respiration_rate": ("respiration", "respiratory", "breaths", "breathing", "atemfrequenz"),
    "vo2_max": ("vo2", "vo2max"),
    "weight_kg": ("weight", "gewicht", "poids", "peso"),
    "height_cm": ("height", "grosse", "korpergrosse", "taille", "altura"),
    "age": ("age", "alter", "edad"),
    "sex": ("sex", "gender", "geschlecht", "sexe", "sexo"),
    "heart_rate_max": ("max heart rate", "max hr", "max pulse", "maximum heart rate"),
    "minutes": ("duration", "moving time", "elapsed time", "dauer", "duree", "duracion"),
    "activity_type": ("activity", "workout", "sport", "aktivitat", "actividad", "activite"),
}
# Words of columns that are something else than what their other words say.
_OTHER = {
    *("goal", "target", "score", "max", "maximum", "minimum", "index", "ziel", "zone", "start"),
    *("end", "quality", "efficiency", "level", "deviation", "intake", "consumed"),
}
_UNIT_NAMES = {
    "meter": "m", "meters": "m", "metres": "m", "mile": "mi", "miles": "mi", "feet": "ft",
    "yards": "yd", "kilometer": "km", "kilometers": "km", "kilometres": "km", "cal": "kcal",
    "calories": "kcal", "kilojoules": "kj", "hour": "h", "hours": "h", "hrs": "h", "std": "h",
    "stunden": "h", "heures": "h", "horas": "h", "mins": "min", "minute": "min",
    "minutes": "min", "minuten": "min", "minutos": "min", "sec": "s", "secs": "s",
    "seconds": "s", "sekunden": "s", "lbs": "lb", "pounds": "lb", "stone": "st",
    "inches": "in", "percent": "%", "kilograms": "kg",
}  # fmt: skip
_BRACKETS = re.compile(r"[(\[]([^)\]]*)[)\]]")
_WORD = re.compile(r"[^\W_]+|%")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Guess:
    """What a column of a file seems to be.

    Attributes
    ----------
    name : str
        The canonical column, a number of a workout, or ``time``.
    unit : str or None
        The unit that the name of the column states, if the canonical column has several.
    """

    name: str
    unit: str | None = None


def guess_columns(names: Sequence[str], fits: Callable[[str, str], bool]) -> dict[str, Guess]:
    """What the columns seem to be, each canonical column at most once, by the file's column.

    Columns that seem to be nothing of the record are left out.

    Parameters
    ----------
    names : sequence of str
    fits : callable
        Whether a canonical column may have the values of a column of the file.
    """
    words = {name: _words(name) for name in names}
    found: dict[str, Guess] = {}
    for canonical, alternatives in _NAMES.items():
        ranked = [
            (len(words[name]) - len(alternative.split()), names.index(name), name)
            for name in names
            for alternative in alternatives
            if name not in found and set(alternative.split()) <= set(words[name])
            if _is_of_day(canonical, words[name]) and not _is_minimum(canonical, words[name])
        ]
        ranked = [each for each in ranked if fits(canonical, each[-1])]
        if ranked:
            # The name with the fewest other words.
            _, _, best = min(ranked)
            found[best] = Guess(canonical, _unit(canonical, best))
    return found


def _unit(canonical: str, name: str) -> str | None:
    """The unit that the name of a column states."""
    units = {unit.lower(): unit for unit in UNITS.get(canonical, {})}
    brackets = _BRACKETS.search(name)
    candidates = [brackets[1].strip().lower()] if brackets else []
    for candidate in (*candidates, *reversed(_words(name))):
        unit = units.get(_UNIT_NAMES.get(candidate, candidate))
        if unit is not None:
            return unit
    return None


def _is_of_day(canonical: str, words: Sequence[str]) -> bool:
    """Whether no word says that the column is something else, such as a goal."""
    return canonical == "heart_rate_max" or _OTHER.isdisjoint(words)


def _is_minimum(canonical: str, words: Sequence[str]) -> bool:
    """Whether ``min`` is a minimum, which it is where it is no unit."""
    return "min" in words and "min" not in UNITS.get(canonical, {}) and canonical != "user_id"


def _words(name: str) -> list[str]:
    """The words of the name of a column, without accents, in lower case."""
    decomposed = unicodedata.normalize("NFKD", _CAMEL.sub(" ", name.replace("ß", "ss")))
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return _WORD.findall(plain.lower())
