from importlib import metadata

import pytest
import torch


@pytest.mark.skipif(torch.version.cuda is not None, reason="torch was installed with CUDA on purpose")
def test_nothing_that_a_cpu_machine_does_not_need_was_installed():
    names = {distribution.metadata["Name"].lower() for distribution in metadata.distributions()}
    unwanted = {name for name in names if name in {"torchvision", "torchaudio"} or name.startswith("nvidia-")}
    assert not unwanted
