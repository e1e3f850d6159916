"""Speed of linear probes: a whole grid at once against one probe after the other, side by side.

    python benchmarks/probe.py [--quick] [--device cuda]

60 configurations (3 learning rates, 2 weight decays, 2 seeds, 5 folds) of the protocol `auricle` on 2,000 embeddings
of 3,072 dimensions, ESC-50's clips and BYOL-A's dimensions. *One by one* is the loop as it is usually written in
plain torch: standardise, `nn.Linear`, `cross_entropy`, `SGD`, batches by index, validation after each epoch, early
stopping, best epoch kept; it has the stack's settings and no loader to slow it down. *Stack* is `train_probes`. Both
take turns in one process on one thread, and the fastest run of each counts, in processor seconds (on a GPU: seconds),
for what else a machine does only ever slows. The best configuration of each seed and fold by its validation loss is
tested: the mean accuracies must agree. scikit-learn's `LogisticRegression` goes down a path of six penalties per fold.

The last line is JSON: `ratio`, time of one by one over that of the stack.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional

from auricle.transfer.layers import BIAS_RATE, MOMENTUM
from auricle.transfer.probe import ProbeData, ProbeSettings, every_configuration, train_probes
from auricle.transfer.protocols import PROTOCOLS

FOLDS = 5
SEEDS = (0, 1)
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # scikit-learn's C

Layer = tuple[Tensor, Tensor, float]
"""Weight and bias for standardised embeddings, and the validation loss."""


def embeddings(clips: int, dim: int, classes: int) -> tuple[Tensor, Tensor, np.ndarray]:
    """Embeddings with the low rank, the skew and the unequal scales of real ones, classes, and folds."""
    rng = np.random.default_rng(0)
    label = np.arange(clips) % classes
    factors = rng.normal(size=(classes, 64))[label] + 1.5 * rng.normal(size=(clips, 64))
    x = factors * np.linspace(2.0, 0.2, 64) @ rng.normal(size=(64, dim)) / 8 + rng.normal(size=(clips, dim))
    x = np.maximum(x + 0.5, 0) * rng.lognormal(sigma=0.7, size=dim)
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(label), np.arange(clips) // classes % FOLDS


def jobs(fold: np.ndarray) -> list[ProbeData]:
    """What each seed's and fold's probes see."""
    following = (np.arange(FOLDS) + 1) % FOLDS
    return [
        ProbeData(
            np.flatnonzero((fold != tested) & (fold != following[tested])),
            np.flatnonzero(fold == following[tested]),
            seed,
            tested,
        )
        for seed in SEEDS
        for tested in range(FOLDS)
    ]


def one_probe(x: Tensor, target: Tensor, data: ProbeData, classes: int, settings: ProbeSettings) -> Layer:
    """One configuration in plain torch."""
    train, valid = (torch.from_numpy(rows).to(x.device) for rows in (data.train, data.valid))
    mean, scale = x[train].mean(0), x[train].std(0, correction=0) * x.shape[1] ** 0.5
    x = (x - mean) / scale
    torch.manual_seed(data.seed)
    layer = nn.Linear(x.shape[1], classes).to(x.device)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    groups = [
        {"params": [layer.weight], "weight_decay": data.weight_decay},
        {"params": [layer.bias], "lr": BIAS_RATE * data.learning_rate},
    ]
    optimiser = torch.optim.SGD(groups, lr=data.learning_rate, momentum=MOMENTUM)
    best: Layer = (layer.weight, layer.bias, float("inf"))
    best_epoch = 0
    for epoch in range(settings.epochs):
        for batch in train[torch.randperm(len(train), device=x.device)].split(settings.batch_size):
            optimiser.zero_grad()
            functional.cross_entropy(layer(x[batch]), target[batch]).backward()
            optimiser.step()
        with torch.no_grad():
            loss = functional.cross_entropy(layer(x[valid]), target[valid]).item()
        if loss < best[2]:
            best, best_epoch = (layer.weight.detach().clone(), layer.bias.detach().clone(), loss), epoch
        if epoch - best_epoch >= settings.early_stopping:
            break
    weight = best[0] / scale
    return weight, best[1] - weight @ mean, best[2]


def one_by_one(x: Tensor, target: Tensor, fold: np.ndarray, classes: int, settings: ProbeSettings) -> float:
    right = 0
    for data in jobs(fold):
        layers = [one_probe(x, target, probe, classes, settings) for probe in every_configuration(data, settings)]
        weight, bias, _ = min(layers, key=lambda layer: layer[2])
        test = torch.from_numpy(np.flatnonzero(fold == data.fold)).to(x.device)
        right += int((functional.linear(x[test], weight, bias).argmax(1) == target[test]).sum())
    return right / (len(x) * len(SEEDS))


def stack(x: Tensor, target: Tensor, fold: np.ndarray, classes: int, settings: ProbeSettings) -> float:
    probes = [probe for data in jobs(fold) for probe in every_configuration(data, settings)]
    trained = train_probes(x, target, probes, kind="multi-class", outputs=classes, settings=settings)
    best = trained.valid_score.view(len(jobs(fold)), -1).argmax(1).tolist()
    count = len(settings.configurations)
    right = 0
    for number, (data, choice) in enumerate(zip(jobs(fold), best, strict=True)):
        test = np.flatnonzero(fold == data.fold)
        guess = trained.logits(number * count + choice, x, test).argmax(1)
        right += int((guess == target[torch.from_numpy(test).to(x.device)]).sum())
    return right / (len(x) * len(SEEDS))


def logistic_regression(x: Tensor, target: Tensor, fold: np.ndarray, _classes: int, _settings: ProbeSettings) -> float:
    right = 0
    vectors, label = x.cpu().numpy(), target.cpu().numpy()
    for data in jobs(fold)[:FOLDS]:  # it draws nothing: one seed is enough
        scaled = StandardScaler().fit(vectors[data.train]).transform(vectors)
        model = LogisticRegression(max_iter=200, warm_start=True)
        found = []
        for penalty in PENALTIES:
            model.set_params(C=penalty).fit(scaled[data.train], label[data.train])
            test = fold == data.fold
            accuracy = model.score(scaled[test], label[test]) * test.sum()
            found.append((model.score(scaled[data.valid], label[data.valid]), accuracy))
        right += max(found)[1]
    return float(right) / len(x)


def timed(work: Callable[..., float], x: Tensor, *arguments: object) -> tuple[float, float]:
    """Seconds and score."""
    clock = time.process_time if x.device.type == "cpu" else time.perf_counter
    start = clock()
    score = work(x, *arguments)
    return clock() - start, score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small and meaningless, to see that it works")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--classes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    clips, dim, classes, rounds = (200, 32, 5, 1) if options.quick else (2000, 3072, options.classes, options.rounds)
    own = PROTOCOLS["auricle"].settings
    settings = ProbeSettings(
        **{**vars(own), "learning_rate": own.learning_rate[:3], "weight_decay": own.weight_decay[:2]}
        | ({"epochs": 5} if options.quick else {})
    )
    torch.set_num_threads(1)
    x, target, fold = embeddings(clips, dim, classes)
    arguments = (x.to(options.device), target.to(options.device), fold, classes, settings)
    count = len(jobs(fold)) * len(settings.configurations)
    print(f"{count} configurations, {clips:,} x {dim:,}, {classes} classes")
    ways = {"one by one": one_by_one, "stack": stack}
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name, work in ways.items():
            runs[name].append(timed(work, *arguments))
            seconds, score = runs[name][-1]
            print(f"{turn + 1}. {name}: {seconds:.1f} s, accuracy {score:.4f}", flush=True)
    with threadpool_limits(1):
        seconds, score = timed(logistic_regression, *arguments)
    print(f"scikit-learn, {FOLDS * len(PENALTIES)} fits: {seconds:.1f} s, accuracy {score:.4f}")
    scores = {name: float(np.mean([score for _, score in found])) for name, found in runs.items()}
    if not options.quick and abs(scores["stack"] - scores["one by one"]) > 0.01:
        raise SystemExit(f"the two ways do not find equally good probes: {scores}")
    fastest = {name: min(seconds for seconds, _ in found) for name, found in runs.items()}
    print(json.dumps({"ratio": round(fastest["one by one"] / fastest["stack"], 2)}))


if __name__ == "__main__":
    main()
