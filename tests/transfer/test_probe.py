import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, r2_score
from torch import nn

from auricle import randomness
from auricle.errors import AuricleError
from auricle.transfer.probe import ProbeData, ProbeSettings, every_configuration, train_probes

N, DIM, CLASSES = 230, 12, 4


@pytest.fixture(scope="module")
def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    targets = torch.multinomial(torch.tensor([0.5, 0.25, 0.15, 0.1]), N, replacement=True, generator=generator)
    centres = torch.randn(CLASSES, DIM, generator=generator)
    x = 5.0 + torch.linspace(0.1, 3.0, DIM) * (centres[targets] + torch.randn(N, DIM, generator=generator))
    return x, targets


def two_folds_of_unequal_size(seeds: tuple[int, ...] = (0, 1)) -> list[ProbeData]:
    rows = np.arange(N)
    return [
        ProbeData(train, valid, seed, fold)
        for seed in seeds
        for fold, train, valid in [
            (1, rows[:100], rows[200:]),
            (2, rows[30:200], rows[:30]),
            (3, rows[:128], rows[200:]),
        ]
    ]


def textbook_probe(
    x: torch.Tensor, targets: torch.Tensor, data: ProbeData, kind: str, outputs: int, settings: ProbeSettings
) -> tuple[torch.Tensor, int, list[float]]:
    """The same recipe in plain torch, one probe at a time; weight and bias side by side, best epoch, losses."""
    train, valid = torch.from_numpy(data.train), torch.from_numpy(data.valid)
    if settings.standardise:
        x = (x - x[train].mean(0)) / x[train].std(0, correction=0)
    if kind == "regression":
        targets = (targets - targets[train].mean()) / targets[train].std(correction=0)
    descends = settings.optimiser == "descent"
    x = x / x.shape[1] ** 0.5 if descends else x
    layer = nn.Linear(x.shape[1], outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    if kind in ("binary", "multi-label") and not settings.class_weighted:
        share = (targets[train].view(len(train), -1).sum(0) + 0.5) / (len(train) + 1)
        with torch.no_grad():
            layer.bias.copy_(torch.logit(share))
    weight = torch.ones(max(outputs, 2))
    if settings.class_weighted and kind in ("multi-class", "binary"):
        counts = torch.bincount(targets[train], minlength=max(outputs, 2))
        weight = len(train) / (len(counts) * counts)

    def loss_of(rows: torch.Tensor) -> torch.Tensor:
        logits = layer(x[rows])
        if kind == "regression":
            return nn.functional.mse_loss(logits[:, 0], targets[rows])
        if kind == "multi-label":
            return nn.functional.binary_cross_entropy_with_logits(logits, targets[rows].float())
        if kind == "multi-class":
            loss = nn.functional.cross_entropy(logits, targets[rows], weight=weight)
            return loss / outputs if settings.loss_over_classes else loss
        each = weight[targets[rows]]
        loss = nn.functional.binary_cross_entropy_with_logits(
            logits[:, 0], targets[rows].float(), weight=each, reduction="sum"
        )
        return loss / each.sum()

    def score_of(rows: torch.Tensor) -> float:
        logits = layer(x[rows]).numpy()
        if kind == "multi-class":
            return float((logits.argmax(1) == targets[rows].numpy()).mean())
        if kind == "regression":
            return float(r2_score(targets[rows], logits[:, 0]))
        return float(average_precision_score(targets[rows].numpy(), logits))

    rate, decay = data.learning_rate, data.weight_decay
    rate = settings.learning_rate if rate is None else rate
    groups = [
        {"params": [layer.weight], "weight_decay": settings.weight_decay if decay is None else decay},
        {"params": [layer.bias], "lr": 0.1 * rate if descends else rate},
    ]
    optimiser = torch.optim.SGD(groups, lr=rate, momentum=0.9) if descends else torch.optim.Adam(groups, lr=rate)
    # torch lets `patience` epochs pass and reduces after one more.
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=settings.reduction, patience=(settings.patience or 10**6) - 1, threshold=0.0, eps=0.0
    )
    best, best_epoch, highest, losses = torch.empty(0), -1, -np.inf, []
    for epoch in range(settings.epochs):
        order = train[randomness.permutation(data.seed, f"probe order, fold {data.fold}", epoch, len(train))]
        for batch in torch.split(order, settings.batch_size):
            optimiser.zero_grad()
            loss_of(batch).backward()
            optimiser.step()
        with torch.no_grad():
            losses.append(float(loss_of(valid)))
            by_score = settings.select_by == "score"
            score = score_of(valid) if by_score else -losses[-1]
        if score > highest or (by_score and score >= highest):
            best_epoch, highest = epoch, score
            best = torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach().clone()
        plateau.step(-score)
        if settings.early_stopping is not None and epoch - best_epoch >= settings.early_stopping:
            break
    return best, best_epoch, losses


