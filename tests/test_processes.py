"""What processes are told when they cannot even begin to look for each other, and that one alone needs no other."""

import pytest
import torch

from auricle import processes
from auricle.errors import AuricleError
from auricle.pretraining.agreement import refuse_different_setups
from auricle.pretraining.recipe import load_recipe


@pytest.mark.parametrize("given", ["soon", "0", "-3", "inf", "nan"])
def test_patience_is_a_number_of_seconds(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_PATIENCE", given)
    with pytest.raises(AuricleError, match=f"AURICLE_PATIENCE is '{given}': expected seconds above 0"):
        processes.patience()


def test_processes_that_nobody_introduced_are_told_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(AuricleError, match=r"RANK and MASTER_ADDR and MASTER_PORT is not set: start .* with torchrun"):
        processes.join()


def test_one_process_is_everyone() -> None:
    rows = torch.arange(6).view(3, 2)
    assert processes.rank() == 0
    assert processes.gather("x") == ["x"]
    assert processes.from_main("x") == "x"
    assert processes.rows_of_batch(3) == slice(0, 3)
    assert torch.equal(processes.gather_rows(rows, 3), rows)
    processes.agree("things", {"a": 1}, "nothing to do")
    refuse_different_setups(load_recipe("byola-2022", ["batch_size=2"]))


def test_an_error_that_is_not_of_processes_keeps_its_words() -> None:
    with pytest.raises(RuntimeError, match="sizes differ"), processes.in_contact("again"):
        raise RuntimeError("sizes differ")
    with pytest.raises(AuricleError, match="cannot") as caught, processes.all_or_none():
        raise AuricleError("cannot")
    assert not caught.value.everywhere
