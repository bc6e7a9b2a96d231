"""German: servers, the local server, and how things stand.

Owns the locales, and every sentence in German that is in no file beside it: those of pictures and
results and those of splats. Must not know where they stand.
"""

LOCALES = ("de_DE", "de")

SENTENCES = {
    # Installing
    "Make room on the disk, then start again":
        "Platz auf der Platte schaffen und neu starten",
    "Look after the internet connection, then start again; what was fetched is kept":
        "Die Internetverbindung prüfen und neu starten; was geladen wurde, bleibt",
    "A proxy or a virus scanner stands between this machine and the package index; "
    "tell pip of its certificate, then start again":
        "Ein Proxy oder Virenscanner steht zwischen diesem Rechner und dem Paketindex; "
        "pip dessen Zertifikat nennen und neu starten",
    "The package index has no build for this machine; connect to a server elsewhere":
        "Der Paketindex hat nichts für diesen Rechner; mit einem anderen Server verbinden",
    "Choose a folder that you may write to":
        "Einen Ordner wählen, in den Sie schreiben dürfen",
    "This Blender came without a part of Python; use the one from blender.org":
        "Diesem Blender fehlt ein Teil von Python; das von blender.org benutzen",
    # Jobs and sessions
    "The server gave no reason": "Der Server nannte keinen Grund",
    "Look into its log": "In sein Protokoll sehen",
    "Look whether the folder is there and may be written":
        "Nachsehen, ob der Ordner da ist und beschrieben werden darf",
    "The disk of Blender's user folder is full":
        "Die Platte von Blenders Benutzerordner ist voll",
    "Make room and try again": "Platz schaffen und erneut versuchen",
    "The server does not answer": "Der Server antwortet nicht",
    "Online access is off in Blender, so no server can be reached":
        "Der Online-Zugriff ist in Blender aus, deshalb ist kein Server erreichbar",
    "Blender was started with --offline-mode; start it without":
        "Blender wurde mit --offline-mode gestartet; ohne das starten",
    "Switch on Preferences > System > Network > Allow Online Access":
        "Einstellungen > System > Netzwerk > Online-Zugriff erlauben einschalten",
    # More power
    "CUDA 13.0": "CUDA 13.0",
    "CUDA 12.6": "CUDA 12.6",
    "processor only": "nur Prozessor",
    "Apple GPU": "Apple-GPU",
    "TripoSR": "TripoSR",
    "Objects from one picture, by a large network":
        "Objekte aus einem Bild, mit einem großen Netz",
    "SAM, depth and captions": "SAM, Tiefe und Beschreibungen",
    "Cut out by a click, read depth, describe a picture":
        "Mit einem Klick freistellen, Tiefe lesen, ein Bild beschreiben",
    "Add this to the local server; what works now stays until the new one works":
        "Dem lokalen Server hinzufügen; was jetzt läuft, bleibt, bis das Neue läuft",
    "Add to the Local Server": "Zum lokalen Server hinzufügen",
    "Take this out of the local server again; what needs it goes, too":
        "Aus dem lokalen Server wieder entfernen; was es braucht, geht mit",
    "Remove from the Local Server": "Aus dem lokalen Server entfernen",
    "Stop changing the local server; it is what it was before":
        "Den lokalen Server nicht weiter ändern; er ist, was er vorher war",
    "Ask this machine's NVIDIA driver anew which GPUs there are":
        "Den NVIDIA-Treiber dieses Rechners neu fragen, welche GPUs es gibt",
    "Look for GPUs": "GPUs suchen",
    "Part": "Teil",
    "What is meant": "Was gemeint ist",
    "Start the local server first, and wait until it stands":
        "Erst den lokalen Server starten und warten, bis er steht",
    "Add": "Hinzufügen",
    "The local server stops meanwhile, and goes on by itself":
        "Der lokale Server hält währenddessen an und läuft von selbst weiter",
    "The local server is made anew without it; weights stay where they are":
        "Der lokale Server wird ohne ihn neu gemacht; Gewichte bleiben, wo sie sind",
    "Online access is off in Blender": "Der Online-Zugriff ist in Blender aus",
    "The local server cannot be changed now":
        "Der lokale Server kann jetzt nicht geändert werden",
    "Start it, and wait until it stands": "Ihn starten und warten, bis er steht",
    "More Power": "Mehr Leistung",
    "Not looked for a GPU yet": "Noch nicht nach einer GPU gesucht",
    "Its driver is too old for PyTorch: renew it, then look again":
        "Sein Treiber ist zu alt für PyTorch: erneuern und noch einmal suchen",
    "Start the local server first; then it can be given more":
        "Erst den lokalen Server starten; dann kann er mehr bekommen",
    "No NVIDIA GPU and no driver of one was found; the processor will compute":
        "Weder NVIDIA-GPU noch Treiber gefunden; der Prozessor wird rechnen",
    "{name}, {size} GB, driver {driver}, CUDA {cuda}, seen by {by}":
        "{name}, {size} GB, Treiber {driver}, CUDA {cuda}, gesehen von {by}",
    "(the first of {count})": "(die erste von {count})",
    "Driver {driver} sees no NVIDIA GPU": "Treiber {driver} sieht keine NVIDIA-GPU",
    "Add ({size})": "Hinzufügen ({size})",
    "About {size} are fetched, once": "Etwa {size} werden geladen, einmal",
    "PyTorch ({build}) comes from {where}": "PyTorch ({build}) kommt von {where}",
    "While both stand, {size} of the disk are needed":
        "Solange beides steht, werden {size} der Platte gebraucht",
    "What the methods below compute with": "Womit die Methoden darunter rechnen",
    "These want weights or packages first: {names}":
        "Diese brauchen erst Gewichte oder Pakete: {names}",
    # Removal
    "The local server": "Der lokale Server",
    "The local server's queue, keys and results":
        "Warteschlange, Schlüssel und Ergebnisse des lokalen Servers",
    "Jobs, with their pictures and results": "Aufträge mit Bildern und Ergebnissen",
    "Saved servers, with their keys": "Gemerkte Server mit ihren Schlüsseln",
    "Cut-outs that were looked at": "Freigestelltes, das angesehen wurde",
    "What a crash left behind": "Was ein Absturz übrig ließ",
    "What was left of questions": "Was von Fragen übrig blieb",
    "End what uses it, then try again": "Beenden, was es benutzt, und erneut versuchen",
    "See what this extension keeps on the disk, and how much; nothing is removed yet":
        "Ansehen, was diese Erweiterung auf der Platte hat und wie viel; noch wird nichts entfernt",
    "See What Is Kept": "Ansehen, was behalten wird",
    "Stop the local server and delete all that is listed here; objects in your files stay":
        "Den lokalen Server anhalten und alles hier löschen; Objekte in Ihren Dateien bleiben",
    "Remove Everything": "Alles entfernen",
    "Use the extension as if it had just been installed":
        "Die Erweiterung benutzen, als wäre sie gerade installiert worden",
    "Begin Again": "Neu anfangen",
    "See what is kept first": "Erst ansehen, was behalten wird",
    "Wait until everything is removed": "Warten, bis alles entfernt ist",
    "Nothing is kept": "Nichts wird behalten",
    "Everything was removed; now the extension can be, too":
        "Alles wurde entfernt; jetzt kann es auch die Erweiterung werden",
    "Weights that a server fetched lie in the cache of Hugging Face and stay":
        "Gewichte, die ein Server lud, liegen im Zwischenspeicher von Hugging Face und bleiben",
    "Looking": "Es wird nachgesehen",
    "Removing": "Es wird entfernt",
    "Everything was removed": "Alles wurde entfernt",
    "This frees {size} and cannot be undone":
        "Das macht {size} frei und kann nicht rückgängig gemacht werden",
    "Remove Everything ({size})": "Alles entfernen ({size})",
    # Weights
    "Make objects with this method": "Objekte mit dieser Methode machen",
    "Have the server fetch what this method needs; jobs that wait for it go on by themselves":
        "Den Server laden lassen, was diese Methode braucht; wartende Aufträge gehen weiter",
    "Fetch Weights": "Gewichte laden",
    "Stop fetching; what came is kept, and fetching can go on later":
        "Nicht weiter laden; was kam, bleibt, und es kann später weitergehen",
    "The server's name for it": "Wie der Server sie nennt",
    "For which method": "Für welche Methode",
    "Nothing has to be fetched": "Es muss nichts geladen werden",
    "Press Generate": "Erzeugen drücken",
    # Servers
    "Connection String": "Verbindungszeile",
    "The line that the server printed; it is kept in a file only you can read":
        "Die Zeile, die der Server ausgab; sie liegt in einer Datei, die nur Sie lesen können",
    "Connect When Blender Starts": "Verbinden, wenn Blender startet",
    "Connect to the kept server as soon as Blender is open":
        "Mit dem gemerkten Server verbinden, sobald Blender offen ist",
    "Local Server": "Lokaler Server",
    "Folder of the server on this machine; empty is Blender's user folder":
        "Ordner des Servers auf diesem Rechner; leer ist Blenders Benutzerordner",
    "Servers": "Server",
    "Connect to this server, now and whenever Blender starts":
        "Mit diesem Server verbinden, jetzt und immer, wenn Blender startet",
    "Choose Server": "Server wählen",
    "Give this server another name in the list":
        "Diesem Server einen anderen Namen in der Liste geben",
    "Rename Server": "Server umbenennen",
    "Take this server and its key off the list; its jobs and their results stay":
        "Diesen Server und seinen Schlüssel aus der Liste nehmen; Aufträge und Ergebnisse bleiben",
    "Remove Server": "Server entfernen",
    "Ask step by step why the server cannot be used: name, port, key, version, models":
        "Schritt für Schritt fragen, warum der Server nicht geht: Name, Port, Schlüssel, Modelle",
    "Examine the Connection": "Verbindung untersuchen",
    "Stop asking": "Nicht weiter fragen",
    "Stop Examining": "Untersuchung anhalten",
    "Name": "Name",
    "The server's name in the list": "Wie der Server in der Liste heißt",
    "What the list shows": "Was die Liste zeigt",
    "Choose a server first": "Erst einen Server wählen",
    "To connect to {name} again, its connection string must be copied anew":
        "Um wieder mit {name} zu verbinden, muss die Verbindungszeile neu kopiert werden",
    "Paste a connection string first": "Erst eine Verbindungszeile einfügen",
    "There is no such server": "Diesen Server gibt es nicht",
    "Choose one first": "Erst einen wählen",
    "There is no server to ask": "Es gibt keinen Server, der gefragt werden könnte",
    "Connect with the connection string in the clipboard":
        "Mit der Verbindungszeile aus der Zwischenablage verbinden",
    "Paste Connection String": "Verbindungszeile einfügen",
    "Try to reach the server now": "Jetzt versuchen, den Server zu erreichen",
    "Connect": "Verbinden",
    "Leave the server; jobs go on there, and their results come with the next connection":
        "Den Server verlassen; Aufträge gehen dort weiter, Ergebnisse kommen beim nächsten Mal",
    "Disconnect": "Trennen",
    "Run a server on this machine; the first time it is installed":
        "Einen Server auf diesem Rechner laufen lassen; beim ersten Mal wird er installiert",
    "Start Local Server": "Lokalen Server starten",
    "Stop the server on this machine, or its installation; both can go on later":
        "Den Server auf diesem Rechner oder seine Installation anhalten; beides kann weitergehen",
    "Stop Local Server": "Lokalen Server anhalten",
    "Open the preferences where online access is allowed":
        "Die Einstellungen öffnen, in denen der Online-Zugriff erlaubt wird",
    "Open Preferences": "Einstellungen öffnen",
    "Text": "Text",
    "The string; the clipboard if empty": "Die Zeile; die Zwischenablage, wenn leer",
    "Folder": "Ordner",
    "Where it goes, 1.5 GB; empty is where it is":
        "Wohin er kommt, 1,5 GB; leer ist, wo er ist",
    "Earlier Release": "Frühere Ausgabe",
    "Do not renew it; an earlier release will do":
        "Nicht erneuern; eine frühere Ausgabe genügt",
    "Install the Local Server": "Den lokalen Server installieren",
    "Install": "Installieren",
    "Renew": "Erneuern",
    "Blender's own Python is not changed": "Blenders eigenes Python wird nicht geändert",
    "Go On Installing": "Weiter installieren",
    "Renew the Local Server": "Den lokalen Server erneuern",
    "Server": "Server",
    "Choose a Server": "Einen Server wählen",
    "Starting": "Er startet",
    "Local server runs": "Lokaler Server läuft",
    "Stop": "Anhalten",
    "Jobs go on at the server, and here once it answers":
        "Aufträge gehen beim Server weiter und hier, sobald er antwortet",
    "It is of an earlier release; what is added to it is renewed, too":
        "Er ist von einer früheren Ausgabe; was hinzugefügt wurde, wird mit erneuert",
    "Start the Earlier One": "Den früheren starten",
    # The doctor
    "Connection Doctor": "Verbindungsdoktor",
    "Asking": "Es wird gefragt",
    "Looks for what is wrong, from the string to the models":
        "Sucht, was nicht stimmt, von der Zeile bis zu den Modellen",
    "Everything is as it should be": "Alles ist, wie es sein soll",
    "Connection string": "Verbindungszeile",
    "Name of the machine": "Name des Rechners",
    "Port": "Port",
    "Key": "Schlüssel",
    "Protocol": "Protokoll",
    "Computing process": "Rechenprozess",
    "Models": "Modelle",
    # How things stand
    "Not sent yet": "Noch nicht gesendet",
    "Queued": "In der Warteschlange",
    "Queued, {count} before it": "In der Warteschlange, {count} davor",
    "Sending the picture": "Das Bild wird gesendet",
    "Fetching the result": "Das Ergebnis wird geholt",
    "Ready: press Import": "Fertig: Importieren drücken",
    "Ready: not imported yet": "Fertig: noch nicht importiert",
    "It comes by itself once the scene {name} is shown":
        "Kommt von selbst, sobald die Szene {name} gezeigt wird",
    "It comes by itself in Object Mode": "Kommt im Objektmodus von selbst",
    "It comes by itself once the render is done":
        "Kommt von selbst, sobald das Rendern fertig ist",
    "It comes by itself once nothing else is under way":
        "Kommt von selbst, sobald sonst nichts mehr läuft",
    "Ready, not imported": "Fertig, nicht importiert",
    "Weights are missing": "Gewichte fehlen",
    "Done": "Fertig",
    "Failed": "Fehlgeschlagen",
    "Cancelled": "Abgebrochen",
    "Cancelling": "Wird abgebrochen",
    "Waiting for the server": "Wartet auf den Server",
    "Try Now": "Jetzt versuchen",
    "Download Again": "Noch einmal herunterladen",
    "Try Again as Draft": "Als Entwurf noch einmal",
    "the Python Package Index": "dem Python Package Index",
    "Once, about {size} MB are fetched from the Python Package Index":
        "Einmal werden etwa {size} MB vom Python Package Index geladen",
    "the local server": "dem lokalen Server",
    "Blender is offline": "Blender ist offline",
    "Not connected": "Nicht verbunden",
    "Installing, {part}": "Es wird installiert, {part}",
    "Connected to {place}": "Verbunden mit {place}",
    "Connecting to {place}": "Verbindung mit {place} wird aufgebaut",
    "Connection to {place} lost": "Verbindung mit {place} verloren",
    "No connection to {place}": "Keine Verbindung mit {place}",
    "just now": "gerade eben",
    "{count} {unit} ago": "vor {count} {unit}",
    "about {minutes} min left": "noch etwa {minutes} min",
    "about {seconds} s left": "noch etwa {seconds} s",
    # Files
    "cameras.json has no turntable": "In cameras.json steht kein Drehteller",
    "Make the result again": "Das Ergebnis noch einmal machen lassen",
    "The GLB holds no triangles": "Die GLB-Datei enthält keine Dreiecke",
    "The GLB's triangles name vertices that are not there":
        "Die Dreiecke der GLB-Datei nennen Punkte, die es nicht gibt",
    "The file does not begin as a GLB file does": "Die Datei beginnt nicht wie eine GLB-Datei",
    "It was cut short or changed on its way; fetch it again":
        "Sie wurde unterwegs gekürzt oder verändert; noch einmal holen",
    "The GLB's chunks do not fill the file": "Die Abschnitte der GLB-Datei füllen sie nicht",
    "The GLB's mesh is moved by a node": "Das Netz der GLB-Datei wird von einem Knoten bewegt",
    "The GLB holds more than one mesh, or none":
        "Die GLB-Datei enthält mehr als ein Netz oder keines",
    "The GLB's vertices and their attributes differ in number":
        "Punkte und Attribute der GLB-Datei sind verschieden viele",
    "A part of the GLB lies outside the file": "Ein Teil der GLB-Datei liegt außerhalb",
    "The GLB's arrays are interleaved": "Die Felder der GLB-Datei sind verschränkt",
    "The GLB holds an array of a kind that is not read":
        "Die GLB-Datei enthält ein Feld, das nicht gelesen werden kann",
    "An array of the GLB is longer than the file":
        "Ein Feld der GLB-Datei ist länger als die Datei",
    "Open it in the Image Editor and see whether its file is still there":
        "Im Bildeditor öffnen und nachsehen, ob seine Datei noch da ist",
    "Scale it down with Image > Resize": "Mit Bild > Größe ändern verkleinern",
    "Render one first, then choose it again": "Erst eines rendern, dann noch einmal wählen",
    "The mesh has no triangle with an area": "Das Netz hat kein Dreieck mit Fläche",
    "The texture in the GLB is not a picture": "Die Textur in der GLB-Datei ist kein Bild",
    "Fetch it again": "Noch einmal holen",
    "Check the path": "Den Pfad prüfen",
    # With names and numbers
    "Fetch Weights ({size})": "Gewichte laden ({size})",
    "Go On Fetching ({size})": "Weiter laden ({size})",
    "{name} needs its weights first, once": "{name} braucht erst seine Gewichte, einmal",
    "{name} cannot run on this server yet": "{name} kann auf diesem Server noch nicht laufen",
    "Fetching the weights of {name}": "Lädt die Gewichte von {name}",
    "Goes on when its server, last at {address}, is connected":
        "Geht weiter, wenn sein Server, zuletzt {address}, verbunden ist",
    "Delete {name} and its files?": "{name} und seine Dateien löschen?",
    "{size} from {source}, licence {licence}, kept on {place}":
        "{size} von {source}, Lizenz {licence}, kommt auf {place}",
    "{size}, the rest of {whole}, from {source}, licence {licence}, kept on {place}":
        "{size}, der Rest von {whole}, von {source}, Lizenz {licence}, kommt auf {place}",
    "this machine": "diesen Rechner",
    "the server at {address}": "den Server {address}",
    "at {address}": "auf {address}",
    "seed {number}": "Startwert {number}",
}  # fmt: skip