@pytest.mark.parametrize("classes", [CLASSES, 1])
@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("class_weighted", [True, False])
def test_probes_trained_together_are_those_of_plain_torch_one_by_one(
    data: tuple[torch.Tensor, torch.Tensor], classes: int, standardise: bool, class_weighted: bool
) -> None:
    x, targets = data
    targets = targets if classes > 1 else (targets == 2).long()
    kind = "multi-class" if classes > 1 else "binary"
    # So high a learning rate that the validation loss turns and the plateau comes.
    settings = ProbeSettings(
        epochs=25,
        learning_rate=0.1,
        batch_size=32,
        patience=3,
        standardise=standardise,
        class_weighted=class_weighted,
    )
    probes = two_folds_of_unequal_size((0,))
    trained = train_probes(x, targets, probes, kind=kind, outputs=classes, settings=settings)
    reduced = 0
    for index, probe in enumerate(probes):
        expected, best_epoch, losses = textbook_probe(x, targets, probe, kind, classes, settings)
        assert trained.best_epoch[index] == best_epoch
        assert trained.valid_loss[:, index].tolist() == pytest.approx(losses, rel=1e-3)
        rows = torch.arange(N)
        seen = x
        if standardise:
            train = x[torch.from_numpy(probe.train)]
            seen = (x - train.mean(0)) / train.std(0, correction=0)
        logits = seen @ expected[:, :-1].T + expected[:, -1]
        assert torch.allclose(trained.logits(index, x, rows.numpy()), logits, rtol=2e-3, atol=2e-3)
        reduced += best_epoch < settings.epochs - settings.patience
    assert reduced > 0


def of_kind(kind: str, targets: torch.Tensor) -> tuple[torch.Tensor, int]:
    if kind == "binary":
        return (targets == 2).long(), 1
    if kind == "multi-label":
        return torch.stack([targets == 0, targets >= 1, targets % 2 == 1], dim=1), 3
    if kind == "regression":
        generator = torch.Generator().manual_seed(1)
        return 40.0 + 7.0 * targets + torch.randn(N, generator=generator), 1
    return targets, CLASSES


@pytest.mark.parametrize("kind", ["multi-class", "binary", "multi-label", "regression"])
@pytest.mark.parametrize("select_by", ["loss", "score"])
def test_a_grid_that_stops_early_is_that_of_plain_torch_one_by_one(
    data: tuple[torch.Tensor, torch.Tensor], kind: str, select_by: str
) -> None:
    settings = ProbeSettings(
        epochs=25,
        learning_rate=(0.003, 0.1),
        weight_decay=(0.0, 0.3),
        batch_size=50,
        patience=None,
        early_stopping=4,
        class_weighted=False,
        standardise=True,
        select_by=select_by,
        loss_over_classes=True,
    )
    assert_all_as_in_plain_torch(data, kind, settings)


@pytest.mark.parametrize("kind", ["multi-class", "binary", "multi-label", "regression"])
@pytest.mark.parametrize("dim", [12, 400])  # fewer than training clips, and more: then in their span
def test_descent_is_torchs_with_momentum_in_the_span_of_few_clips_too(
    data: tuple[torch.Tensor, torch.Tensor], kind: str, dim: int
) -> None:
    x, targets = data
    if dim > x.shape[1]:
        generator = torch.Generator().manual_seed(2)
        further = torch.randn(N, dim - x.shape[1], generator=generator)
        x = torch.cat([x, 3.0 + further + further.roll(1, dims=1)], dim=1)
    settings = ProbeSettings(
        epochs=25,
        learning_rate=(0.1, 1.0),
        weight_decay=(0.0, 0.05),
        batch_size=50,
        patience=None,
        early_stopping=3,
        class_weighted=kind == "binary",
        standardise=True,
        optimiser="descent",
    )
    assert_all_as_in_plain_torch((x, targets), kind, settings)


def assert_all_as_in_plain_torch(data: tuple[torch.Tensor, torch.Tensor], kind: str, settings: ProbeSettings) -> None:
    x, classes = data
    targets, outputs = of_kind(kind, classes)
    probes = [probe for part in two_folds_of_unequal_size((0,)) for probe in every_configuration(part, settings)]
    trained = train_probes(x, targets, probes, kind=kind, outputs=outputs, settings=settings)
    lengths = []
    for index, probe in enumerate(probes):
        expected, best_epoch, losses = textbook_probe(x, targets, probe, kind, outputs, settings)
        assert trained.best_epoch[index] == best_epoch
        own = trained.valid_loss[:, index]
        assert own[~own.isnan()].tolist() == pytest.approx(losses, rel=1e-3)
        train = torch.from_numpy(probe.train)
        seen = (x - x[train].mean(0)) / x[train].std(0, correction=0)
        seen = seen / x.shape[1] ** 0.5 if settings.optimiser == "descent" else seen
        wanted = seen @ expected[:, :-1].T + expected[:, -1]
        if kind == "regression":
            wanted = wanted * targets[train].std(correction=0) + targets[train].mean()
        assert torch.allclose(trained.logits(index, x, np.arange(N)), wanted, rtol=3e-3, atol=3e-3)
        lengths.append(len(losses))
    assert settings.optimiser == "descent" or min(lengths) < max(lengths)
    assert len(trained.valid_loss) == max(lengths)


