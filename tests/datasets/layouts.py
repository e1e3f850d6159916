"""Tiny copies of the published folder layouts, of silent files, for the loaders' tests."""

import json
from pathlib import Path

import numpy as np
import soundfile


def silence(path: Path, *, seconds: float = 0.01) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(16000 * seconds), dtype=np.int16), 16000)


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def esc50(root: Path, *, suffix: str = ".wav") -> None:
    names = ["1-100032-A-0", "2-100038-A-14", "3-100038-B-14", "4-5-A-0", "5-6-A-14"]
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for name in names:
        fold, source, take, target = name.split("-")
        category, esc10 = ("dog", True) if target == "0" else ("chirping_birds", False)
        rows.append(f"{name}.wav,{fold},{target},{category},{esc10},{source},{take}")
        silence(root / "ESC-50-master" / "audio" / f"{name}{suffix}")
    text(root / "ESC-50-master" / "meta" / "esc50.csv", *rows)


def urbansound8k(root: Path) -> None:
    rows = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    for fold in range(1, 11):
        name = f"{1000 + fold}-3-0-0.wav"
        rows.append(f"{name},{1000 + fold},0.0,0.5,{1 + fold % 2},{fold},3,dog_bark")
        silence(root / "UrbanSound8K" / "audio" / f"fold{fold}" / name)
    text(root / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv", *rows)


def speech_commands(root: Path) -> None:
    folder = root / "speech_commands"
    for speaker, word, take in [("aa", "yes", 0), ("aa", "no", 0), ("aa", "no", 1), ("bb", "yes", 0), ("cc", "no", 0)]:
        silence(folder / word / f"{speaker}_nohash_{take}.wav")
    silence(folder / "_background_noise_" / "pink_noise.wav")
    text(folder / "validation_list.txt", "yes/bb_nohash_0.wav")
    text(folder / "testing_list.txt", "no/cc_nohash_0.wav")


def vctk(root: Path) -> None:
    folder = root / "VCTK-Corpus-0.92"
    text(
        folder / "speaker-info.txt",
        "ID  AGE  GENDER  ACCENTS  REGION COMMENTS",
        "p225  23  F    English    Southern  England",
        "p280  25  F    Unknown    France (mic2 files unavailable)",
        "p315  18  M    American   New  England (text files unavailable)",
    )
    for speaker, utterances in {"p225": ["001", "025", "026", "050", "051"], "p280": ["001"], "p315": ["366"]}.items():
        for utterance in utterances:
            recording = f"{speaker}_{utterance}"
            for microphone in ["mic1"] if speaker == "p280" else ["mic1", "mic2"]:
                silence(folder / "wav48_silence_trimmed" / speaker / f"{recording}_{microphone}.flac")
            if speaker != "p315":
                text(folder / "txt" / speaker / f"{recording}.txt", "Please call Stella.")
    silence(folder / "wav48_silence_trimmed" / "s5" / "s5_100_mic1.flac")


def nsynth(root: Path, *, below: str = "nsynth") -> None:
    notes = {
        "train": [("bass_synthetic_033", "bass", "synthetic", 22, 25)],
        "valid": [("guitar_acoustic_015", "guitar", "acoustic", 60, 127)],
        "test": [("guitar_acoustic_015", "guitar", "acoustic", 72, 50)],
    }
    for split, facts in notes.items():
        folder = root / below / f"nsynth-{split}"
        examples = {}
        for instrument, family, source, pitch, velocity in facts:
            note = f"{instrument}-{pitch:03d}-{velocity:03d}"
            examples[note] = {
                "note_str": note,
                "pitch": pitch,
                "velocity": velocity,
                "instrument_str": instrument,
                "instrument_family_str": family,
                "instrument_source_str": source,
                "qualities_str": [],
            }
            silence(folder / "audio" / f"{note}.wav")
        text(folder / "examples.json", json.dumps(examples))


def ava_speech(root: Path, *, films: int = 55, gone: int = 1) -> None:
    folder = root / "AVA-Speech"
    lines = []
    for number in range(films):
        film = f"film{number:03d}"
        lines += [
            f"{film},900.00,903.50,NO_SPEECH",
            f"{film},903.50,904.00,CLEAN_SPEECH",
            f"{film},904.00,906.00,SPEECH_WITH_MUSIC",
        ]
        if number >= gone:
            silence(folder / f"{film}.wav")
    text(folder / "ava_speech_labels_v1.csv", *lines)


def digits(root: Path) -> None:
    rows = ["path,label,speaker,take,split"]
    for digit, take, split in [(0, 0, "test"), (1, 5, "valid"), (2, 10, "train")]:
        rows.append(f"audio/{digit}_george_{take}.wav,{digit},george,{take},{split}")
        silence(root / "digits" / "audio" / f"{digit}_george_{take}.wav")
    text(root / "digits" / "manifest.csv", *rows)


def emodb(root: Path) -> None:
    rows = ["path,label,speaker,sex,text_code"]
    sexes = dict.fromkeys(["03", "10", "11", "12", "15"], "m") | dict.fromkeys(["08", "09", "13", "14", "16"], "f")
    for speaker, sex in sexes.items():
        rows.append(f"audio/{speaker}a01Fa.wav,happiness,{speaker},{sex},a01")
        silence(root / "emodb" / "audio" / f"{speaker}a01Fa.wav")
    text(root / "emodb" / "manifest.csv", *rows)


def digits_by_speakers(root: Path) -> None:
    rows = ["path,label,speaker,take,split"]
    for speaker in ("george", "jackson", "lucas", "nicolas", "theo", "yweweler"):
        for digit, take, split in [(0, 0, "test"), (1, 5, "valid"), (2, 10, "train")]:
            rows.append(f"audio/{digit}_{speaker}_{take}.wav,{digit},{speaker},{take},{split}")
            silence(root / "digits" / "audio" / f"{digit}_{speaker}_{take}.wav")
    text(root / "digits" / "manifest.csv", *rows)


def speech_commands_twelve(root: Path) -> None:
    folder, tests = root / "speech_commands", root / "speech_commands_test_set_v0.02"
    for word in ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "marvin"):
        silence(folder / word / "aa_nohash_0.wav")
        silence(folder / word / "bb_nohash_0.wav")
        silence(folder / word / "cc_nohash_0.wav")
        silence(tests / (word if word != "marvin" else "_unknown_") / "cc_nohash_0.wav")
    silence(tests / "_silence_" / "0.wav", seconds=1.0)
    silence(folder / "_background_noise_" / "pink_noise.wav", seconds=2.25)
    silence(folder / "_background_noise_" / "running_tap.wav", seconds=1.5)
    text(folder / "validation_list.txt", "yes/bb_nohash_0.wav", "marvin/bb_nohash_0.wav")
    text(folder / "testing_list.txt", "yes/cc_nohash_0.wav")


