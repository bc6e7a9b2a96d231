"""German: what codes, stages and edges mean.

Owns the sentences of those. Must not know where they stand.
"""

SENTENCES = {
    # Codes, edges, stages
    "Something that this method needs is missing on the server":
        "Dem Server fehlt etwas, was dieses Verfahren braucht",
    "This is no connection string": "Das ist keine Verbindungszeile",
    "A file is damaged, or of a kind that cannot be read":
        "Eine Datei ist beschädigt oder von einer Art, die nicht gelesen werden kann",
    "What arrived is not what was sent": "Was ankam, ist nicht, was gesandt wurde",
    "A picture cannot be read, or is none": "Ein Bild kann nicht gelesen werden oder ist keines",
    "Server and extension do not understand each other":
        "Server und Erweiterung verstehen einander nicht",
    "The result that arrived is damaged": "Das Ergebnis, das ankam, ist beschädigt",
    "The server has too much to do": "Der Server hat zu viel zu tun",
    "The extension is being switched off": "Die Erweiterung wird gerade ausgeschaltet",
    "The job went on elsewhere": "Der Auftrag ging anderswo weiter",
    "The disk is full": "Die Platte ist voll",
    "Something failed that should not": "Etwas ging schief, was nicht sollte",
    "That cannot be done with what is chosen": "Das geht mit dem Gewählten nicht",
    "A setting is unknown or out of its range":
        "Eine Einstellung ist unbekannt oder außerhalb ihres Bereichs",
    "The server does not have the picture any more": "Der Server hat das Bild nicht mehr",
    "No subject was found in the picture": "Im Bild wurde kein Motiv gefunden",
    "What answers there is no Glimpse3D server": "Was dort antwortet, ist kein Glimpse3D-Server",
    "The server does not know that job any more": "Der Server kennt den Auftrag nicht mehr",
    "There is no result yet": "Es gibt noch kein Ergebnis",
    "This server cannot do that yet": "Dieser Server kann das noch nicht",
    "Nothing answers at that address": "Unter dieser Adresse antwortet nichts",
    "The server's memory ran out": "Dem Server ging der Speicher aus",
    "Something could not be written": "Etwas konnte nicht geschrieben werden",
    "The server does not know this key, or not any more":
        "Der Server kennt diesen Schlüssel nicht oder nicht mehr",
    "The job did not go on for too long": "Der Auftrag kam zu lange nicht voran",
    "A file is larger than the server allows": "Eine Datei ist größer, als der Server erlaubt",
    "The server has no such method": "Der Server hat kein solches Verfahren",
    "No machine has that name": "Kein Rechner heißt so",
    "Server and extension are of releases too far apart":
        "Server und Erweiterung liegen in ihren Fassungen zu weit auseinander",
    "The method's weights are not on the server":
        "Die Gewichte des Verfahrens sind nicht auf dem Server",
    "The process that computed the job died too often":
        "Der rechnende Prozess ist zu oft gestorben",
    "Another server answers there": "Dort antwortet ein anderer Server",
    "left": "links",
    "right": "rechts",
    "top": "oben",
    "bottom": "unten",
    "Placing the camera": "Stellt die Kamera auf",
    "Cleaning": "Säubert",
    "Colouring": "Färbt",
    "Reading depth": "Liest die Tiefe",
    "Adding detail": "Fügt Einzelheiten hinzu",
    "Looking at the picture": "Sieht das Bild an",
    "Making the surface": "Macht die Oberfläche",
    "Writing files": "Schreibt Dateien",
    "Making the object": "Macht das Objekt",
    "Drawing the preview": "Zeichnet die Vorschau",
    "Making the shape": "Macht die Form",
    "Making splats": "Macht Splats",
    "Spreading splats": "Verteilt Splats",
    "Painting the surface": "Bemalt die Oberfläche",
    "Filming the turntable": "Filmt den Drehteller",
    "Cutting out": "Stellt frei",
}  # fmt: skip
