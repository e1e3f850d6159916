"""Small valid files of every format that Auricle reads, and of those that libsndfile opens under any name."""

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

from .mutations import restore_page_checksums

RATE = 16_000
HERTZ, SECONDS = 440.0, 0.4

# name: (libsndfile's format, its coding, channels)
LIBSNDFILE = {
    "pcm16.wav": ("WAV", "PCM_16", 1),
    "pcm8.wav": ("WAV", "PCM_U8", 1),
    "pcm24.wav": ("WAV", "PCM_24", 2),
    "pcm32.wav": ("WAV", "PCM_32", 1),
    "float.wav": ("WAV", "FLOAT", 2),
    "double.wav": ("WAV", "DOUBLE", 1),
    "ulaw.wav": ("WAV", "ULAW", 1),
    "ima.wav": ("WAV", "IMA_ADPCM", 2),
    "ms.wav": ("WAV", "MS_ADPCM", 1),
    "gsm.wav": ("WAV", "GSM610", 1),
    "g721.wav": ("WAV", "G721_32", 1),
    "nms.wav": ("WAV", "NMS_ADPCM_16", 1),
    "extensible.wav": ("WAVEX", "PCM_24", 6),
    "rf64.wav": ("RF64", "PCM_16", 2),
    "pcm16.flac": ("FLAC", "PCM_16", 2),
    "pcm24.flac": ("FLAC", "PCM_24", 1),
    "vorbis.ogg": ("OGG", "VORBIS", 2),
    "opus.opus": ("OGG", "OPUS", 1),
    "layer3.mp3": ("MP3", "MPEG_LAYER_III", 2),
    "pcm16.aiff": ("AIFF", "PCM_16", 2),
    "float.aif": ("AIFF", "FLOAT", 1),
    "dwvw.aiff": ("AIFF", "DWVW_16", 1),
    "pcm16.au": ("AU", "PCM_16", 1),
    "g723.au": ("AU", "G723_24", 1),
    # What a file holds decides how it is read, not how it is called.
    "really-w64.wav": ("W64", "PCM_16", 1),
    "really-caf.wav": ("CAF", "ALAC_16", 1),
    "really-voc.wav": ("VOC", "PCM_16", 1),
    "really-nist.wav": ("NIST", "PCM_16", 1),
    "really-ircam.wav": ("IRCAM", "PCM_16", 1),
    "really-mat4.wav": ("MAT4", "PCM_16", 1),
    "really-mat5.wav": ("MAT5", "PCM_16", 1),
    "really-svx.wav": ("SVX", "PCM_16", 1),
    "really-paf.wav": ("PAF", "PCM_24", 1),
    "really-pvf.wav": ("PVF", "PCM_16", 1),
    "really-avr.wav": ("AVR", "PCM_16", 1),
    "really-sds.wav": ("SDS", "PCM_16", 1),
    "really-xi.wav": ("XI", "DPCM_16", 1),
}
# name: (FFmpeg's format, its encoder)
FFMPEG = {
    "aac.m4a": ("ipod", "aac"),
    "alac.m4a": ("ipod", "alac"),
    "aac.mp4": ("mp4", "aac"),
    "adts.aac": ("adts", "aac"),
    "opus.webm": ("webm", "libopus"),
    "flac.mkv": ("matroska", "flac"),
    "mp3.mkv": ("matroska", "libmp3lame"),
}
RATES = {"gsm.wav": 8000, "nms.wav": 8000, "g721.wav": 8000, "g723.au": 8000, "opus.webm": 48_000}


def sine(rate: int, channels: int = 1) -> np.ndarray:
    """float32 (frames, channels)."""
    time = np.arange(round(SECONDS * rate)) / rate
    return np.repeat((0.4 * np.sin(2 * np.pi * HERTZ * time)).astype(np.float32)[:, None], channels, axis=1)


def by_libsndfile(name: str) -> bytes:
    container, coding, channels = LIBSNDFILE[name]
    rate = RATES.get(name, RATE)
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, channels, coding, format=container) as writer:
        writer.write(sine(rate, channels))
    return file.getvalue()


