"""What of the documentation is not run as printed, and why. Everything that stands in no table here is run."""

BYOLA = [
    *("steps=1", "batch_size=4", "statistics_crops=8", "workers=1", "views.memory=8"),
    *("encoder.channels=8", "encoder.mlp_hidden=64", "projection_hidden=32"),
]
CONFORMER = [
    *("steps=1", "batch_size=2", "statistics_crops=8", "validation_crops=2", "warmup_steps=0", "workers=1"),
    *("encoder.layers=1", "encoder.dim=32", "encoder.feed_forward=32", "encoder.latent_dim=32", "encoder.heads=2"),
]

# What is added to a command so that it takes seconds: by its first words, the longest that fit.
SMALLER = {
    "pretrain byola-2022": BYOLA,
    "pretrain conformer-small": CONFORMER,
    "finetune": ["epochs=1", "workers=1"],
    "embed": ["--workers", "1"],
    "describe": ["--workers", "1"],
    "predict": ["--workers", "1"],
    "pack": ["--workers", "1"],
    "pack --verify": [],
    "evaluate": ["--seeds", "1", "--workers", "1"],
    "explain": ["--clips", "16", "--permutations", "19", "--draws", "19", "--workers", "1"],
    "study run study.yaml": [
        *(f"pretraining.overrides.{value}" for value in BYOLA if not value.startswith("steps")),
        "pretraining.overrides.steps=1",
        "random_seeds=[0]",
        "models=[random]",
        "probe={seeds: [0], overrides: {epochs: 2}}",
    ],
}

_HOURS = "hours; its kind of study is run whole, in miniature, by "
_AS_ELSEWHERE = "as those of README.md and docs/evaluating.md, of other models"

