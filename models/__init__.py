"""Data of the catalogue models; read through :mod:`metaflammation.library`."""