def test_a_learning_rate_that_runs_away_is_left_out(data: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, classes = data
    targets, _ = of_kind("regression", classes)
    settings = ProbeSettings(
        epochs=60, learning_rate=(0.1, 1e30), standardise=True, optimiser="descent", early_stopping=50
    )
    probes = every_configuration(two_folds_of_unequal_size((0,))[1], settings)
    trained = train_probes(x, targets, probes, kind="regression", outputs=1, settings=settings)
    assert torch.isfinite(trained.weight[0]).all()
    assert trained.valid_score[0] > trained.valid_score[1] == -torch.inf
    with pytest.raises(AuricleError, match="not finite"):
        train_probes(x, targets, probes[1:], kind="regression", outputs=1, settings=settings)


def test_stacks_that_memory_divides_train_the_same_probes(
    data: tuple[torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ProbeSettings(epochs=6, learning_rate=(0.01, 0.1, 0.3), early_stopping=2, standardise=True)
    probes = [probe for part in two_folds_of_unequal_size((0,)) for probe in every_configuration(part, settings)]
    whole = train_probes(*data, probes, kind="multi-class", outputs=CLASSES, settings=settings)
    monkeypatch.setattr("auricle.transfer.probe._STATE_BYTES", 2 * 4 * 5 * CLASSES * DIM)  # two probes at a time
    monkeypatch.setattr("auricle.transfer.features._READY_BYTES", 0)
    monkeypatch.setattr("auricle.transfer.probe_stack._LOGITS", 100)
    divided = train_probes(*data, probes, kind="multi-class", outputs=CLASSES, settings=settings)
    assert torch.allclose(whole.weight, divided.weight, atol=1e-4)
    assert whole.best_epoch == divided.best_epoch
    assert torch.allclose(whole.valid_score, divided.valid_score, atol=1e-4)


def test_a_probe_does_not_depend_on_its_neighbours(data: tuple[torch.Tensor, torch.Tensor]) -> None:
    probes = two_folds_of_unequal_size((0, 1, 2))
    settings = ProbeSettings(epochs=5, batch_size=32, learning_rate=0.01)
    together = train_probes(*data, probes, kind="multi-class", outputs=CLASSES, settings=settings)
    alone = train_probes(*data, [probes[4]], kind="multi-class", outputs=CLASSES, settings=settings)
    assert torch.allclose(together.weight[4], alone.weight[0], atol=1e-6)
    assert torch.allclose(together.bias[4], alone.bias[0], atol=1e-6)
    assert not torch.allclose(together.weight[4], together.weight[1], atol=1e-3)


def test_equal_seeds_give_equal_probes(data: tuple[torch.Tensor, torch.Tensor]) -> None:
    settings = ProbeSettings(epochs=3)
    first, again = (
        train_probes(*data, two_folds_of_unequal_size(), kind="multi-class", outputs=CLASSES, settings=settings)
        for _ in range(2)
    )
    assert torch.equal(first.weight, again.weight)


def test_standardised_probes_do_not_care_about_offset_and_scale(data: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, targets = data
    settings = ProbeSettings(epochs=5, learning_rate=0.01, standardise=True)
    probes = two_folds_of_unequal_size((0,))
    plain = train_probes(x, targets, probes, kind="multi-class", outputs=CLASSES, settings=settings)
    other_x = 1000.0 * x - 300.0
    other = train_probes(other_x, targets, probes, kind="multi-class", outputs=CLASSES, settings=settings)
    rows = np.arange(N)
    assert torch.allclose(plain.logits(0, x, rows), other.logits(0, other_x, rows), atol=1e-2)


def test_a_constant_dimension_survives_standardisation(data: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, targets = data
    x = torch.cat([x, torch.full((N, 1), 7.3)], dim=1)
    settings = ProbeSettings(epochs=2, standardise=True)
    trained = train_probes(
        x, targets, two_folds_of_unequal_size((0,)), kind="multi-class", outputs=CLASSES, settings=settings
    )
    assert torch.isfinite(trained.weight).all()


def test_a_loss_that_is_not_finite_stops_training(data: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, targets = data
    with pytest.raises(AuricleError, match="not finite after epoch 1"):
        train_probes(
            x * 1e38,
            targets,
            two_folds_of_unequal_size((0,)),
            kind="multi-class",
            outputs=CLASSES,
            settings=ProbeSettings(epochs=2),
        )
