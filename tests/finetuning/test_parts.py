"""The parts of fine-tuning: learning rates by depth, mixup, masks, a head that is one linear layer."""

import numpy as np
import pytest
import torch

from auricle import randomness
from auricle.errors import AuricleError
from auricle.finetuning.augmentation import MaskedFrontEnd, mask_log_mel, mixup
from auricle.finetuning.classifier import Classifier, parameter_groups
from auricle.finetuning.recipe import SpecAugment, make_recipe
from auricle.mel import MelRecipe
from auricle.models import registry
from auricle.models.byola import BYOLA2022, BYOLA2022Config


def small() -> BYOLA2022:
    torch.manual_seed(0)
    return BYOLA2022(BYOLA2022Config(mel=MelRecipe(n_mels=16), channels=4, mlp_hidden=8))


def test_learning_rates_fall_by_one_factor_per_layer() -> None:
    classifier = Classifier(small(), outputs=3, exclusive=True)
    groups = parameter_groups(classifier, layer_decay=0.5, weight_decay=0.01)
    share = {id(parameter): group["share"] for group in groups for parameter in group["params"]}
    decay = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    trunk = classifier.encoder.trunk  # type: ignore[union-attr]
    assert share[id(classifier.linear.weight)] == share[id(classifier.norm.bias)] == 1.0
    assert share[id(trunk.fc[3].weight)] == 0.5
    assert share[id(trunk.fc[0].bias)] == 0.25
    assert share[id(trunk.features[4].weight)] == share[id(trunk.features[5].weight)] == 0.125
    assert share[id(trunk.features[0].weight)] == 0.0625
    assert decay[id(trunk.features[0].weight)] == 0.01 and decay[id(trunk.features[1].weight)] == 0.0
    assert set(share) == {id(parameter) for parameter in classifier.parameters()}


@pytest.mark.parametrize("name", [name for name in registry.list_models() if 0 < registry.entry(name).parameters < 2e7])
def test_every_model_with_weights_can_be_fine_tuned(name: str) -> None:
    try:
        encoder = registry.load(name)
    except AuricleError as error:  # published weights that are not on this machine
        pytest.skip(str(error))
    classifier = Classifier(encoder, outputs=2, exclusive=True)
    classifier(0.1 * torch.randn(2, encoder.min_samples + 800), torch.eye(2)).backward()
    groups = parameter_groups(classifier, layer_decay=0.9, weight_decay=0.0)
    trained = [parameter for group in groups for parameter in group["params"]]
    assert all(parameter.grad is not None for parameter in trained)
    assert {id(p) for p in trained} == {id(p) for p in classifier.parameters() if p.requires_grad}
    assert sum(parameter.numel() for parameter in trained) > 0.8 * registry.entry(name).parameters


def test_mixup_mixes_sound_and_targets_by_the_same_share() -> None:
    waveform, targets = torch.eye(8), torch.eye(8)  # every clip is its own class
    index = torch.arange(16, 24)
    mixed, wanted = mixup(waveform, targets, index, alpha=0.4, seed=1)
    assert torch.equal(mixed, wanted)
    assert torch.allclose(wanted.sum(dim=1), torch.ones(8))
    assert bool(((wanted > 0).sum(dim=1) <= 2).all()) and bool((wanted.amax(dim=1) < 1).any())
    again, _ = mixup(waveform, targets, index, alpha=0.4, seed=1)
    other, _ = mixup(waveform, targets, index + 8, alpha=0.4, seed=1)
    assert torch.equal(mixed, again) and not torch.equal(mixed, other)


def test_shares_of_mixup_are_those_of_a_beta_distribution() -> None:
    targets = torch.stack([torch.ones(4000), torch.zeros(4000)], dim=1)
    targets[2000:] = targets[2000:].flip(1)
    _, wanted = mixup(targets, targets, torch.arange(4000), alpha=0.3, seed=0)
    crossed = wanted[(wanted > 0).all(dim=1)]
    # Var(Beta(a, a)) = 1 / (4 (2 a + 1))
    assert float(crossed[:, 0].var()) == pytest.approx(1 / (4 * 1.6), rel=0.1)


