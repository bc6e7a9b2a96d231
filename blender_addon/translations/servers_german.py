"""German: what our own servers send as words: settings, choices, methods, notes on the work.

Owns the sentences of those; a server of somebody else's speaks as it was written. They stand in no
source of the extension, but in ``glimpse3d``, whose catalogue the tests compare this with. Must
not know how they are shown.
"""

SENTENCES = {
    # Settings and the groups they stand in
    "Back": "Rückseite",
    "Cubes": "Würfel",
    "Cut Resolution": "Auflösung des Schnitts",
    "Cut Rounds": "Runden des Schnitts",
    "Depth": "Tiefe",
    "Depth Range": "Tiefenumfang",
    "Detail": "Einzelheiten",
    "Device": "Gerät",
    "Elevation": "Höhenwinkel",
    "FPS": "Bilder/s",
    "Faces": "Flächen",
    "Farthest": "Fernste",
    "Fetch": "Laden",
    "Field Of View": "Bildwinkel",
    "Floaters": "Schwebendes",
    "Gaussians": "Splats",
    "Grid": "Raster",
    "Interpolation": "Interpolation",
    "Largest Only": "Nur das Größte",
    "Longest": "Längste",
    "Matte": "Freistellen",
    "Memory Limit": "Speichergrenze",
    "Model": "Modell",
    "Outliers": "Ausreißer",
    "Passes": "Durchgänge",
    "Points": "Punkte",
    "Precision": "Genauigkeit",
    "Resolution": "Auflösung",
    "Revision": "Fassung",
    "Revolution": "Drehkörper",
    "Rounds": "Runden",
    "Smallest Part": "Kleinstes Teil",
    "Smoothing": "Glättung",
    "Texture": "Textur",
    "Texture Faces": "Flächen unter Textur",
    "Texture Size": "Texturgröße",
    "Thickness": "Dicke",
    "Threshold": "Schwelle",
    "Tilt": "Neigung",
    "Weights": "Gewichte",
    # What they do
    "Cut-out backend": "Womit freigestellt wird",
    "Depth estimator, for what is made from depth":
        "Womit die Tiefe geschätzt wird, für alles, was daraus entsteht",
    "What refines the front: the picture's depth, or nothing":
        "Was die Vorderseite verfeinert: die Tiefe des Bildes oder nichts",
    "Longest side of the object in metres": "Längste Seite des Objekts in Metern",
    "Triangles at most, 0 keeps all": "Dreiecke höchstens, 0 behält alle",
    "Longest side of the texture in pixels": "Längste Seite der Textur in Pixeln",
    "Splats on the surface": "Splats auf der Oberfläche",
    "Pictures in one turn": "Bilder einer Umdrehung",
    "Pictures per second": "Bilder in der Sekunde",
    "Degrees above the horizon": "Grad über dem Horizont",
    "Distance to the centre in object sizes": "Abstand zur Mitte in Objektgrößen",
    "Degrees, vertical": "Grad, senkrecht",
    "Width and height in pixels, even": "Breite und Höhe in Pixeln, gerade",
    "Network; each has a licence of its own": "Netz; jedes hat seine eigene Lizenz",
    "Fetch weights that are missing": "Fehlende Gewichte laden",
    "ONNX file of a *_custom model, inside rembg's folder":
        "ONNX-Datei eines *_custom-Modells, in rembgs Ordner",
    "Longest side in pixels at which colours are told apart":
        "Längste Seite in Pixeln, bei der Farben unterschieden werden",
    "Times the colour models are improved": "Wie oft die Farbmodelle verbessert werden",
    "Smaller parts go; share of the largest part's area":
        "Kleinere Teile entfallen; Anteil an der Fläche des größten",
    "Folder with the weights, or owner/name": "Ordner mit den Gewichten oder Besitzer/Name",
    "Of owner/name; empty is the one that is pinned":
        "Von Besitzer/Name; leer ist die festgelegte",
    "Pixels of the subject, as in '120,80 300,200'; 20,30,0 is one of the background":
        "Pixel des Motivs, wie '120,80 300,200'; 20,30,0 ist eines des Hintergrunds",
    "Points along a side where it looks for the subject by itself":
        "Punkte je Seite, an denen es das Motiv selbst sucht",
    "Where it runs": "Wo es läuft",
    "Of the picture's encoder; auto is half on a GPU and float32 elsewhere":
        "Des Bild-Encoders; automatisch ist halb auf einer GPU, sonst float32",
    "Folder with the weights, or owner/name, such as Intel/dpt-hybrid-midas":
        "Ordner mit den Gewichten oder Besitzer/Name, wie Intel/dpt-hybrid-midas",
    "Of the network; half precision leaves steps in the depth":
        "Des Netzes; halbe Genauigkeit lässt Stufen in der Tiefe",
    "Folder with the weights, or owner/name; vinvino02/glpn-kitti is for streets":
        "Ordner mit den Gewichten oder Besitzer/Name; vinvino02/glpn-kitti ist für Straßen",
    "Pixels of the longer side that the network sees; 0 is the picture's own":
        "Pixel der längeren Seite, die das Netz sieht; 0 ist die des Bildes",
    "Metres that its scale ends at; 0 is what its configuration says":
        "Meter, bei denen sein Maßstab endet; 0 ist, was seine Konfiguration sagt",
    "Degrees that the subject and its margin take, vertical; 0 takes them from the photograph's "
    "focal length if it is known, else 40":
        "Grad, die das Motiv mit seinem Rand einnimmt, senkrecht; 0 nimmt sie aus der Brennweite "
        "des Fotos, wenn sie bekannt ist, sonst 40",
    "Degrees to tip the object towards the camera where it leans":
        "Grad, um die ein Objekt, das sich neigt, zur Kamera gekippt wird",
    "Grid cells along the subject": "Rasterzellen längs des Motivs",
    "Looks at the picture, mirrored and shifted, that are averaged":
        "Blicke auf das Bild, gespiegelt und verschoben, die gemittelt werden",
    "Solid of revolution: where outline and network agree on one; never; always":
        "Drehkörper: wo Umriss und Netz sich einig sind; nie; immer",
    "Degrees the picture was taken from above; 0 for flat art":
        "Grad, um die von oben fotografiert wurde; 0 für flache Bilder",
    "Degrees that the subject and its margin take, vertical":
        "Grad, die das Motiv mit seinem Rand einnimmt, senkrecht",
    "Grid cells along a square subject; a slim one gets more":
        "Rasterzellen längs eines quadratischen Motivs; ein schlankes bekommt mehr",
    "Depth over width of what is inflated; below 1 for badges and coins":
        "Tiefe zu Breite des Aufgeblasenen; unter 1 für Abzeichen und Münzen",
    "Solid of revolution: where the outline, seen from above, fits one; never; always":
        "Drehkörper: wo der Umriss, von oben gesehen, zu einem passt; nie; immer",
    "Of owner/name; empty is the one that was tested":
        "Von Besitzer/Name; leer ist die geprüfte",
    "Samples of the density along a side": "Proben der Dichte je Seite",
    "Density of the surface; lower is fuller and catches thin parts":
        "Dichte der Oberfläche; weniger ist voller und erfasst dünne Teile",
    "Between samples: log is smooth, density is terraced as in the published implementation":
        "Zwischen Proben: Logarithmus ist glatt, Dichte gestuft wie im veröffentlichten Programm",
    "Marching cubes: own asks few points and closes the surface; torchmcubes asks all, as was "
    "published, and is a package to install":
        "Marching Cubes: eigene fragen wenige Punkte und schließen die Oberfläche; torchmcubes "
        "fragt alle, wie veröffentlicht, und ist ein Paket, das zu installieren ist",
    "Passes that take steps off the surface and keep its volume":
        "Durchgänge, die der Oberfläche Stufen nehmen und ihr das Volumen lassen",
    "Pieces below this part of the largest one's volume are left out":
        "Stücke unter diesem Teil des größten Volumens entfallen",
    "Keep the largest piece alone": "Nur das größte Stück behalten",
    "Bake a texture; else colours stand at the vertices":
        "Eine Textur backen; sonst stehen Farben an den Punkten",
    "Triangles at most under a texture, as unwrapping many takes long; 0 is no such bound":
        "Dreiecke höchstens unter einer Textur, da viele abzuwickeln dauert; 0 ist keine Grenze",
    "Of matrix products; auto is half on a GPU and float32 elsewhere":
        "Der Matrizenprodukte; automatisch ist halb auf einer GPU, sonst float32",
    "Gigabytes that it may take; 0 is what a GPU has free":
        "Gigabyte, die es nehmen darf; 0 ist, was eine GPU frei hat",
    "Degrees that the subject and its margin take, vertical; unused if the depth has a camera":
        "Grad, die das Motiv mit Rand einnimmt, senkrecht; ungenutzt, wenn die Tiefe eine Kamera "
        "hat",
    "What closes it: the front mirrored, or a flat wall":
        "Was es schließt: die gespiegelte Vorderseite oder eine flache Wand",
    "Depth of its sides where the outline is, over the subject's width":
        "Tiefe der Seiten am Umriss, zur Breite des Motivs",
    "Depth of what is seen over the subject's width, where the estimate leaves that open":
        "Tiefe des Gesehenen zur Breite des Motivs, wo die Schätzung das offen lässt",
    "Standard deviations from its neighbours at which a point is stray":
        "Standardabweichungen von den Nachbarn, ab denen ein Punkt verirrt ist",
    "Grid cells of the surface, a side": "Rasterzellen der Oberfläche je Seite",
    "Grid cells that the surface is smoothed over; more for noisy depth":
        "Rasterzellen, über die geglättet wird; mehr bei verrauschter Tiefe",
    # Choices
    "Always": "Immer",
    "Auto": "Automatisch",
    "Automatic": "Automatisch",
    "Density": "Dichte",
    "Flat": "Flach",
    "Log": "Logarithmus",
    "Mirror": "Spiegeln",
    "Never": "Nie",
    "None": "Nichts",
    "Own": "Eigene",
    "The first that can do it": "Das Erste, das es kann",
    # Cut-outs, depth and methods, and when to choose them
    "The picture's own alpha": "Die Transparenz des Bildes",
    "Pictures whose background is transparent already":
        "Bilder, deren Hintergrund schon transparent ist",
    "Photographs of any kind, once a network's weights are on the machine":
        "Fotos aller Art, sobald die Gewichte eines Netzes auf dem Rechner sind",
    "Embedded network": "Eingebautes Netz",
    "Photographs, where no larger network's weights are at hand; needs no download":
        "Fotos, wo kein größeres Netz zur Hand ist; nichts muss geladen werden",
    "No weights needed; good on plain and calm backgrounds, or with a box or a painted mask":
        "Ohne Gewichte; gut vor ruhigem Hintergrund oder mit Rahmen oder gemalter Maske",
    "Pictures of several things, by a box or points; alone it takes the largest in the middle":
        "Bilder mehrerer Dinge, mit Rahmen oder Punkten; sonst das Größte in der Mitte",
    "Depth order of any picture; no metres. 1.4 GB of weights, or 0.5 GB for the hybrid":
        "Tiefenfolge jedes Bildes, ohne Meter. 1,4 GB Gewichte oder 0,5 GB für die gemischte Form",
    "Metres, in rooms (glpn-nyu) and streets (glpn-kitti); 245 MB of weights":
        "Meter, in Räumen (glpn-nyu) und auf Straßen (glpn-kitti); 245 MB Gewichte",
    "Photographs of things, animals, vehicles, furniture; the default, needs no download":
        "Fotos von Dingen, Tieren, Fahrzeugen, Möbeln; das Übliche, nichts muss geladen werden",
    "Inflate": "Aufblasen",
    "Logos, drawings, bottles, vases and other round things; needs no weights":
        "Logos, Zeichnungen, Flaschen, Vasen und andere runde Dinge; ohne Gewichte",
    "Photographs and renderings of single things; 1.7 GB of weights, a minute without a GPU":
        "Fotos und Renderings einzelner Dinge; 1,7 GB Gewichte, ohne GPU eine Minute",
    "Relief": "Relief",
    "Faces, reliefs, fronts of things, where the side that is seen matters; needs depth":
        "Gesichter, Reliefs, Vorderseiten, wo zählt, was man sieht; braucht Tiefe",
    # Notes on the work
    "Aligning depth": "Tiefe wird eingepasst",
    "Asking for things": "Dinge werden gesucht",
    "Asking the field": "Das Feld wird befragt",
    "Baking the texture": "Die Textur wird gebacken",
    "Choosing sheets": "Flächenstücke werden gewählt",
    "Cleaning the edge": "Der Rand wird gesäubert",
    "Cut out": "Freigestellt",
    "Depth of the subject": "Tiefe des Motivs",
    "Dropping floaters": "Schwebendes wird entfernt",
    "Estimating depth": "Tiefe wird geschätzt",
    "Filling the planes": "Die Ebenen werden gefüllt",
    "Frames of the turntable": "Bilder des Drehtellers",
    "Importing": "Programmteile werden geladen",
    "Importing PyTorch": "PyTorch wird geladen",
    "Importing rembg; the first time takes a minute":
        "rembg wird geladen; beim ersten Mal dauert es eine Minute",
    "Loading the network": "Das Netz wird geladen",
    "Looking for the subject": "Das Motiv wird gesucht",
    "Modelling colours": "Farben werden bestimmt",
    "Painting the far side": "Die Rückseite wird bemalt",
    "Painting the front": "Die Vorderseite wird bemalt",
    "Preview": "Vorschau",
    "Reading the weights": "Die Gewichte werden gelesen",
    "Scatter points": "Punkte werden gestreut",
    "Silhouette": "Umriss",
    "Simplify": "Wird vereinfacht",
    "Simplifying": "Wird vereinfacht",
    "Spread the splats evenly": "Splats werden gleichmäßig verteilt",
    "Surface": "Oberfläche",
    "Tilts": "Neigungen",
    "Unwrapping": "Wird abgewickelt",
    "Volume": "Volumen",
}  # fmt: skip
