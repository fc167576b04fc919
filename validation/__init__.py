"""Experiments, measurements and expectations; read through :mod:`metaflammation.library`."""
