"""German: splats.

Owns the sentences of those. Must not know where they stand.
"""

SENTENCES = {
    "Cycles' transparent bounces raised from {former} to {now}":
        "Transparenzdurchgänge von Cycles von {former} auf {now} erhöht",
    "Cycles' least transparent bounces raised from {former} to {now}":
        "Mindeste Transparenzdurchgänge von Cycles von {former} auf {now} erhöht",
    "{count} splats left out: a value is not finite":
        "{count} Splats weggelassen: ein Wert ist nicht endlich",
    "{count} splats left out: farther, larger or brighter than can be drawn":
        "{count} Splats weggelassen: ferner, größer oder heller, als sich zeichnen lässt",
    "{count} splats left out: the rotation is zero":
        "{count} Splats weggelassen: die Drehung ist null",
    "{count} splats made as thin as can be: a scale is zero":
        "{count} Splats so dünn wie möglich gemacht: eine Größe ist null",
    # Files
    "Import Gaussian splats: PLY, compressed PLY, SPZ, .splat, .ksplat or glTF":
        "Gaussian Splats importieren: PLY, komprimiertes PLY, SPZ, .splat, .ksplat oder glTF",
    "Import Splats": "Splats importieren",
    "Export splats as they are seen: modifiers and transforms applied, several objects as one":
        "Splats exportieren, wie sie zu sehen sind: alles angewendet, mehrere Objekte als eines",
    "Export Splats": "Splats exportieren",
    "Export": "Exportieren",
    "Gaussian Splats (Glimpse3D)": "Gaussian Splats (Glimpse3D)",
    "Gaussian Splats (.ply/.spz/.splat/.glb)": "Gaussian Splats (.ply/.spz/.splat/.glb)",
    "Which way is up in the file, if you know better":
        "Wo in der Datei oben ist, wenn Sie es besser wissen",
    "Which way is up in the file, if its reader differs":
        "Wo in der Datei oben ist, wenn ihr Leser es anders hält",
    "Format": "Format",
    "The kind of file": "Die Art der Datei",
    "Selected Only": "Nur Ausgewählte",
    "Only selected objects, instead of all that are visible":
        "Nur ausgewählte Objekte statt aller sichtbaren",
    "Choose another folder": "Einen anderen Ordner wählen",
    "There are no splats to export": "Es gibt keine Splats zu exportieren",
    "Select or show some first": "Erst welche auswählen oder zeigen",
    "Import the splats again": "Die Splats noch einmal importieren",
    # Edits
    "Select an object made of splats first": "Erst ein Objekt aus Splats auswählen",
    "Make location, rotation and scale part of the splats; shape and colour are turned along":
        "Position, Drehung und Größe in die Splats übernehmen; Form und Farbe werden mitgedreht",
    "Apply Transform to Splats": "Transformation auf Splats anwenden",
    "Apply Transform": "Transformation anwenden",
    "Select or remove splats by opacity, size or colour; selected ones show in Edit Mode":
        "Splats nach Deckkraft, Größe, Farbe wählen oder löschen; zu sehen im Bearbeitungsmodus",
    "Select Splats": "Splats auswählen",
    "Select": "Auswählen",
    "By": "Nach",
    "What to look at": "Worauf geachtet wird",
    "From": "Von",
    "The least value that is taken": "Der kleinste Wert, der genommen wird",
    "To": "Bis",
    "The largest value that is taken": "Der größte Wert, der genommen wird",
    "Colour": "Farbe",
    "Compared with the colour without what depends on the view":
        "Verglichen mit der Farbe ohne das, was vom Blickwinkel abhängt",
    "Action": "Aktion",
    "What to do with them": "Was mit ihnen geschieht",
    "Remove splats that are too faint to be seen, far from all others, or as large as the scene":
        "Splats entfernen, die zu blass, weit von allen anderen oder so groß wie die Szene sind",
    "Sanitise Splats": "Splats bereinigen",
    "Sanitise": "Bereinigen",
    "Reach": "Reichweite",
    "How far out a splat may be, in units of the radius that holds nine tenths":
        "Wie weit außen ein Splat sein darf, in Radien, die neun Zehntel umfassen",
    "Unite neighbouring splats into fewer ones that look alike":
        "Benachbarte Splats zu wenigeren vereinen, die gleich aussehen",
    "Decimate Splats": "Splats dezimieren",
    "Decimate": "Dezimieren",
    "Ratio": "Verhältnis",
    "How many splats stay": "Wie viele Splats bleiben",
    "Put the splats of all selected objects into the active one, where they stand":
        "Die Splats aller ausgewählten Objekte ins aktive übernehmen, wo sie stehen",
    "Merge Splats": "Splats zusammenführen",
    "Merge": "Zusammenführen",
    "Select two objects made of splats, one of them active":
        "Zwei Objekte aus Splats auswählen, eines davon aktiv",
    # Cropping
    "Remove all splats whose middle lies outside of a box, a sphere or a collection's boxes":
        "Splats entfernen, deren Mitte außerhalb von Kasten, Kugel oder Sammlungskästen liegt",
    "Crop Splats": "Splats zuschneiden",
    "Crop": "Zuschneiden",
    "Crop To": "Zuschneiden auf",
    "What to crop to": "Worauf zugeschnitten wird",
    "Bounds": "Begrenzung",
    "Name of the object or the collection; what the panel says if empty":
        "Name des Objekts oder der Sammlung; wenn leer, was das Bedienfeld sagt",
    "The object that says where to crop": "Das Objekt, das sagt, wo zugeschnitten wird",
    "The collection whose objects say where to crop":
        "Die Sammlung, deren Objekte sagen, wo zugeschnitten wird",
    "Remove Inside": "Inneres entfernen",
    "Remove what lies inside and keep the rest":
        "Entfernen, was innen liegt, und den Rest behalten",
    "There is nothing to crop to": "Es gibt nichts, worauf zugeschnitten werden könnte",
    "Choose an object or a collection": "Ein Objekt oder eine Sammlung wählen",
    "Move the bounds over the splats": "Die Begrenzung über die Splats schieben",
    # From a mesh
    "Cover the active mesh with splats in its own colours, as an object of its own":
        "Das aktive Netz mit Splats in seinen Farben bedecken, als eigenes Objekt",
    "Splats from Mesh": "Splats aus Netz",
    "Splats": "Splats",
    "At most so many": "Höchstens so viele",
    "Make a mesh with faces the active object first":
        "Erst ein Netz mit Flächen zum aktiven Objekt machen",
    "The mesh has no surface": "Das Netz hat keine Oberfläche",
    "Splats cover faces; edges and points have none":
        "Splats bedecken Flächen; Kanten und Punkte haben keine",
    # How they are shown
    "Show these splats as this release does, or natively where Blender can":
        "Diese Splats zeigen, wie es diese Ausgabe tut, oder nativ, wo Blender es kann",
    "Upgrade Splats": "Splats aktualisieren",
    "Upgrade": "Aktualisieren",
    "These splats are up to date": "Diese Splats sind auf dem neuesten Stand",
    "This GPU cannot show splats in viewports; renders can":
        "Diese GPU kann Splats nicht in Ansichten zeigen; beim Rendern geht es",
    "Render as splat viewers do: the view transform becomes Raw, and other objects look wrong":
        "Rendern wie Splat-Betrachter: Ansichtstransformation wird Raw, anderes sieht falsch aus",
    "Raw Splat Colours": "Rohe Splat-Farben",
    "On": "An",
    "Raw, or linear as usual": "Roh oder wie üblich linear",
    "Usual View Transform": "Übliche Ansichtstransformation",
    "What is set again after Raw": "Was nach Raw wieder eingestellt wird",
    "Glimpse3D: Import Cameras": "Glimpse3D: Kameras importieren",
    # Choices, and what was done
    "{count} cameras from {kind}": "{count} Kameras aus {kind}",
    "As Usual": "Wie üblich",
    "What the file says of itself, else what its kind has by custom":
        "Was die Datei von sich sagt, sonst was bei ihrer Art Brauch ist",
    "Y Down": "Y nach unten",
    "Right, down, forward: trainers, COLMAP": "Rechts, unten, vorn: Trainer, COLMAP",
    "Y Up": "Y nach oben",
    "Right, up, back: glTF, SPZ, OpenGL": "Rechts, oben, hinten: glTF, SPZ, OpenGL",
    "Z Up": "Z nach oben",
    "Right, forward, up: Blender's own": "Rechts, vorn, oben: Blenders eigene",
    "PLY (.ply)": "PLY (.ply)",
    "Exact; every program for splats reads it": "Genau; jedes Programm für Splats liest es",
    "Compressed PLY (.compressed.ply)": "Komprimiertes PLY (.compressed.ply)",
    "SuperSplat's; a quarter of the size": "Das von SuperSplat; ein Viertel so groß",
    "SPZ (.spz)": "SPZ (.spz)",
    "Niantic's; a sixth of the size": "Das von Niantic; ein Sechstel so groß",
    "Splat (.splat)": "Splat (.splat)",
    "For web viewers; without view-dependent colour":
        "Für Betrachter im Web; ohne blickabhängige Farbe",
    "glTF (.glb)": "glTF (.glb)",
    "KHR_gaussian_splatting; exact": "KHR_gaussian_splatting; genau",
    "{name}: {kind}, {count} splats, degree {degree}":
        "{name}: {kind}, {count} Splats, Grad {degree}",
    "{count} splats written to {name}": "{count} Splats in {name} geschrieben",
    "Opacity": "Deckkraft",
    "How much light a splat stops in its middle, 0 to 1":
        "Wie viel Licht ein Splat in seiner Mitte aufhält, 0 bis 1",
    "Size": "Größe",
    "The longest standard deviation, metres": "Die längste Standardabweichung, Meter",
    "How far the colour is from the chosen one, 0 to 1":
        "Wie weit die Farbe von der gewählten entfernt ist, 0 bis 1",
    "Select them, to be seen and edited in Edit Mode":
        "Sie auswählen, im Bearbeitungsmodus zu sehen und zu ändern",
    "Remove them": "Sie entfernen",
    "{name}: {kept} of {count} splats kept": "{name}: {kept} von {count} Splats behalten",
    "Transform applied to {name}": "Transformation auf {name} angewendet",
    "Transform applied to {count} objects": "Transformation auf {count} Objekte angewendet",
    "{count} splats selected: see them in Edit Mode":
        "{count} Splats ausgewählt: im Bearbeitungsmodus zu sehen",
    "{name}: {count} too faint to be seen": "{name}: {count} zu schwach, um gesehen zu werden",
    "{name}: {count} far from all others": "{name}: {count} weit weg von allen anderen",
    "{name}: {count} far larger than all others": "{name}: {count} viel größer als alle anderen",
    "{count} splats in {name}": "{count} Splats in {name}",
    "{count} splats cover {name}": "{count} Splats bedecken {name}",
    "{name} upgraded": "{name} erneuert",
    "{count} objects upgraded": "{count} Objekte erneuert",
    "View transform: {name}": "Ansichtstransformation: {name}",
    "{count} splats in {objects} objects, degree {degree}":
        "{count} Splats in {objects} Objekten, Grad {degree}",
    "Usual Colours": "Übliche Farben",
    "Raw Colours": "Rohe Farben",
    "{count} splats, degree {degree}": "{count} Splats, Grad {degree}",
    "The viewport shows the first {count}": "Die Ansicht zeigt die ersten {count}",
    "The mesh is transparent everywhere": "Das Netz ist überall durchsichtig",
    "Raise its material's alpha": "Erhöhen Sie den Alpha-Wert seines Materials",
    "{name}: no splat is below a metre; the logarithm of the sizes may be missing":
        "{name}: Kein Splat ist kleiner als ein Meter; wohl fehlt der Logarithmus der Größen",
    "The file holds no splats": "Die Datei enthält keine Splats",
    "Write it again where it comes from":
        "Schreiben Sie sie dort neu, wo sie herkommt",
    "Too large to be drawn all: the farthest {count} are left out":
        "Zu groß, um alle zu zeichnen: Die {count} fernsten fehlen",
    "The box of an object, turned and scaled with it; a cube for an empty":
        "Der Quader eines Objekts, mit ihm gedreht und skaliert; ein Würfel bei einem Empty",
    "Sphere": "Kugel",
    "The ball, or ellipsoid, within the box of an object":
        "Die Kugel oder das Ellipsoid im Quader eines Objekts",
    "Collection": "Sammlung",
    "The boxes of all objects of a collection": "Die Quader aller Objekte einer Sammlung",
}  # fmt: skip
