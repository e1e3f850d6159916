"""Released weights: half the size, the same for all, loaded by name and without a network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file
from typer.testing import CliRunner

import auricle
from auricle.cli import app
from auricle.errors import AuricleError
from auricle.models import registry, releasing
from auricle.models.byola import BYOLA2022, BYOLA2022Config
from auricle.models.conformer import Conformer, ConformerConfig
from auricle.models.releasing import release


def trained() -> BYOLA2022:
    torch.manual_seed(0)
    encoder = BYOLA2022(BYOLA2022Config(channels=8, mlp_hidden=64), mean=-7.0, std=4.0).eval()
    encoder.trunk.features[1].running_var.fill_(0.3)
    return encoder


def test_a_release_is_half_as_large_and_hears_nearly_the_same(tmp_path: Path) -> None:
    encoder = trained()
    encoder.save_pretrained(tmp_path / "whole")
    given = release(
        encoder, tmp_path / "half", name="byola-2022.half", licence="CC0-1.0", data="noise", about="## Ears"
    )
    whole, half = ((tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half"))
    assert half < 0.6 * whole
    again = auricle.load(tmp_path / "half")
    assert again.name == "byola-2022.half" and again.card.licence == "CC0-1.0"
    assert again.weights_fingerprint == given.weights_fingerprint != encoder.weights_fingerprint
    sound = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    np.testing.assert_array_equal(again.embed(sound), given.embed(sound))
    np.testing.assert_allclose(again.embed(sound), encoder.embed(sound), rtol=0.01, atol=0.01)
    held = load_file(tmp_path / "half" / "model.safetensors")
    assert held["trunk.fc.0.weight"].dtype == torch.float16
    assert held["trunk.features.1.running_var"].dtype == torch.float32  # 0.3 has no 16 bits
    card = (tmp_path / "half" / "README.md").read_text()
    assert "## Ears" in card and 'auricle.load("byola-2022.half")' in card


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    encoder = trained()
    with torch.no_grad():
        encoder.trunk.fc[0].weight[0, 0] = 1e6
    with pytest.raises(AuricleError, match=r"trunk\.fc\.0\.weight has values beyond their range"):
        release(encoder, tmp_path / "half", name="x", licence="CC0-1.0", data="noise")


def test_what_comes_with_auricle_loads_by_name_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(releasing, "WEIGHTS", tmp_path)
    monkeypatch.setattr(registry, "_entries", {})
    given = release(
        trained(), tmp_path / "byola-2022.ours", name="byola-2022.ours", licence="CC-BY-4.0", data="2 h of noise"
    )
    registry.register_released()
    entry = registry.entry("byola-2022.ours")
    assert (entry.licence, entry.description) == ("CC-BY-4.0", "pre-trained on 2 h of noise")
    assert (entry.parameters, entry.embedding_dim) == (given.parameters_count, given.embedding_dim)
    assert registry.load("byola-2022.ours").weights_fingerprint == given.weights_fingerprint


def test_the_command_writes_what_can_be_loaded(tmp_path: Path) -> None:
    trained().save_pretrained(tmp_path / "whole")
    (tmp_path / "about.md").write_text("## Scores\n\nnone")
    arguments = ["release", str(tmp_path / "whole"), "--name", "byola-2022.mine", "--licence", "CC0-1.0"]
    arguments += ["--data", "noise", "--about", str(tmp_path / "about.md"), "--out", str(tmp_path / "mine")]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    assert auricle.load(tmp_path / "mine").card.about == "## Scores\n\nnone"


def test_a_conformer_may_be_released_with_its_first_layers_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    Conformer(ConformerConfig(dim=32, layers=4, heads=4, feed_forward=64)).save_pretrained(tmp_path / "whole")
    trained().save_pretrained(tmp_path / "other")

    def run(model: str) -> Result:
        arguments = ["release", str(tmp_path / model), "--name", "conformer-small.short", "--licence", "CC0-1.0"]
        return CliRunner().invoke(
            app, [*arguments, "--data", "noise", "--layers", "2", "--out", str(tmp_path / "short")]
        )

    ran = run("whole")
    assert ran.exit_code == 0, ran.output
    short = auricle.load(tmp_path / "short")
    assert isinstance(short, Conformer) and short.config.layers == 2
    sound = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    layer = auricle.load(tmp_path / "whole").layers(torch.from_numpy(sound)[None])["layer2"].detach().mean(dim=1)[0]
    np.testing.assert_allclose(short.embed(sound), layer, rtol=0.01, atol=0.01)
    refused = run("other")
    assert isinstance(refused.exception, AuricleError) and "--layers is for conformers" in str(refused.exception)
