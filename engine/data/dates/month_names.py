"""Words in dates: names of months as English abbreviations, weekdays and the like left out."""

from __future__ import annotations

import re

import pandas as pd

_NAMES = {
    "Jan": "january januar jänner janvier janv enero ene gennaio gen janeiro januari stycznia "
    "styczeń sty января январь янв"
    " ocak oca leden ledna",
    "Feb": "february februar feber février fevrier févr fevr fév febrero febbraio fevereiro "
    "fev februari lutego luty lut февраля февраль фев февр"
    " şubat şub únor února",
    "Mar": "march märz maerz mär mrz mars marzo março marco maart mrt marts marca marzec марта "
    "март мар"
    " mart březen března",
    "Apr": "april avril avr abril abr aprile kwietnia kwiecień kwi апреля апрель апр"
    " nisan nis duben dubna",
    "May": "mai mayo maggio mag maio mei maj maja мая май mayıs květen května",
    "Jun": "june juni juin junio giugno giu junho czerwca czerwiec cze июня июнь июн"
    " haziran haz červen června",
    "Jul": "july juli juillet juil julio luglio lug julho lipca lipiec lip июля июль июл"
    " temmuz tem červenec července",
    "Aug": "august août aout agosto ago augustus augusti sierpnia sierpień sie августа август авг"
    " ağustos ağu srpen srpna",
    "Sep": "september sept septembre septiembre settembre setembro set września wrzesień wrz "
    "сентября сентябрь сен сент"
    " eylül eyl září",
    "Oct": "october oktober okt octobre octubre ottobre ott outubro out październik października "
    "paź октября октябрь окт"
    " ekim eki říjen října",
    "Nov": "november novembre noviembre novembro listopada listopad lis ноября ноябрь ноя нояб"
    " kasım kas listopadu",
    "Dec": "december dezember dez décembre decembre déc diciembre dic dicembre dezembro desember "
    "des grudnia grudzień gru декабря декабрь дек"
    " aralık ara prosinec prosince",
}
_SHORT = {name: short for short, names in _NAMES.items() for name in names.split()}
_SHORT |= {short.lower(): short for short in _NAMES}
_WEEKDAYS = (
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun"
    "|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|mo|di|mi|do|fr|sa|so"
    "|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
    "|lunes|martes|miércoles|jueves|viernes|sábado|domingo"
    "|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica"
    "|segunda-feira|terça-feira|quarta-feira|quinta-feira|sexta-feira"
    "|måndag|tisdag|onsdag|torsdag|fredag|lördag|söndag"
    "|poniedziałek|wtorek|środa|czwartek|piątek|sobota|niedziela"
    "|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье|пн|вт|ср|чт|пт|сб|вс"
)
_WEEKDAY = re.compile(rf"(?i)^(?:{_WEEKDAYS})[.,]*\s+")
_WORD = re.compile(r"[^\W\d_]{3,}\.?(?=[\s,-]|$)|[^\W\d_]{3,}")
_DAY_SUFFIX = r"(?i)\b(\d{1,2})(?:st|nd|rd|th|er|º|ª)\b"
_BESIDE = r"(?i)\s+(?:de|del|of)\s+"
_AFTER_YEAR = r"(?i)(?<=\d)\s*(?:г\.?|года|r\.)$"


def with_short_months(texts: pd.Series) -> pd.Series:
    """Dates with abbreviated English months and without weekdays, ordinals and joining words.

    The first text decides whether there are any names.
    """
    if not len(texts) or _WORD.search(texts.iloc[0]) is None:
        return texts
    plain = texts.str.replace(_WEEKDAY, "", regex=True)
    for pattern, written in ((_BESIDE, " "), (_DAY_SUFFIX, r"\1"), (_AFTER_YEAR, "")):
        plain = plain.str.replace(pattern, written, regex=True)
    return plain.str.replace(_WORD, _short, regex=True)


def _short(word: re.Match[str]) -> str:
    name = word[0].rstrip(".")
    return _SHORT.get(name.lower(), name)
