"""The words of date lines: months, weekdays, time zones, and what stands before a date."""

# ruff: noqa: RUF001 - other alphabets are meant

from __future__ import annotations

from functools import cache

# Names that mean one month wherever they are used; # parts the months. The listopad of Poles and
# Czechs is not the one of Croats, so only its unmistakable form is here.
_MONTHS = """
january jan janvier januar jänner enero ene gennaio gen janeiro januari január januára leden ledna ianuarie ian ocak oca tammikuu tammikuuta январь января янв січень січня styczeń stycznia ιανουάριος ιανουαρίου ιαν يناير ינואר
# february feb february février fév februar febrero febbraio fevereiro fev februari február februára únor února februarie şubat şub helmikuu helmikuuta февраль февраля фев лютий лютого luty lutego φεβρουάριος φεβρουαρίου φεβ فبراير פברואר
# march mar mars märz mär marzo março maart marts március márc marec březen března martie mart maaliskuu maaliskuuta март марта марець березень березня marzec marca μάρτιος μαρτίου μαρ مارس מרץ
# april apr avril avr abril abr aprile április ápr apríl apríla duben dubna aprilie nisan huhtikuu huhtikuuta апрель апреля апр квітень квітня kwiecień kwietnia απρίλιος απριλίου απρ أبريل إبريل אפריל
# may mai mayo maggio mag maio mei maj május máj mája květen května mayıs mayis toukokuu toukokuuta май мая травень травня maja μάιος μαΐου μάι μαΐ مايو מאי
# june jun juin juni junio giugno giu junho június jún júna červen června iunie haziran haz kesäkuu kesäkuuta июнь июня июн червень червня czerwiec czerwca ιούνιος ιουνίου ιουν يونيو יוני
# july jul juillet juil juli julio luglio lug julho július júl júla červenec července iulie temmuz tem heinäkuu heinäkuuta июль июля июл липень липня lipiec lipca ιούλιος ιουλίου ιουλ يوليو יולי
# august aug août aout agosto ago augustus augusti augusztus augusta srpen srpna ağustos ağu elokuu elokuuta август августа авг серпень серпня sierpień sierpnia αύγουστος αυγούστου αυγ أغسطس אוגוסט
# september sep sept septembre septiembre settembre set setembro szeptember szept septembra září septembrie eylül eyl syyskuu syyskuuta сентябрь сентября сен вересень вересня wrzesień września σεπτέμβριος σεπτεμβρίου σεπ سبتمبر ספטמבר
# october oct octobre oktober okt octubre ottobre ott outubro out oktobar október októbra říjen října octombrie ekim eki lokakuu lokakuuta октябрь октября окт жовтень жовтня październik października οκτώβριος οκτωβρίου οκτ أكتوبر אוקטובר
# november nov novembre noviembre novembro novembra listopadu noiembrie kasım kasim marraskuu marraskuuta ноябрь ноября ноя листопада νοέμβριος νοεμβρίου νοε نوفمبر נובמבר
# december dec décembre déc dezember dez diciembre dic dicembre dezembro decembra prosinec prosince decembrie aralık aralik joulukuu joulukuuta декабрь декабря дек грудень грудня grudzień grudnia δεκέμβριος δεκεμβρίου δεκ ديسمبر דצמבר
"""

# RFC 822 §5.1 defines the American ones; the others have one meaning in the news.
ZONES = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 60, "cet": 60, "cest": 120, "eet": 120, "eest": 180, "msk": 180, "jst": 540,
    "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
}  # fmt: skip

_WEEKDAYS = """
mon tue tues wed thu thur thurs fri sat sun monday tuesday wednesday thursday friday saturday sunday
montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag mo di mi do fr sa so
lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miércoles jueves viernes sábado domingo
lunedì martedì mercoledì giovedì venerdì sabato domenica segunda-feira terça-feira quarta-feira quinta-feira sexta-feira
maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
mandag tirsdag onsdag torsdag fredag lørdag søndag måndag tisdag lördag söndag
maanantai tiistai keskiviikko torstai perjantai lauantai sunnuntai
maanantaina tiistaina keskiviikkona torstaina perjantaina lauantaina sunnuntaina
poniedziałek wtorek środa czwartek piątek sobota niedziela
pondělí úterý středa čtvrtek pátek neděle hétfő kedd szerda csütörtök péntek szombat vasárnap
luni marți miercuri joi vineri sâmbătă duminică
pazartesi salı çarşamba perşembe cuma cumartesi pazar
δευτέρα τρίτη τετάρτη πέμπτη παρασκευή σάββατο κυριακή
понедельник вторник среда четверг пятница суббота воскресенье понеділок вівторок середа п'ятниця субота неділя
"""

# Alternatives of regular expressions, white space as one space.
PUBLISHED = (
    "date|published|posted|publication date|first published|veröffentlicht|stand|publié|publicado"
    "|pubblicato|gepubliceerd|publicerad|publisert|опубликовано|опубліковано|yayınlanma|δημοσίευση"
)
UPDATED = (
    "(?:last )?(?:updated|modified)|(?:zuletzt )?aktualisiert|mis[e]? à jour|actualizado|atualizado"
    "|aggiornato|bijgewerkt|uppdaterad|oppdatert|обновлено|оновлено|güncelleme"
)
ON = "on|am|le|el|em|il|op|den|de|the"


def month(name: str) -> int | None:
    """Return the number of the month that a word names in whatever language, None if none."""
    return _months().get(name.casefold())


def is_weekday(word: str) -> bool:
    """Tell whether a word names a day of the week."""
    return word.casefold() in _weekdays()


@cache
def _months() -> dict[str, int]:
    return {
        name.casefold(): number
        for number, names in enumerate(_MONTHS.split("#"), start=1)
        for name in names.split()
    }


@cache
def _weekdays() -> frozenset[str]:
    return frozenset(word.casefold() for word in _WEEKDAYS.split())