def voxceleb1(root: Path) -> None:
    folder = root / "VoxCeleb1"
    listed = ["1 id10001/1zcIwhmdeo4/00001.wav", "2 id10001/7gWzIy6yIIk/00001.wav", "3 id10270/5r0dWxy17C8/00001.wav"]
    for line in listed:
        silence(folder / "wav" / line.partition(" ")[2])
    text(folder / "iden_split.txt", *listed)
    text(
        folder / "vox1_meta.csv",
        "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet",
        "id10001\tA.J._Buckley\tm\tIreland\tdev",
    )


def voxforge(root: Path) -> None:
    for language, archive in [
        ("de", "ralfherzog-20080122-de38"),
        ("de", "guenter-20140214-afn"),
        ("en", "anonymous-20080425-aik"),
        ("en", "anonymous-20100907-wkb"),
        ("ru", "mwisconsin-20100108-xyz"),
    ]:
        silence(root / "voxforge" / language / archive / ("flac" if language == "ru" else "wav") / "b0001.wav")
        text(root / "voxforge" / language / archive / "etc" / "PROMPTS", "b0001 TEXT")


def crema_d(root: Path) -> None:
    for actor in range(1001, 1092):
        silence(root / "CREMA-D" / "AudioWAV" / f"{actor}_IEO_HAP_LO.wav")
    silence(root / "CREMA-D" / "AudioWAV" / "1001_DFA_NEU_XX.wav")


def gtzan(root: Path) -> None:
    for genre in ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"):
        for number in ("00029", "00054", "00099"):
            silence(root / "genres" / genre / f"{genre}.{number}.wav")
            (root / "genres" / genre / f"._{genre}.{number}.wav").write_bytes(b"Mac OS X")  # in the archive, too
    for name, line in {"train": "blues/blues.00029.wav", "valid": "jazz/jazz.00054.wav", "test": "rock.00099"}.items():
        text(root / "genres" / f"{name}_filtered.txt", line)


def surge(root: Path) -> None:
    for patch in ("Bass 1-velocity64", "Lead 2-velocity64"):
        for note in (21, 60, 108):
            silence(root / "surge" / patch / f"{note}.ogg")


def fsd50k(root: Path) -> None:
    folder = root / "FSD50K"
    text(
        folder / "FSD50K.ground_truth" / "dev.csv",
        "fname,labels,mids,split",
        '64760,"Electric_guitar,Guitar,Music","/m/02sgy,/m/0342h,/m/04rlf",train',
        "16399,Music,/m/04rlf,val",
    )
    text(folder / "FSD50K.ground_truth" / "eval.csv", "fname,labels,mids", "37199,Guitar,/m/0342h")
    # As released, without a header line.
    text(
        folder / "FSD50K.ground_truth" / "vocabulary.csv",
        "0,Electric_guitar,/m/02sgy",
        "1,Guitar,/m/0342h",
        "2,Music,/m/04rlf",
    )
    silence(folder / "FSD50K.dev_audio" / "64760.wav")
    silence(folder / "FSD50K.dev_audio" / "16399.wav")
    silence(folder / "FSD50K.eval_audio" / "37199.wav")


