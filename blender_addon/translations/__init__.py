"""The extension in other languages, as Blender's translation table.

Owns that table. A language is a file here: its locale and its sentences. English is the source and
British in spelling. ``python addon_build/sentences.py`` tells what a language lacks.
"""

from __future__ import annotations

from . import german

LANGUAGES = (german,)
# Buttons are looked up as operators, all else without a context.
CONTEXTS = ("*", "Operator")


def table() -> dict[str, dict[tuple[str, str], str]]:
    """Locale -> (context, English) -> that language, as Blender takes it."""
    return {
        locale: {
            (context, english): translated
            for english, translated in language.SENTENCES.items()
            for context in CONTEXTS
        }
        for language in LANGUAGES
        for locale in language.LOCALES
    }
