"""The extension in other languages, as Blender's translation table.

Owns that table. A language is a file here: its locales and its sentences; where these are many,
more sentences stand in files beside it, ``german_splats`` beside ``german``; in ``servers_german``
those that our own servers send. English is the source and British in spelling.
``python addon_build/sentences.py`` tells what a language lacks.
"""

from __future__ import annotations

from . import german, german_meanings, german_pictures, german_splats, servers_german

# Locales -> the files with their sentences.
LANGUAGES = {
    german.LOCALES: (german, german_meanings, german_pictures, german_splats, servers_german)
}
# Buttons are looked up as operators, all else without a context.
CONTEXTS = ("*", "Operator")


def table() -> dict[str, dict[tuple[str, str], str]]:
    """Locale -> (context, English) -> that language, as Blender takes it."""
    return {
        locale: {
            (context, english): translated
            for part in parts
            for english, translated in part.SENTENCES.items()
            for context in CONTEXTS
        }
        for locales, parts in LANGUAGES.items()
        for locale in locales
    }