MTT_TAGS = (  # noqa: SIM905
    "guitar,classical,slow,techno,strings,drums,electronic,rock,fast,piano,ambient,beat,violin,vocal,synth,female,"
    "indian,opera,male,singing,vocals,no vocals,harpsichord,loud,quiet,flute,woman,male vocal,no vocal,pop,soft,sitar,"
    "solo,man,classic,choir,voice,new age,dance,male voice,female vocal,beats,harp,cello,no voice,weird,country,metal,"
    "female voice,choral"
).split(",")


def magnatagatune(root: Path) -> None:
    folder = root / "magnatagatune"
    columns = ["clip_id", "medieval", *sorted(MTT_TAGS), "mp3_path"]  # of 188 tags
    clips = {
        "0/american_bach_soloists-heinrich_schutz-01-psalm-0-29.mp3": {"choir", "medieval"},
        "b/american_bach_soloists-heinrich_schutz-01-psalm-30-59.mp3": {"choral"},
        "c/william_brooke-karma_dogs-02-vampires-59-88.mp3": {"rock", "guitar"},
        "d/william_brooke-karma_dogs-02-vampires-88-117.mp3": {"medieval"},
        "f/william_brooke-karma_dogs-03-others-0-29.mp3": {"no vocals"},
        # Three files of the release hold nothing; this is one.
        "6/norine_braun-now_and_zen-08-gently-117-146.mp3": {"rock"},
    }
    lines = ["\t".join(columns)]
    for number, (path, tags) in enumerate(clips.items()):
        lines.append("\t".join([str(number), *("1" if tag in tags else "0" for tag in columns[1:-1]), path]))
        silence(folder / path)
    (folder / "6" / "norine_braun-now_and_zen-08-gently-117-146.mp3").write_bytes(b"")
    text(folder / "annotations_final.csv", *lines)


def audioset(root: Path) -> None:
    folder = root / "AudioSet"
    text(
        folder / "class_labels_indices.csv",
        "index,mid,display_name",
        '0,/m/09x0r,"Speech"',
        '1,/m/05zppz,"Male speech, man speaking"',
        '2,/m/04rlf,"Music"',
    )
    head = "# Segments csv created Sun Mar  5 10:54:31 2017"
    for part, name, lines in [
        (
            "balanced_train_segments",
            "# num_ytids=22160, num_segs=22176, num_unique_labels=527, num_positive_labels=52882",
            [
                '--4gqARaEJE, 0.000, 10.000, "/m/09x0r,/m/04rlf"',
                '-0SdAVK79lg, 30.000, 40.000, "/m/05zppz"',
                '00000000gon, 0.000, 10.000, "/m/04rlf"',
            ],
        ),
        (
            "unbalanced_train_segments",
            "# num_ytids=2041789, num_segs=2042985, num_unique_labels=527, num_positive_labels=4020212",
            ['---1_cCGK4M, 0.000, 10.000, "/m/04rlf"'],
        ),
        (
            "eval_segments",
            "# num_ytids=20371, num_segs=20371, num_unique_labels=527, num_positive_labels=51804",
            ['YzYzYzYzYzY, 30.000, 40.000, "/m/09x0r"'],
        ),
    ]:
        text(folder / f"{part}.csv", head, name, "# YTID, start_seconds, end_seconds, positive_labels", *lines)
    silence(folder / "balanced_train_segments" / "--4gqARaEJE.wav")
    silence(folder / "balanced_train_segments" / "Y-0SdAVK79lg.wav")
    silence(folder / "unbalanced_train_segments" / "part00" / "---1_cCGK4M_0_10000.wav")
    silence(folder / "eval_segments" / "YzYzYzYzYzY_30.000_40.000.wav")


BUILD = {
    "esc50": esc50,
    "urbansound8k": urbansound8k,
    "speech-commands": speech_commands,
    "vctk": vctk,
    "nsynth": nsynth,
    "ava-speech": ava_speech,
    "ava-speech-limited": ava_speech,
    "ava-speech-frames": ava_speech,
    "digits": digits,
    "digits-speakers": digits_by_speakers,
    "emodb": emodb,
    "speech-commands-12": speech_commands_twelve,
    "voxceleb1": voxceleb1,
    "voxforge": voxforge,
    "crema-d": crema_d,
    "gtzan": gtzan,
    "nsynth-pitch": nsynth,
    "surge": surge,
    "fsd50k": fsd50k,
    "magnatagatune": magnatagatune,
    "audioset-balanced": audioset,
    "audioset": audioset,
}
