"""Tiny copies of the published layouts of the twelve corpora, as their publishers and readers describe them."""

from pathlib import Path

import numpy as np
import soundfile


def sound(path: Path, *, seconds: float = 0.02, rate: int = 16000, channels: int = 1, **options: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros((round(rate * seconds), channels), dtype=np.int16), rate, **options)


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def freefield1010(root: Path) -> None:
    text(
        root / "freefield1010" / "ff1010bird_metadata_2018.csv",
        "itemid,datasetid,hasbird",
        "64486,ff1010bird,0",
        "2525,ff1010bird,1",
    )
    for item in (64486, 2525):
        sound(root / "freefield1010" / "wav" / f"{item}.wav", seconds=10, rate=4410)


def wham(root: Path) -> None:
    folder = root / "high_res_wham"
    text(
        folder / "high_res_metadata.csv",
        "Filename,Location ID,File Length (sec),Day Recorded,WHAM! Split,L to R Width (cm)",
        "a.wav,1,25.0,Friday,Train,17",
        "b.wav,1,9.9,Friday,Train,17",
        "c.wav,2,30.0,Sunday,Valid,17",
        "d.wav,3,30.0,Sunday,Test,17",
    )
    for name, seconds in {"a": 25.0, "b": 9.9, "c": 30.0, "d": 30.0}.items():
        sound(folder / "audio" / f"{name}.wav", seconds=seconds, rate=4800, channels=2)


def sonyc_ust(root: Path, *, below: str = "audio") -> None:
    folder = root / "SONYC-UST"
    header = "split,sensor_id,audio_filename,annotator_id,year,week,day,hour,borough,block,latitude,longitude"
    rows = [("train", "00_000066.wav", 7), ("train", "00_000066.wav", 8), ("train", "01_000111.wav", 7)]
    rows += [("validate", "02_000222.wav", 1), ("test", "03_000333.wav", 1)]
    text(
        folder / "annotations.csv",
        header,
        *(f"{split},0,{name},{annotator},2019,1,2,3,1,500,40.7,-73.9" for split, name, annotator in rows),
    )
    for _, name, _ in rows:
        sound(folder / below / name)


def musan(root: Path) -> None:
    for part, subset, name, seconds in (
        ("music", "fma", "music-fma-0000", 21.0),
        ("noise", "free-sound", "noise-free-sound-0000", 4.0),
        ("noise", "sound-bible", "noise-sound-bible-0000", 12.0),
        ("speech", "librivox", "speech-librivox-0000", 30.0),
    ):
        sound(root / "musan" / part / subset / f"{name}.wav", seconds=seconds)
    text(root / "musan" / "music" / "fma" / "ANNOTATIONS", "music-fma-0000 pop Y somebody")


def fsd(root: Path, *, below: bool = True) -> None:
    """FSD50K and both others; Freesound's recordings 1–4 are in FSD50K, 3 and 4 outside its training part."""
    fsd50k = root / "FSD50K"
    text(fsd50k / "FSD50K.ground_truth" / "vocabulary.csv", "0,Bark,/m/05tny_", "1,Rain,/m/06mb1")
    text(fsd50k / "FSD50K.ground_truth" / "dev.csv", "fname,labels,mids,split", *_dev())
    text(fsd50k / "FSD50K.ground_truth" / "eval.csv", "fname,labels,mids", "4,Rain,/m/06mb1")
    for name in (1, 2, 3):
        sound(fsd50k / "FSD50K.dev_audio" / f"{name}.wav")
    sound(fsd50k / "FSD50K.eval_audio" / "4.wav")
    noisy = root / "FSDnoisy18k" if below else root
    text(
        noisy / "FSDnoisy18k.meta" / "train.csv",
        "fname,label,aso_id,manually_verified,noisy_small",
        *(f"{name}.wav,Rain,/m/06mb1,0,0" for name in (1, 3, 10, 11)),
    )
    text(noisy / "FSDnoisy18k.meta" / "test.csv", "fname,label,aso_id", "12.wav,Rain,/m/06mb1")
    for name in (1, 3, 10, 11):
        sound(noisy / "FSDnoisy18k.audio_train" / f"{name}.wav")
    sound(noisy / "FSDnoisy18k.audio_test" / "12.wav")
    kaggle = root / "FSDKaggle2019" if below else root
    text(
        kaggle / "FSDKaggle2019.meta" / "train_curated_post_competition.csv",
        "fname,labels,freesound_id,license",
        *(
            f'{name}.wav,"Bark,Rain",{number},CC0'
            for name, number in (("0006ae4e", 4), ("0019ef41", 10), ("001ec0ad", 20))
        ),
    )
    text(
        kaggle / "FSDKaggle2019.meta" / "train_noisy_post_competition.csv",
        "fname,labels,flickr_video_URL,license",
        "00097e21.wav,Bark,https://example.org/1,CC-BY",
    )
    text(
        kaggle / "FSDKaggle2019.meta" / "test_post_competition.csv", "fname,labels,freesound_id", "4260ebea.wav,Bark,21"
    )
    for part, names in (("train_curated", ("0006ae4e", "0019ef41", "001ec0ad")), ("train_noisy", ("00097e21",))):
        for name in names:
            sound(kaggle / f"FSDKaggle2019.audio_{part}" / f"{name}.wav")
    sound(kaggle / "FSDKaggle2019.audio_test" / "4260ebea.wav")