def test_masks_are_whole_bands_and_stretches_of_the_clips_mean() -> None:
    torch.manual_seed(0)
    log_mel = torch.randn(200, 40, 100)
    settings = SpecAugment(frequency_masks=1, frequency_width=0.25, time_masks=1, time_width=0.1)
    key = randomness.keys(0, "test", torch.arange(200))
    masked = mask_log_mel(log_mel, key, settings)
    changed = masked != log_mel
    assert torch.allclose(masked[changed], log_mel.mean(dim=(1, 2))[:, None, None].expand_as(log_mel)[changed])
    bands, frames = changed.all(dim=2).sum(dim=1), changed.all(dim=1).sum(dim=1)
    assert int(bands.max()) == 10 and int(frames.max()) == 10  # a quarter of the bands, a tenth of the frames
    # Widths are uniform from 0 to the limit: half of it on average, clip by clip.
    assert float(bands.float().mean()) == pytest.approx(5, rel=0.15)
    assert float(frames.float().mean()) == pytest.approx(5, rel=0.15)


def test_masks_fall_within_training_batches_only() -> None:
    encoder = small().eval()
    waveform = 0.1 * torch.randn(2, 16_000)
    plain = encoder(waveform)
    settings = SpecAugment(frequency_masks=2, frequency_width=0.5)
    with MaskedFrontEnd(encoder, settings, seed=0) as masked:
        assert torch.equal(encoder(waveform), plain)
        masked.next(torch.arange(2))
        assert not torch.allclose(encoder(waveform), plain)
        assert torch.equal(encoder(waveform), plain)  # as in validation
    masked.next(torch.arange(2))
    assert torch.equal(encoder(waveform), plain)


def test_masks_need_a_spectrogram() -> None:
    encoder = registry.load("byola-2020-512")
    del encoder.log_mel
    with pytest.raises(AuricleError, match="no log-mel front end for SpecAugment"):
        MaskedFrontEnd(encoder, SpecAugment(time_masks=1), seed=0)


def test_the_head_is_one_linear_layer() -> None:
    classifier = Classifier(small(), outputs=3, exclusive=True)
    embedding = 5 + 2 * torch.randn(64, classifier.encoder.embedding_dim)
    for _ in range(20):
        classifier.logits(embedding)  # the batch-norm sees some
    torch.nn.init.normal_(classifier.norm.weight)
    torch.nn.init.normal_(classifier.norm.bias)
    classifier.eval()
    weight, bias = classifier.folded_head()
    assert torch.allclose(embedding @ weight.T + bias, classifier.logits(embedding), atol=1e-4)


@torch.no_grad()
def test_losses_are_cross_entropies() -> None:
    waveform = 0.1 * torch.randn(4, 16_000)
    one_of = Classifier(small(), outputs=3, exclusive=True).eval()
    targets = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.3, 0.7, 0]])
    probabilities = torch.softmax(one_of.logits(one_of.encoder(waveform)), dim=1)
    assert float(one_of(waveform, targets)) == pytest.approx(
        float(-(targets * probabilities.log()).sum() / 4), rel=1e-4
    )
    any_of = Classifier(small(), outputs=3, exclusive=False).eval()
    p = torch.sigmoid(any_of.logits(any_of.encoder(waveform)))
    expected = -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()
    assert float(any_of(waveform, targets)) == pytest.approx(float(expected), rel=1e-4)


def test_results_say_what_departs_from_the_defaults() -> None:
    plain = make_recipe(model="byola-2022", task="digits", fold=2)
    assert plain.label_of_protocol == "fine-tuning"
    assert make_recipe(["workers=7"], model="m", task="t").label_of_protocol == "fine-tuning"
    changed = make_recipe(["mixup=0.3", "specaugment.time_masks=2"], model="m", task="t")
    assert changed.label_of_protocol == "fine-tuning (mixup=0.3, specaugment.time_masks=2)"
    assert np.isclose(changed.mixup, 0.3)
