"""Acoustic descriptors: one number per clip for each property of its sound that has a name and a unit.

Six families, one file each: level, spectral shape, spectral variability, harmonicity, envelope, modulation. Values over
time are summarised by their median and inter-quartile range, as in the Timbre Toolbox (Peeters et al. 2011).
"""

from auricle.explain.descriptors.entry import Descriptor
from auricle.explain.descriptors.registry import COLUMNS, DESCRIPTORS, VERSION, columns_of, describe, list_descriptors
from auricle.explain.descriptors.sound import SAMPLE_RATE

__all__ = [
    "COLUMNS",
    "DESCRIPTORS",
    "SAMPLE_RATE",
    "VERSION",
    "Descriptor",
    "columns_of",
    "describe",
    "list_descriptors",
]
