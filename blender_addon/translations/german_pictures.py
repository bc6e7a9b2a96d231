"""German: pictures, cut-outs, jobs and results.

Owns the sentences of those. Must not know where they stand.
"""

SENTENCES = {
    "The image is made of several tiles, and one picture is wanted":
        "Das Bild besteht aus mehreren Kacheln, und gewünscht ist ein Bild",
    "Open the file of one tile": "Die Datei einer Kachel öffnen",
    "Set the picture's colour space to sRGB": "Den Farbraum des Bildes auf sRGB stellen",
    # Pictures
    "Input": "Eingabe",
    "Seed": "Startwert",
    "The same seed makes the same object again": "Derselbe Startwert macht wieder dasselbe Objekt",
    "New Seed Each Time": "Jedes Mal ein neuer Startwert",
    "Draw another seed at every Generate": "Bei jedem Erzeugen einen anderen Startwert ziehen",
    "Stand": "Standort",
    "Where new objects come to stand": "Wo neue Objekte hingestellt werden",
    "The picture is transparent everywhere": "Das Bild ist überall durchsichtig",
    "Only {width} x {height} pixels: details will be missing":
        "Nur {width} x {height} Pixel: Einzelheiten werden fehlen",
    "The subject touches the {edges} edge: what is cut off will be missing":
        "Das Motiv berührt den Rand ({edges}): was abgeschnitten ist, wird fehlen",
    "Take the picture on the active object's material":
        "Das Bild aus dem Material des aktiven Objekts nehmen",
    "Material's Texture": "Textur des Materials",
    "The active object's material has no picture": "Das Material des aktiven Objekts hat kein Bild",
    "Choose another object": "Ein anderes Objekt wählen",
    "Take what was rendered last, as its window shows it":
        "Das zuletzt Gerenderte nehmen, wie sein Fenster es zeigt",
    "Render Result": "Renderergebnis",
    "Render a picture first": "Erst ein Bild rendern",
    "Nothing was rendered yet": "Es wurde noch nichts gerendert",
    "Take a picture of the 3D view without its overlays; where nothing stands it is transparent":
        "Ein Bild der 3D-Ansicht ohne Überlagerungen nehmen; wo nichts steht, ist es durchsichtig",
    "3D View": "3D-Ansicht",
    "Open a 3D view first": "Erst eine 3D-Ansicht öffnen",
    "There is no 3D view to capture": "Es gibt keine 3D-Ansicht, die aufgenommen werden könnte",
    "Open one first": "Erst eine öffnen",
    "There is no view to capture": "Es gibt keine Ansicht, die aufgenommen werden könnte",
    "Open Blender with a window": "Blender mit einem Fenster öffnen",
    "Take the picture that was copied in another program":
        "Das Bild nehmen, das in einem anderen Programm kopiert wurde",
    "Clipboard": "Zwischenablage",
    "Blender cannot read the clipboard here": "Blender kann die Zwischenablage hier nicht lesen",
    "There is no picture on the clipboard": "In der Zwischenablage ist kein Bild",
    "Copy one first": "Erst eines kopieren",
    "No picture could be taken from the clipboard": "Der Zwischenablage war kein Bild zu entnehmen",
    "Copy a picture first; on some Linux desktops Blender cannot read pictures from there":
        "Erst ein Bild kopieren; unter manchen Linux-Oberflächen kann Blender dort keine lesen",
    "Make objects of picture files, a job of each, with the settings of the panel":
        "Objekte aus Bilddateien machen, je Datei ein Auftrag, mit den Einstellungen hier",
    "Generate from Files": "Aus Dateien erzeugen",
    "Glimpse3D: Generate 3D Object": "Glimpse3D: 3D-Objekt erzeugen",
    "Choose another": "Ein anderes wählen",
    "Save it as PNG first": "Erst als PNG speichern",
    "Check it": "Prüfen",
    # Cut-outs
    "Cut-out": "Freistellung",
    "What tells the subject from its background": "Was das Motiv vom Hintergrund unterscheidet",
    "Box": "Kasten",
    "Left, top, right and bottom as parts of the picture's sides":
        "Links, oben, rechts und unten als Anteile der Bildseiten",
    "The box is empty": "Der Kasten ist leer",
    "Draw it around the subject": "Ihn um das Motiv ziehen",
    "Draw a box around the subject in the Image Editor; Escape leaves it as it was":
        "Im Bildeditor einen Kasten um das Motiv ziehen; Escape lässt ihn, wie er war",
    "Draw Box": "Kasten ziehen",
    "Have the server cut the subject out, and nothing more; takes seconds":
        "Den Server das Motiv freistellen lassen, sonst nichts; dauert Sekunden",
    "Preview Cut-out": "Freistellung ansehen",
    "This server cannot preview cut-outs: it has to be updated":
        "Dieser Server kann keine Freistellung vorab zeigen: er muss erneuert werden",
    "Put the cut-out that arrived beside its picture":
        "Die angekommene Freistellung neben ihr Bild stellen",
    "Show Cut-out": "Freistellung zeigen",
    "No cut-out has arrived": "Es ist keine Freistellung angekommen",
    "Ask for one first": "Erst eine anfordern",
    "Stop this preview": "Diese Vorschau anhalten",
    "Open a copy of the picture and erase its background with a brush; begins as the preview":
        "Eine Kopie des Bildes öffnen und den Hintergrund wegpinseln; beginnt wie die Vorschau",
    "Paint": "Malen",
    "Open an Image Editor first: that is where you paint":
        "Erst einen Bildeditor öffnen: dort wird gemalt",
    "Take the brush that erases the background, or the one that brings back what was erased":
        "Den Pinsel nehmen, der den Hintergrund löscht, oder den, der Gelöschtes zurückholt",
    "Brush": "Pinsel",
    "Press Paint first, and use it in the Image Editor":
        "Erst Malen drücken und im Bildeditor benutzen",
    "Press it again in a moment, or choose it in the asset shelf":
        "Gleich noch einmal drücken oder ihn in der Asset-Leiste wählen",
    "No cut-out of this picture was painted": "Von diesem Bild wurde keine Freistellung gemalt",
    "Press Paint first": "Erst Malen drücken",
    "The server's cut-out is not a picture": "Die Freistellung des Servers ist kein Bild",
    "The painted cut-out is not as large as the picture":
        "Die gemalte Freistellung ist nicht so groß wie das Bild",
    "Paint it anew": "Neu malen",
    "Erase the background, keep the subject": "Den Hintergrund löschen, das Motiv behalten",
    # Jobs and settings
    "Job": "Auftrag",
    "Its id; the one chosen in the list if empty":
        "Seine Kennung; der in der Liste gewählte, wenn leer",
    "There is no such job": "Diesen Auftrag gibt es nicht",
    "Choose one in the list": "Einen in der Liste wählen",
    "Send the picture to the server; mesh, splats and cameras come to the 3D cursor":
        "Das Bild an den Server senden; Netz, Splats und Kameras kommen zum 3D-Cursor",
    "Generate": "Erzeugen",
    "Stop this job, at the server, too": "Diesen Auftrag anhalten, auch beim Server",
    "Cancel": "Abbrechen",
    "Fetch the result again, or send the picture again":
        "Das Ergebnis noch einmal holen oder das Bild noch einmal senden",
    "Try Again": "Noch einmal versuchen",
    "Take this job off the list and delete its files; what was imported stays":
        "Diesen Auftrag aus der Liste nehmen, seine Dateien löschen; Importiertes bleibt",
    "Remove Job": "Auftrag entfernen",
    "Put the result into the scene, on the 3D cursor or on the floor below it":
        "Das Ergebnis in die Szene stellen, auf den 3D-Cursor oder auf den Boden darunter",
    "Import Result": "Ergebnis importieren",
    "Show the mesh, the splats or both of this result, in the viewport and in renders":
        "Netz, Splats oder beides dieses Ergebnisses zeigen, in der Ansicht und beim Rendern",
    "Show": "Zeigen",
    "Settings": "Einstellungen",
    "More settings, as a JSON map; for scripts":
        "Weitere Einstellungen als JSON-Objekt; für Skripte",
    "Connect to a server first": "Erst mit einem Server verbinden",
    "Remove": "Entfernen",
    "Leave the present mode for Object Mode first": "Erst in den Objektmodus wechseln",
    "Choose a part of a result first": "Erst einen Teil eines Ergebnisses wählen",
    "Choose a picture first": "Erst ein Bild wählen",
    "There is no picture": "Es gibt kein Bild",
    "The job has no result yet": "Der Auftrag hat noch kein Ergebnis",
    "Wait until it is done": "Warten, bis er fertig ist",
    "Jobs": "Aufträge",
    "Result": "Ergebnis",
    "Method": "Methode",
    "Goes on by itself once the weights are there":
        "Geht von selbst weiter, sobald die Gewichte da sind",
    "Import": "Importieren",
    "Draft": "Entwurf",
    "Quickest: to see whether the picture will do":
        "Am schnellsten: um zu sehen, ob das Bild taugt",
    "Standard": "Standard",
    "The usual choice": "Die übliche Wahl",
    "High": "Hoch",
    "Best quality; takes longest": "Beste Qualität; dauert am längsten",
    "Picture": "Bild",
    "The picture to make an object of": "Das Bild, aus dem ein Objekt werden soll",
    "Quality": "Qualität",
    "How much work the server puts in": "Wie viel Arbeit der Server hineinsteckt",
    "The server's name of the method; its usual one if empty":
        "Wie der Server die Methode nennt; seine übliche, wenn leer",
    "Again": "Noch einmal",
    "Open the folder in which this job's picture and result lie":
        "Den Ordner öffnen, in dem Bild und Ergebnis dieses Auftrags liegen",
    "Reveal": "Ordner öffnen",
    "Draw another seed: another object of the same picture":
        "Einen anderen Startwert ziehen: ein anderes Objekt aus demselben Bild",
    "Another Seed": "Anderer Startwert",
    "Back to what this quality means": "Zurück zu dem, was diese Qualität bedeutet",
    "Reset Settings": "Einstellungen zurücksetzen",
    # Results in the scene
    "Move this result to the 3D cursor, or to the floor below it":
        "Dieses Ergebnis zum 3D-Cursor oder auf den Boden darunter setzen",
    "Stand Here": "Hierher stellen",
    "Let a camera turn once around this result, or around the active object":
        "Eine Kamera einmal um dieses Ergebnis oder um das aktive Objekt kreisen lassen",
    "Turntable": "Drehteller",
    "Frames": "Einzelbilder",
    "In one turn": "In einer Umdrehung",
    "Radius": "Radius",
    "From the middle to the camera, in object sizes":
        "Von der Mitte bis zur Kamera, in Objektgrößen",
    "Elevation": "Höhenwinkel",
    "Degrees above the horizon": "Grad über dem Horizont",
    "Lens": "Brennweite",
    "Focal length in millimetres, on a sensor 24 mm high":
        "Brennweite in Millimetern, bei einem 24 mm hohen Sensor",
    "Use for Rendering": "Zum Rendern benutzen",
    "Make it the scene's camera, and one turn the scene's frames":
        "Zur Kamera der Szene machen und deren Einzelbilder auf eine Umdrehung stellen",
    "Choose an object first, in Object Mode": "Erst ein Objekt wählen, im Objektmodus",
    "Look through this camera, and render as large as the picture behind it":
        "Durch diese Kamera sehen und so groß rendern wie das Bild dahinter",
    "Look Through": "Hindurchsehen",
    "Camera": "Kamera",
    "That camera is gone": "Diese Kamera gibt es nicht mehr",
    "Put this result into the asset browser: drag it into other files":
        "Dieses Ergebnis in den Asset-Browser stellen: von dort in andere Dateien ziehen",
    "Mark as Asset": "Als Asset markieren",
    "Delete Result": "Ergebnis löschen",
    "Delete this result with all its parts; what else lies in its collection stays":
        "Dieses Ergebnis mit allen Teilen löschen; was sonst in seiner Sammlung liegt, bleibt",
    "It is an asset already": "Es ist schon ein Asset",
    "Save the file in an asset library to use it elsewhere":
        "Die Datei in einer Asset-Bibliothek speichern, um es anderswo zu benutzen",
    # Results and cameras from files
    "Bring a result into the scene: the ZIP of a notebook or of the command line, or its folder":
        "Ein Ergebnis in die Szene holen: ZIP von Notebook oder Befehlszeile oder dessen Ordner",
    "Import Glimpse3D Result": "Glimpse3D-Ergebnis importieren",
    "Glimpse3D: Import Result": "Glimpse3D: Ergebnis importieren",
    "Glimpse3D Result (.zip)": "Glimpse3D-Ergebnis (.zip)",
    "Import the cameras of a transforms.json or of a COLMAP model as a rig, with their pictures":
        "Kameras aus transforms.json oder COLMAP-Modell als Rig importieren, mit ihren Bildern",
    "Import Cameras": "Kameras importieren",
    "Axes": "Achsen",
    "Which way is up in the file: Z for JSON and Y down for COLMAP, as usual":
        "Wo in der Datei oben ist: Z bei JSON, Y nach unten bei COLMAP, wie üblich",
    "Cameras (transforms.json/COLMAP)": "Kameras (transforms.json/COLMAP)",
    "No file was chosen": "Es wurde keine Datei gewählt",
    "Choose one with splats in it": "Eine mit Splats darin wählen",
    "Choose transforms.json or a COLMAP model": "transforms.json oder ein COLMAP-Modell wählen",
    # Choices
    "Open an Image Editor first: that is where you draw":
        "Erst einen Bildeditor öffnen: dort wird gezeichnet",
    "Drag a box around the subject; Escape leaves it":
        "Einen Rahmen um das Motiv ziehen; Escape lässt alles, wie es war",
    "Erase": "Radieren",
    "Erase the background": "Den Hintergrund ausradieren",
    "Restore": "Zurückholen",
    "Bring back what was erased": "Ausradiertes zurückholen",
    "Left": "Links",
    "Top": "Oben",
    "Right": "Rechts",
    "Bottom": "Unten",
    "Cut Out By": "Freistellen mit",
    "Automatic": "Automatisch",
    "The server finds the subject": "Der Server findet das Motiv",
    "The server finds the subject inside a box that you draw":
        "Der Server findet das Motiv in einem Rahmen, den Sie ziehen",
    "Painted": "Gemalt",
    "You erase the background with Blender's own brushes":
        "Sie radieren den Hintergrund mit Blenders Pinseln aus",
    "On the 3D Cursor": "Auf dem 3D-Cursor",
    "The object's lowest point rests on the 3D cursor":
        "Der tiefste Punkt des Objekts ruht auf dem 3D-Cursor",
    "On the Floor": "Auf dem Boden",
    "Below the 3D cursor, at height 0": "Unter dem 3D-Cursor, auf Höhe 0",
    "Mesh": "Mesh",
    "Show the mesh alone": "Nur das Mesh zeigen",
    "Show the splats alone": "Nur die Splats zeigen",
    "Both": "Beide",
    "Show both, in the same place": "Beide zeigen, am selben Ort",
    "What of the result is shown": "Was vom Ergebnis zu sehen ist",
}  # fmt: skip
