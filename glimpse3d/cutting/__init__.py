"""From a rough idea of where a subject is to its cut-out: what several cut-outs compute with."""