def _dev() -> list[str]:
    return ["1,Bark,/m/05tny_,train", '2,"Bark,Rain","/m/05tny_,/m/06mb1",train', "3,Rain,/m/06mb1,val"]


def audioset(root: Path) -> None:
    folder = root / "AudioSet"
    text(folder / "class_labels_indices.csv", "index,mid,display_name", '0,/m/09x0r,"Speech"')
    for part, videos in (
        ("eval", ["eva"]),
        ("balanced_train", [f"bal{n}" for n in range(20)]),
        ("unbalanced_train", ["unb"]),
    ):
        lines = ["# Segments csv", "# num_ytids=1", "# YTID, start_seconds, end_seconds, positive_labels"]
        lines += [f'{video}, 30.000, 40.000, "/m/09x0r"' for video in videos]
        text(folder / f"{part}_segments.csv", *lines)
        for video in videos:
            sound(folder / f"{part}_segments" / f"{video}.wav")


def ted_lium(root: Path) -> None:
    release = root / "TEDLIUM_release2"
    for part, talk, seconds in (
        ("train", "AlGore_2009", 32.0),
        ("dev", "BillGates_2010", 20.0),
        ("test", "X_2010", 20.0),
    ):
        sound(release / part / "sph" / f"{talk}.sph", seconds=seconds, format="NIST", subtype="PCM_16")
        text(release / part / "stm" / f"{talk}.stm", f"{talk} 1 {talk} 15.8 20.1 <o,f0,male> good morning")
    for language in ("ar", "de", "el", "es", "fr", "it", "pt", "ru"):
        data = root / "mtedx" / f"{language}-{language}" / "data"
        sound(data / "train" / "wav" / "abc.flac", seconds=11.0, rate=4800)
        sound(data / "valid" / "wav" / "def.flac", seconds=11.0, rate=4800)
        text(data / "train" / "txt" / "segments", "abc_0001 abc 0.00 1.00")
    sound(root / "mtedx" / "es-en" / "data" / "train" / "wav" / "abc.flac", seconds=11.0, rate=4800)


def librispeech(root: Path) -> None:
    folder = root / "LibriSpeech"
    for part in ("train-clean-100", "train-clean-360", "train-other-500", "dev-clean", "test-other"):
        chapter = folder / part / "103" / "1240"
        text(chapter / "103-1240.trans.txt", "103-1240-0000 CHAPTER ONE", "103-1240-0001 MISSUS RACHEL")
        for number in range(2):
            sound(chapter / f"103-1240-000{number}.flac", seconds=14.0, rate=1600)


def chime5(root: Path, *, release: str = "CHiME5") -> None:
    folder = root / release
    for part, session in (("train", "S03"), ("dev", "S02"), ("eval", "S01")):
        sound(folder / "audio" / part / f"{session}_P09.wav", seconds=20.0, rate=1600, channels=2)
        for channel in (1, 2):
            sound(folder / "audio" / part / f"{session}_U01.CH{channel}.wav", seconds=20.0, rate=1600)
        text(folder / "transcriptions" / part / f"{session}.json", "[]")


def voxceleb(root: Path) -> None:
    folder = root / "VoxCeleb1"
    lines = ["1 id10001/1zcIwhmdeo4/00001.wav", "2 id10001/7gWzIy6yIIk/00001.wav", "3 id10270/5r0dWxy17C8/00001.wav"]
    text(folder / "iden_split.txt", *lines)
    for line in lines:
        sound(folder / "wav" / line.split()[1])


def common_voice(root: Path, *, release: str = "cv-corpus-5.1-2020-06-22") -> None:
    folder = root / release / "en"
    header = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccent"
    for part, names in (("train", ["common_voice_en_1", "common_voice_en_2"]), ("test", ["common_voice_en_3"])):
        rows = [f'id\t{name}.mp3\t"Quoted, and never closed.\t2\t0\t\t\t' for name in names]
        text(folder / f"{part}.tsv", header, *rows)
        for name in names:
            sound(folder / "clips" / f"{name}.mp3", rate=16000, seconds=0.3)


def ami(root: Path) -> None:
    for meeting in ("ES2002a", "EN2002a", "ES2011b"):  # training, evaluation, development
        folder = root / "amicorpus" / meeting / "audio"
        for name in ("Headset-0", "Headset-1", "Mix-Headset", "Array1-01", "Array1-02", "Array2-01", "Lapel-0"):
            sound(folder / f"{meeting}.{name}.wav", seconds=31.0, rate=1600)
