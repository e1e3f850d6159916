"""Files of strangers hold numbers and text, never code: whatever would run on being read is refused, and does not run.

Weight files of PyTorch (``.pth``) are in tests/models/test_importing.py.
"""

import ast
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import auricle
from auricle import results
from auricle.embedding import read_embeddings
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.registry import load
from auricle.packing.reader import open_pack
from auricle.pretraining.recipe import load_recipe
from auricle.stages import Finished
from auricle.study.definition import load_study
from auricle.training import load_state
from auricle.transfer.clip_sets import ClipSet, Embedded
from auricle.transfer.saved_probe import load_probe
from auricle.transfer.task_source import own_task

pytestmark = pytest.mark.fuzz
SOURCE = Path(auricle.__file__).parent


class RunsCode:
    """What leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Path]:
    """What exists once code has run; no test may leave it."""
    path = tmp_path / "code has run"
    yield path
    assert not path.exists()


def test_what_these_tests_write_would_run(tmp_path: Path, trace: Path) -> None:
    pickle.loads(pickle.dumps(RunsCode(trace)))
    assert trace.exists()
    trace.rmdir()
    np.save(tmp_path / "x.npy", np.array([RunsCode(trace)]), allow_pickle=True)
    np.load(tmp_path / "x.npy", allow_pickle=True)
    assert trace.exists()
    trace.rmdir()
    torch.save(RunsCode(trace), tmp_path / "x.bin")
    torch.load(tmp_path / "x.bin", weights_only=False)
    assert trace.exists()
    trace.rmdir()


def saved_model(folder: Path) -> Path:
    load("byola-2020-512").save_pretrained(folder)
    return folder


def probe_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "probe.json").write_text(json.dumps({"format": 1}))
    return folder


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "weights by themselves": ("model.safetensors", lambda file: load(file)),
    "weights of a folder": ("model.safetensors", lambda file: load(file.parent)),
    "a training state": ("step-000000001.safetensors", load_state),
    "a probe": ("probe.safetensors", lambda file: load_probe(file.parent)),
    "YAMNet of Keras": ("yamnet.h5", lambda file: load(f"yamnet={file}")),
    "YAMNet of TensorFlow Lite": ("yamnet.tflite", lambda file: load(f"yamnet={file}")),
    "embeddings": ("x.parquet", read_embeddings),
    "scores": ("x.parquet", results.read),
    "a table of clips": ("x.parquet", Manifest.read),
    "the index of a pack": ("index.arrow", lambda file: open_pack(file.parent)),
    "the description of a pack": ("pack.json", lambda file: open_pack(file.parent)),
}


def as_pickle(code: object) -> bytes:
    return pickle.dumps(code)


def as_torch_file(code: object) -> bytes:
    file = io.BytesIO()
    torch.save(code, file)
    return file.getvalue()


def as_array(code: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([code]), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("written", [as_pickle, as_torch_file, as_array])
def test_code_in_the_place_of_numbers_is_refused(
    kind: str, written: Callable[[object], bytes], tmp_path: Path, trace: Path
) -> None:
    name, read = READERS[kind]
    folder = tmp_path / "given"
    if "folder" in kind:
        saved_model(folder)
    elif kind == "a probe":
        probe_folder(folder)
    else:
        folder.mkdir()
    if "index" in kind:
        info = {"format": "auricle-pack", "version": 1, "complete": True, "shards": [], "clips": 0, "files": 0}
        (folder / "pack.json").write_text(json.dumps(info))
    (folder / name).write_bytes(written(RunsCode(trace)))
    with pytest.raises(AuricleError) as refused:
        read(folder / name)
    assert name in str(refused.value) or str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("written", [as_pickle, as_torch_file])
def test_code_in_the_weights_of_a_hub_model_is_refused(
    written: Callable[[object], bytes], tmp_path: Path, trace: Path
) -> None:
    from models.hub_models import transformers_folder

    folder = transformers_folder("wavlm", tmp_path / "wavlm")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(written(RunsCode(trace)))
    with pytest.raises(AuricleError, match=r"the weights in .*wavlm cannot be read"):
        load(folder)


def test_code_beside_a_hub_model_is_not_run(tmp_path: Path, trace: Path) -> None:
    from models.hub_models import transformers_folder

    folder = transformers_folder("wavlm", tmp_path / "wavlm")
    program = f"import os\nos.mkdir({str(trace)!r})\nfrom transformers import WavLMConfig, WavLMModel\n"
    (folder / "own.py").write_text(program)
    values = json.loads((folder / "config.json").read_text())
    values["auto_map"] = {"AutoConfig": "own.WavLMConfig", "AutoModel": "own.WavLMModel"}
    (folder / "config.json").write_text(json.dumps(values))
    assert load(folder).embedding_dim == 32


def test_a_hub_datasets_script_is_not_run(tmp_path: Path, trace: Path) -> None:
    pytest.importorskip("datasets")
    from auricle.transfer.hub_dataset import hub_manifest

    folder = tmp_path / "sounds"
    folder.mkdir()
    (folder / "sounds.py").write_text(f"import os\nos.mkdir({str(trace)!r})\n")
    with pytest.raises(AuricleError, match="cannot be loaded"):
        hub_manifest(str(folder), tmp_path / "cache")


def test_code_among_finished_embeddings_is_not_run(tmp_path: Path, trace: Path) -> None:
    rows = [{"path": f"{number}.wav", "label": "ab"[number % 2]} for number in range(12)]
    manifest = Manifest.from_rows(rows, root=tmp_path)
    task = own_task(manifest, "own")
    for name in ("vectors.npy", "clips.npy"):
        np.save(tmp_path / "vectors.npy", np.zeros((12, 2), np.float32))
        np.save(tmp_path / "clips.npy", np.arange(12))
        np.save(tmp_path / name, np.array([RunsCode(trace)]), allow_pickle=True)
        stage = Finished(tmp_path, {"rejected": 0}, 0.0, cached=True)
        found = Embedded(None, ClipSet("own", manifest, {"own": np.arange(12)}, ""), stage)  # type: ignore[type-var]
        with pytest.raises(ValueError, match=r"allow_pickle=False|Python objects"):
            found.of(task)


@pytest.mark.parametrize("read", [load_recipe, load_study])
def test_code_in_a_recipe_is_not_run(read: Callable[[Path], object], tmp_path: Path, trace: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"name: !!python/object/apply:os.mkdir [{str(trace)!r}]\n")
    with pytest.raises(AuricleError, match="is not valid YAML"):
        read(path)
    with pytest.raises(AuricleError):
        load_recipe("byola-2022", [f"name=!!python/object/apply:os.mkdir [{str(trace)!r}]"])


# --- and in the source


RUNS_CODE = {  # calls that run what they read
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "marshal.loads",
    "shelve.open",
    "joblib.load",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "eval",
    "exec",
}
MUST_BE = {"weights_only": True, "allow_pickle": False, "trust_remote_code": False}


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", ast.unparse(node.func), node


def test_nothing_in_auricle_reads_what_could_run() -> None:
    wrong = []
    for place, name, call in calls():
        given = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
        wrong += [f"{place}: {name}" for word, must in MUST_BE.items() if word in given and given[word] is not must]
        if name in RUNS_CODE or (name == "torch.load" and given.get("weights_only") is not True):
            wrong.append(f"{place}: {name}")
    assert not wrong
    assert any(name == "torch.load" for _, name, _ in calls())


def test_a_command_refuses_a_strangers_model_with_one_sentence(tmp_path: Path, trace: Path) -> None:
    folder = saved_model(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(as_torch_file(RunsCode(trace)))
    shutil.copy(folder / "model.safetensors", tmp_path / "x.wav")
    command = [sys.executable, "-m", "auricle", "embed", folder, tmp_path / "x.wav", "--out", tmp_path / "o.parquet"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"auricle: {folder / 'model.safetensors'} is damaged or no safetensors file")
    assert done.stderr.count("\n") == 1
