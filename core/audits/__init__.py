"""The audits, one question a module. `every_audit()` lists the folder: there is no registry to keep in step."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def every_audit() -> list[ModuleType]:
    """Every module of this folder that has a TITLE, by section and title.

    Modules without one hold SQL or pictures of an audit that does not fit one file.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return sorted((m for m in modules if hasattr(m, "TITLE")), key=lambda m: (m.SECTION, m.TITLE))