def by_ffmpeg(name: str) -> bytes:
    container, codec = FFMPEG[name]
    rate = RATES.get(name, RATE)
    file = io.BytesIO()
    with av.open(file, "w", format=container) as writer:
        stream = writer.add_stream(codec, rate=rate, layout="mono")
        wanted = stream.format.name
        samples = sine(rate)[:, 0]
        converter = av.AudioResampler(format=wanted, layout="mono", rate=rate, frame_size=stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for piece in [*converter.resample(frame), *converter.resample(None)]:
            writer.mux(stream.encode(piece))
        writer.mux(stream.encode(None))
    return file.getvalue()


def originals() -> dict[str, bytes]:
    """The content of every file by its name."""
    return {name: by_libsndfile(name) for name in LIBSNDFILE} | {name: by_ffmpeg(name) for name in FFMPEG}


def real_originals(data: Path) -> dict[str, bytes]:
    """Some short real recordings, among them those that libsndfile refuses."""
    chosen = sorted((data / "odd").glob("*_[01].ogg"))
    for folder in ("ESC-50-master/audio", "speech_commands", "nsynth", "digits", "emodb", "unlabelled"):
        found = sorted(path for path in (data / folder).rglob("*.ogg") if path.stat().st_size < 60_000)
        chosen += found[:: max(1, len(found) // 3)][:3]
    return {f"{number:02d}-{path.name}": path.read_bytes() for number, path in enumerate(chosen)}


# --- headers that promise 2^40 samples


def promising(frames: int = 1 << 40) -> dict[str, bytes]:
    """Files of a second whose headers promise `frames` samples, or as many as their format can say."""
    sizes = struct.pack("<QQQ", frames * 4 + 72, frames * 4, frames)
    rf64 = bytearray(by_libsndfile("rf64.wav"))
    at = rf64.index(b"ds64") + 8
    rf64[at : at + 24] = sizes
    w64 = bytearray(by_libsndfile("really-w64.wav"))
    at = w64.index(b"data\xf3\xac\xd3\x11") + 16
    w64[at : at + 8] = struct.pack("<Q", frames * 2 + 24)
    flac = bytearray(by_libsndfile("pcm16.flac"))
    flac[21] |= 0x0F  # the 36 bits of STREAMINFO that count samples (RFC 9639, section 8.2)
    flac[22:26] = b"\xff\xff\xff\xff"
    ogg = {}
    for name in ("vorbis.ogg", "opus.opus"):
        content = bytearray(by_libsndfile(name))
        at = content.rindex(b"OggS")
        content[at + 6 : at + 14] = struct.pack("<Q", frames)
        restore_page_checksums(content)
        ogg[name] = bytes(content)
    caf = bytearray(by_libsndfile("really-caf.wav"))
    at = caf.index(b"pakt") + 12 + 8
    caf[at : at + 8] = struct.pack(">Q", frames)
    mp4 = bytearray(by_ffmpeg("aac.m4a"))
    for name, place in ((b"mvhd", 20), (b"mdhd", 20)):
        at = mp4.index(name) + place
        mp4[at : at + 4] = b"\x7f\xff\xff\xff"
    wav = bytearray(by_libsndfile("pcm16.wav"))
    wav[40:44] = b"\xff\xff\xff\xff"
    aiff = bytearray(by_libsndfile("pcm16.aiff"))
    at = aiff.index(b"COMM") + 10
    aiff[at : at + 4] = b"\xff\xff\xff\xff"
    return {
        "rf64.wav": bytes(rf64),
        "w64.wav": bytes(w64),
        "year.flac": bytes(flac),
        "vorbis.ogg": ogg["vorbis.ogg"],
        "opus.opus": ogg["opus.opus"],
        "caf.wav": bytes(caf),
        "aac.m4a": bytes(mp4),
        "wav.wav": bytes(wav),
        "aiff.aiff": bytes(aiff),
    }
