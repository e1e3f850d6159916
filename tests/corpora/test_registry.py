"""The twelve corpora: every loader reads the published layout, and takes its training part and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from auricle.corpora import report
from auricle.corpora.diets import clips_of_diet, list_diets, load_diet
from auricle.corpora.registry import corpus, list_corpora
from auricle.errors import AuricleError

from . import layouts

LAYOUTS: dict[str, Callable[[Path], None]] = {
    "freefield1010": layouts.freefield1010,
    "wham": layouts.wham,
    "sonyc-ust": layouts.sonyc_ust,
    "musan": layouts.musan,
    "fsd": layouts.fsd,
    "audioset": layouts.audioset,
    "ted-lium": layouts.ted_lium,
    "librispeech": layouts.librispeech,
    "chime5": layouts.chime5,
    "voxceleb": layouts.voxceleb,
    "common-voice": layouts.common_voice,
    "ami": layouts.ami,
}

# Table I of Ogg (2025).
TABLE = {
    "freefield1010": ("non-speech", 21.4, 7690),
    "wham": ("non-speech", 56.6, 20363),
    "sonyc-ust": ("non-speech", 37.6, 13538),
    "musan": ("non-speech", 106.5, 38343),
    "fsd": ("non-speech", 190.2, 72449),
    "audioset": ("non-speech", 4817.2, 1749124),
    "ted-lium": ("speech", 1193.5, 429644),
    "librispeech": ("speech", 897.0, 263095),
    "chime5": ("speech", 1111.9, 400280),
    "voxceleb": ("speech", 308.3, 134000),
    "common-voice": ("speech", 692.4, 435946),
    "ami": ("speech", 792.1, 285143),
}
MARKED = {"wham", "musan", "ted-lium", "chime5", "ami"}  # with ^: cut into non-overlapping 10-second segments


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for layout in LAYOUTS.values():
        layout(root)
    return root


def clips(name: str, root: Path) -> list[tuple[str, float | None, float | None]]:
    """Path below the folder of all data, start and end of each clip."""
    manifest = corpus(name).load(root)
    starts = manifest.column("start") if manifest.has("start") else [None] * len(manifest)
    ends = manifest.column("end") if manifest.has("end") else [None] * len(manifest)
    paths = [file.relative_to(root).as_posix() for file in manifest.files]
    return sorted(zip(paths, starts, ends, strict=True))


def paths(name: str, root: Path) -> list[str]:
    return list(dict.fromkeys(path for path, _, _ in clips(name, root)))


def test_the_table_is_that_of_the_paper() -> None:
    assert list_corpora() == list(TABLE)
    for name, expected in TABLE.items():
        entry = corpus(name)
        assert (entry.domain, entry.paper_hours, entry.paper_clips) == expected
        assert entry.cut == (name in MARKED)
        assert entry.cut == (abs(entry.paper_clips / 360 - entry.paper_hours) < 0.06 and name in MARKED)


def test_the_sums_are_those_of_the_paper() -> None:
    last = report.as_text([corpus(name) for name in list_corpora()]).splitlines()[-3:]
    assert [line.split() for line in last] == [
        ["all", "non-speech", "5,229.5", "1,901,507"],
        ["all", "speech", "4,995.2", "1,948,108"],
        ["all", "10,224.7", "3,849,615"],
    ]


def test_json_has_what_others_need() -> None:
    listed = json.loads(report.as_json([corpus(name) for name in list_corpora()]))
    assert [entry["name"] for entry in listed] == list(TABLE)
    for entry in listed:
        assert {"name", "domain", "paper_hours", "paper_clips", "licence", "source"} <= entry.keys()
        assert all(entry.values()) or entry["cut_seconds"] is None


def test_freefield1010_is_all_of_it(root: Path) -> None:
    assert paths("freefield1010", root) == ["freefield1010/wav/2525.wav", "freefield1010/wav/64486.wav"]


def test_wham_is_the_training_split_cut(root: Path) -> None:
    place = "high_res_wham/audio/a.wav"
    assert clips("wham", root) == [(place, 0.0, 10.0), (place, 10.0, 20.0)]  # 25 s; 9.9 s are too short for one


@pytest.mark.parametrize("below", ["audio", "audio-4"])
def test_sonyc_ust_has_each_recording_of_several_annotators_once(tmp_path: Path, below: str) -> None:
    layouts.sonyc_ust(tmp_path, below=below)
    names = [Path(path).name for path in paths("sonyc-ust", tmp_path)]
    assert names == ["00_000066.wav", "01_000111.wav"]


def test_musan_has_its_speech_unless_asked_not_to(root: Path) -> None:
    entry = corpus("musan")
    assert entry.without_speech is not None
    whole, without = entry.load(root), entry.without_speech(root)
    assert (len(whole), len(without)) == (2 + 1 + 3, 2 + 1)
    assert not any("speech" in path for path in without.column("path"))


@pytest.mark.parametrize("below", [True, False])
def test_the_fsd_superset_has_each_recording_of_freesound_once(tmp_path: Path, below: bool) -> None:
    layouts.fsd(tmp_path, below=below)
    names = [Path(path).stem for path in paths("fsd", tmp_path)]
    # 1 is in both; 3 is for validation, 4 for evaluation; 10 is in FSDnoisy18k already; Flickr's is its own.
    assert sorted(names) == ["00097e21", "001ec0ad", "1", "10", "11", "2"]


def test_audioset_leaves_evaluation_and_validation_out(root: Path) -> None:
    found = paths("audioset", root)
    assert "AudioSet/unbalanced_train_segments/unb.wav" in found
    assert not any("eval_segments" in path for path in found)
    assert 10 <= len(found) < 21  # about a tenth of the balanced set is for validation


def test_ted_lium_is_whole_training_talks_of_both_releases(root: Path) -> None:
    found = clips("ted-lium", root)
    talk = "TEDLIUM_release2/train/sph/AlGore_2009.sph"
    assert [clip for clip in found if "TEDLIUM" in clip[0]] == [(talk, s, s + 10.0) for s in (0.0, 10.0, 20.0)]
    talks = [path for path, _, _ in found if "mtedx" in path]
    assert talks == [f"mtedx/{x}-{x}/data/train/wav/abc.flac" for x in ("ar", "de", "el", "es", "fr", "it", "pt", "ru")]


def test_librispeech_is_its_three_training_parts(root: Path) -> None:
    parts = ("train-clean-100", "train-clean-360", "train-other-500")
    assert paths("librispeech", root) == [
        f"LibriSpeech/{part}/103/1240/103-1240-000{number}.flac" for part in parts for number in range(2)
    ]


@pytest.mark.parametrize("release", ["CHiME5", "CHiME6"])
def test_chime5_has_every_microphone_of_the_training_sessions(tmp_path: Path, release: str) -> None:
    layouts.chime5(tmp_path, release=release)
    found = clips("chime5", tmp_path)
    files = [f"{release}/audio/train/S03_{name}.wav" for name in ("P09", "U01.CH1", "U01.CH2")]
    assert found == [(file, start, start + 10.0) for file in files for start in (0.0, 10.0)]


def test_voxceleb_is_the_training_list(root: Path) -> None:
    assert paths("voxceleb", root) == ["VoxCeleb1/wav/id10001/1zcIwhmdeo4/00001.wav"]


def test_common_voice_is_the_training_list_of_the_one_release(root: Path, tmp_path: Path) -> None:
    names = [Path(path).name for path in paths("common-voice", root)]
    assert names == ["common_voice_en_1.mp3", "common_voice_en_2.mp3"]
    for release in ("cv-corpus-5.1-2020-06-22", "cv-corpus-6.1-2020-12-11"):
        layouts.common_voice(tmp_path, release=release)
    with pytest.raises(
        AuricleError, match=r"several releases \(cv-corpus-5\.1-2020-06-22, cv-corpus-6\.1-2020-12-11\)"
    ):
        corpus("common-voice").load(tmp_path)
    assert len(corpus("common-voice").load(tmp_path / "cv-corpus-6.1-2020-12-11")) == 2


def test_ami_has_headsets_and_first_array_of_the_training_meetings(root: Path) -> None:
    found = clips("ami", root)
    assert {path for path, _, _ in found} == {
        f"amicorpus/ES2002a/audio/ES2002a.{name}.wav" for name in ("Headset-0", "Headset-1", "Array1-01", "Array1-02")
    }
    assert len(found) == 4 * 3


@pytest.mark.parametrize("name", TABLE)
def test_a_corpus_that_is_not_there_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(AuricleError, match="expected ") as error:
        corpus(name).load(tmp_path)
    assert "\n" not in str(error.value)


def test_an_unknown_name_says_what_is_near() -> None:
    with pytest.raises(AuricleError, match=r"no corpus named librispech; did you mean librispeech\?"):
        corpus("librispech")


def test_ours_stands_beside_the_papers(tmp_path: Path) -> None:
    layouts.librispeech(tmp_path)
    (tmp_path / "LibriSpeech" / "train-clean-100" / "103" / "1240" / "103-1240-0001.flac").unlink()
    copy = report.measure_corpus(corpus("librispeech"), tmp_path)
    assert (len(copy.manifest), copy.hours) == (5, pytest.approx(5 * 14 / 3600))
    assert report.describe(copy).splitlines()[1:] == [
        "  the paper: 263,095 clips, 897.0 h; here are 0.0% of its hours",
        "  missing: train-clean-100/103/1240/103-1240-0001.flac",
    ]
    with pytest.raises(AuricleError, match=r"103-1240-0001\.flac is listed but not there"):
        corpus("librispeech").load(tmp_path)


def test_recordings_that_cannot_be_read_are_named(root: Path, tmp_path: Path) -> None:
    layouts.musan(tmp_path)
    (tmp_path / "musan" / "music" / "fma" / "broken.wav").write_bytes(b"no sound")
    copy = report.measure_corpus(corpus("musan"), tmp_path, without_speech=True)
    assert (len(copy.manifest), copy.hours) == (3, pytest.approx(30 / 3600))
    assert copy.absent == ["music/fma/broken.wav cannot be decoded: Format not recognised"]


def test_diets_are_those_of_the_paper(root: Path) -> None:
    assert list_diets() == ["all", "non-speech", "speech"]
    for name in list_diets():
        domains = {corpus(part).domain for part in load_diet(name).corpora}
        assert domains == ({name} if name != "all" else {"speech", "non-speech"})
    assert list(load_diet("all").corpora) == list(TABLE)
    found = clips_of_diet(load_diet("all"), root)
    assert set(found.manifest.column("corpus")) == set(TABLE) and not found.absent
    assert len(found.manifest) == sum(len(clips(name, root)) for name in TABLE)
    assert all(file.is_file() for file in found.manifest.files)


def test_all_corpora_that_a_diet_lacks_are_named_at_once(root: Path, tmp_path: Path) -> None:
    for name in ("LibriSpeech", "musan"):
        (tmp_path / name).symlink_to(root / name)
    with pytest.raises(AuricleError) as said:
        clips_of_diet(load_diet("all"), tmp_path)
    first, *lines = str(said.value).splitlines()
    assert first == "10 of 12 corpora of the diet all cannot be used:"
    assert [line.split(":")[0].strip() for line in lines] == [
        name for name in TABLE if name not in ("librispeech", "musan")
    ]
    assert "download from https://" in lines[0]


def test_a_diet_weights_its_corpora_and_may_leave_musans_speech_out(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\ncorpora: {musan: 3, Common_Voice: 0.5}\nmusan_speech: false\n")
    manifest = clips_of_diet(load_diet(tmp_path / "mine.yaml"), root).manifest
    weights = set(zip(manifest.column("corpus"), manifest.column("weight"), strict=True))
    assert weights == {("musan", 3.0), ("common-voice", 0.5)}
    assert len(manifest) == 3 + 2
    (tmp_path / "mine.yaml").write_text("name: mine\ncorpora: {musan: 0}\n")
    with pytest.raises(AuricleError, match=r"mine: `corpora\.musan` is 0"):
        load_diet(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("name: mine\ncorpora: {libri: 1}\n")
    with pytest.raises(AuricleError, match="no corpus named libri"):
        load_diet(tmp_path / "mine.yaml")
