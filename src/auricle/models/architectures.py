"""Every encoder class by the name that config.json calls it."""

from auricle.models.byola import BYOLA2020, BYOLA2022
from auricle.models.conformer import Conformer, ConformerLarge
from auricle.models.controls import LogMelStats, MFCCStats
from auricle.models.encoder import Encoder
from auricle.models.hub_encoder import HubEncoder
from auricle.models.pooled import Pooled
from auricle.models.yamnet import YAMNet

ARCHITECTURES: dict[str, type[Encoder]] = {
    family.architecture: family
    for family in (BYOLA2022, BYOLA2020, Conformer, ConformerLarge, YAMNet, HubEncoder, Pooled, LogMelStats, MFCCStats)
}