# Commands that are asked whether their words mean anything, and not run; by page.
ONLY_PARSED: dict[str, dict[str, str]] = {
    "README.md": {
        "make demo": "a minute; its study is run, in miniature, by tests/study/test_run.py",
        "make test": "these are the tests",
        "auricle study run demo --out runs/demo": "a minute; run whole, in miniature, by tests/study/test_run.py",
    },
    "docs/ablation.md": {
        "auricle study run byola-ablation data=DATA pretraining.overrides.encoder.channels=32 "
        "pretraining.overrides.encoder.mlp_hidden=512 invariance.clips=40 --out runs/ablation": _HOURS
        + "tests/study/ablation/test_run.py",
    },
    "docs/conformer.md": {
        "auricle evaluate runs/conformer-base --manifest esc50-folds-1-4.csv --no-check-leaks --layer layer6 "
        "--protocol knn --out layer-6.parquet": _AS_ELSEWHERE,
        "auricle evaluate runs/field conformer-small --task esc50 --task speech-commands --root DATA --out "
        "results.parquet": _AS_ELSEWHERE,
        "auricle evaluate runs/conformer runs/untrained --task esc50,speech-commands --root DATA --out "
        "probes.parquet": _AS_ELSEWHERE,
    },
    "docs/distributed.md": {
        "sbatch docs/launch/pretrain.sbatch": "needs SLURM; the file is run by tests/test_launch_files.py",
        "kubectl apply -f docs/launch/pretrain-kubernetes.yaml": "needs Kubernetes; see tests/test_launch_files.py",
        "kubectl logs --follow job/pretrain": "needs Kubernetes",
    },
    "docs/domain-specificity.md": {
        "auricle study run ogg2025-mini data=DATA random_seeds=[0] map=null --out runs/mini": _HOURS
        + "tests/study/test_matched_diets.py",
    },
    "docs/embedding.md": {
        "auricle embed byola-2022.base /field --out all.parquet --ray auto": "needs a Ray cluster",
        "auricle embed byola-2022.base /field --out all.parquet --ray head:6379": "needs a Ray cluster",
        "auricle embed byola-2022.base /field --out all.parquet --ray local": "run by tests/embedding/test_on_ray.py",
    },
    "docs/experiments.md": {
        "auricle study run study.yaml --out runs/choice": _HOURS + "tests/study/ablation/test_run.py",
        "auricle evaluate runs/rate-3e-4 runs/rate-1e-3 runs/cola-views runs/batches-of-32 --manifest "
        "esc50-folds-1-4.csv --no-check-leaks --protocol knn --out choice.parquet": _AS_ELSEWHERE,
        "auricle evaluate runs/at-2000 runs/at-4000 runs/at-6000 runs/byola-base --task esc50 --protocol knn --root "
        "DATA --out long.parquet": _AS_ELSEWHERE,
        "auricle pretrain byola-2022 data=diet init=byola-2022.base seed=43 steps=4500 batch_size=32 "
        "learning_rate=1e-3 schedule=cosine warmup_steps=200 sampling=duration --out runs/byola-more": ""
        "an hour; as those of docs/pretraining.md",
        "auricle evaluate byola-2022.base runs/byola-more --task esc50,speech-commands --protocol auricle "
        "--protocol knn --root DATA --out more.parquet": _AS_ELSEWHERE,
    },
    "docs/explaining.md": {
        "auricle explain runs/non-speech yamnet byola-2022 logmel-stats mfcc-stats --task esc50 --task speech-commands "
        "--task vctk --task nsynth --task ava-speech --task emodb --task digits --root DATA --out why": "45 "
        "minutes; as the command before it, of more models and tasks",
    },
    "docs/integrations.md": {
        "pip install auricle[onnx]": "fetches; the extra is one of pyproject.toml",
        "pip install auricle[tensorboard]": "fetches; the extra is one of pyproject.toml",
        "python -m heareval.embeddings.runner auricle.hear --model byola-2022.base --tasks-dir tasks": "HEAR's tasks",
        "tensorboard --logdir runs": "a server that does not end",
    },
    "docs/label-efficiency.md": {
        "AURICLE_DATA=/corpora auricle study run label-efficiency --out runs/labels": _HOURS
        + "tests/study/label_efficiency/test_run.py",
        "auricle study run label-efficiency weights=runs/forest/model data=/corpora tasks=[my-labels.csv] --out "
        "runs/my-labels": _HOURS + "tests/study/label_efficiency/test_run.py",
        "auricle study run label-efficiency weights=WEIGHTS tasks=[digits] seeds=[0] --out runs/digits": _HOURS
        + "tests/study/label_efficiency/test_run.py",
    },
    "docs/maps.md": {
        "auricle map forest.parquet --colour folder --projection umap --audio-budget 20 --out umap.html": "UMAP "
        "compiles itself for half a minute; drawn by tests/test_projection.py",
    },
    "docs/packing.md": {
        "auricle pack /field --out s3://bucket/field": "needs an object store; tests/packing/test_store.py has one",
    },
    "docs/quick-start.md": {
        "make setup": "sets up where these tests run",
        "source .venv/bin/activate": "is of the shell",
        "auricle study run demo --out runs/demo": "a minute; run whole, in miniature, by tests/study/test_run.py",
    },
    "docs/results.md": {
        "AURICLE_DATA=DATA AURICLE_MODELS=MODELS auricle evaluate runs/non-speech yamnet byola-2022 logmel-stats "
        "mfcc-stats --task esc50,speech-commands,vctk,nsynth,ava-speech,emodb,digits --hop 0.5 --protocol ogg2025 "
        "--protocol auricle --out results.parquet": "hours; as that of docs/evaluating.md, of more models and tasks",
        "auricle results results.parquet --format markdown": "shows what the command before it makes",
    },
    "docs/searching.md": {
        "embedding-atlas atlas.parquet --x projection_x --y projection_y --neighbors neighbors --disable-projection": ""
        "a program of others; tests/explore/test_exports.py holds the file to what it reads",
    },
    "docs/study.md": {
        "auricle study run demo --out runs/demo": "a minute; run whole, in miniature, by tests/study/test_run.py",
        "auricle study run examples/real_study.yaml objective=conformer-small rsa.layers=true --out runs/conformer": ""
        + _HOURS
        + "tests/study/test_conformer.py",
        "auricle study run ogg2025 --data /corpora --plan": "half a minute of timing; run by tests/study/test_plan.py",
        "auricle study run conformer-ablation --out runs/ablation": _HOURS + "tests/study/ablation/test_run.py",
        "auricle study run conformer-ablation pretraining.overrides.steps=300 vary={wav2vec.mask_span: [1, 6]} --out "
        "runs/span": _HOURS + "tests/study/ablation/test_run.py",
        "auricle study run scaling --data /corpora --out runs/scaling": _HOURS + "tests/study/scaling/test_run.py",
        "auricle study run scaling data=/corpora hours=4 steps=[225, 450, 900] grid=full --out runs/grid": _HOURS
        + "tests/study/scaling/test_run.py",
    },
    "docs/weights.md": {
        "python examples/list_base_diet.py DATA diet.parquet": "run by tests/test_examples.py",
        "auricle pack diet.parquet --drop near --root DATA --against esc50 --against speech-commands --against vctk "
        "--against nsynth --against ava-speech --against emodb --against digits --out diet": "ten minutes; as those of "
        "docs/packing.md",
        "auricle pretrain byola-2022 data=diet steps=8400 batch_size=32 learning_rate=5e-4 schedule=cosine "
        "warmup_steps=100 sampling=duration checkpoint_every=200 --out runs/byola-base": "an hour and a half; as those "
        "of docs/pretraining.md",
        "auricle release runs/byola-base --name byola-2022.base --licence CC-BY-SA-4.0 --out byola-2022.base --data "
        "7.2 h of open speech, notes and other sound --about about.md": "run by tests/models/test_releasing.py",
        "auricle evaluate byola-2022.base byola-2022 logmel-stats mfcc-stats --task "
        "esc50,speech-commands,vctk,nsynth,ava-speech,emodb,digits --hop 0.5 --root DATA --out base.parquet": ""
        + _AS_ELSEWHERE,
        "auricle evaluate conformer-small.base runs/untrained-conformer logmel-stats mfcc-stats --task "
        "esc50,speech-commands,vctk,nsynth,ava-speech,emodb,digits --hop 0.5 --root DATA --out conformer.parquet": ""
        + _AS_ELSEWHERE,
        "auricle pretrain conformer-small data=diet batch_size=4 learning_rate=7e-4 warmup_steps=100 steps=3200 "
        "sampling=duration encoder.dropout=0 statistics_crops=1000 checkpoint_every=200 workers=1 --out "
        "runs/conformer-base": "an hour; as those of docs/conformer.md",
        "auricle release runs/conformer-base --layers 6 --name conformer-small.base --licence CC-BY-SA-4.0 --out "
        "conformer-small.base --data 7.2 h of open speech, notes and other sound --about about.md": "run by "
        "tests/models/test_releasing.py",
    },
    "docs/tasks.md": {
        "auricle tasks urbansound8k --download --root DATA": "fetches 6 GB; see tests/datasets/test_download.py",
        "auricle evaluate byola-2022.base logmel-stats --task esc50 --task nsynth --root DATA --out results.parquet": ""
        + _AS_ELSEWHERE,
    },
}

# Blocks of Python, by page and first line, that are not run here.
PYTHON_ELSEWHERE: dict[tuple[str, str], str] = {
    ("docs/new-encoder.md", "from transformers import EncodecModel"): "tests/models/test_new_encoder_page.py",
    ("docs/new-encoder.md", "import auricle"): "tests/models/test_new_encoder_page.py",
    ("docs/study.md", "from auricle.explain.invariance import invariance"): "tests/explain/test_invariance.py",
    ("docs/integrations.md", "import mteb"): "tests/integrations/test_benchmarks_of_others.py",
}
