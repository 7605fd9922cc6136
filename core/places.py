"""Where a cloud region is: its time zone, and the country whose public holidays its people keep.

The facts are data/reference/regions.toml. A region it does not know is taken as UTC without holidays, and `known`
says so: a guess from the name would be right often enough to be believed when it is wrong.
"""

from __future__ import annotations

import functools
import tomllib
import zoneinfo
from pathlib import Path

from core.stats.calendar_terms import Place

REGIONS_PATH = Path(__file__).resolve().parents[1] / "data" / "reference" / "regions.toml"


class BadRegions(ValueError):
    """regions.toml cannot be used; the message names the entry and what to write."""


def place_of(region: str) -> Place:
    """The place of a region as traces or bills name it ("eu-central-1", "westeurope", "West Europe")."""
    return regions().get(plain_name(region), Place(region))._replace(region=region)


def known(region: str) -> bool:
    """Whether regions.toml has the region."""
    return plain_name(region) in regions()


def plain_name(region: str) -> str:
    """Names differ in capitals and blanks between a vendor's API and its bill.

    >>> plain_name("West Europe"), plain_name("eu-central-1")
    ('westeurope', 'eu-central-1')
    """
    return region.lower().replace(" ", "")


@functools.cache
def regions(path: Path = REGIONS_PATH) -> dict[str, Place]:
    """Every known region by its plain name; raises BadRegions."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadRegions(f"{path}: {error}. Correct that line.") from error
    found = {}
    for vendor, rows in table.items():
        for name, facts in rows.items():
            found[plain_name(name)] = _place(name, facts, f"{path}: {vendor}.{name}")
    return found


def _place(name: str, facts: object, where: str) -> Place:
    if (
        not isinstance(facts, list)
        or not 1 <= len(facts) <= 3
        or not all(isinstance(one, str) for one in facts)
    ):
        raise BadRegions(f'{where}: write ["IANA zone"], ["IANA zone", "country"] or add a subdivision')
    zone, country, subdivision = [*facts, None, None][:3]
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise BadRegions(f'{where}: "{zone}" is no IANA time zone; write one such as Europe/Berlin') from None
    return Place(name, zone, country, subdivision)
