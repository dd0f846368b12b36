"""Counts are exact: against a ranking written out, with ties, NaN, padding, half precision, and over ranks."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from resnet_zoo import metrics
from resnet_zoo.metrics import Scores, TopKCounts, topk_hits
from tests.ranks import run_on_ranks


def hits_written_out(logits: Tensor, labels: Tensor, k: int) -> int:
    """Row by row: fewer than k other logits are not smaller than the label's own."""
    hits = 0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        if label < 0 or math.isnan(row[label]):
            continue
        hits += sum(not other < row[label] for other in row) - 1 < k
    return hits


@pytest.mark.parametrize("num_classes", [2, 4, 5, 6, 10, 1000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_hits_are_those_of_a_ranking_written_out(num_classes: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(num_classes)
    logits = torch.randn(64, num_classes, generator=generator).to(dtype)
    labels = torch.randint(-1, num_classes, (64,), generator=generator)
    logits[::9] = 0.5
    logits[1::9, 0] = math.nan
    logits[2::9, 1] = math.inf
    top1, top5 = topk_hits(logits, labels)
    assert top1.item() == hits_written_out(logits, labels, 1)
    assert top5.item() == hits_written_out(logits, labels, 5)
    assert top1.dtype == top5.dtype == torch.int64


def test_hits_agree_with_topk_where_nothing_is_tied() -> None:
    logits = torch.randn(256, 100, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 100, (256,), generator=torch.Generator().manual_seed(1))
    best = logits.topk(5).indices
    top1, top5 = topk_hits(logits, labels)
    assert top1 == (best[:, 0] == labels).sum()
    assert top5 == (best == labels.unsqueeze(1)).any(1).sum()


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("num_classes", [2, 5, 6, 10])
def test_a_net_that_answers_the_same_for_every_class_has_nothing_right(
    value: float, num_classes: int
) -> None:
    top1, top5 = topk_hits(torch.full((4, num_classes), value), torch.zeros(4, dtype=torch.int64))
    assert top1 == 0
    # Among five classes every rank is a hit, except that of no number.
    assert top5 == (4 if num_classes <= 5 and not math.isnan(value) else 0)


def test_scores_are_counts_percentages_and_the_mean_loss() -> None:
    counts = TopKCounts(6)
    logits = torch.eye(6)
    counts.update(logits, torch.arange(6), torch.full((6,), 0.25))
    counts.update(logits[:3], torch.tensor([0, 5, -1]), torch.tensor([1.0, 2.0, math.nan]))
    scores = counts.scores()
    # In the second batch the label 5 is tied with four others, behind one: rank 5 of 6.
    assert scores == Scores(
        top1=87.5, top5=87.5, loss=pytest.approx(4.5 / 8), evaluated=8, correct1=7, correct5=7
    )


def test_fewer_than_five_classes_have_no_top5() -> None:
    counts = TopKCounts(4)
    counts.update(torch.eye(4), torch.arange(4), torch.ones(4))
    assert (counts.scores().top5, counts.scores().correct5) == (None, None)


def test_nothing_counted_is_no_number() -> None:
    scores = TopKCounts(10).scores()
    assert scores.evaluated == scores.correct1 == 0
    assert math.isnan(scores.top1)
    assert math.isnan(scores.loss)


def test_the_loss_keeps_its_digits_over_many_batches() -> None:
    counts = TopKCounts(10)
    losses = torch.rand(500, 64, generator=torch.Generator().manual_seed(0))
    for batch in losses:
        counts.update(torch.zeros(64, 10), torch.zeros(64, dtype=torch.int64), batch)
    assert counts.scores().loss == pytest.approx(losses.double().mean().item(), rel=1e-12)


@pytest.mark.parametrize("asked", [1, 7, 200])
def test_counts_are_the_same_however_often_somebody_asks_for_them(asked: int) -> None:
    """As a run that is resumed, and asks for them to save them, must have the rows of one that is not."""
    generator = torch.Generator().manual_seed(0)
    counts, whole = TopKCounts(10), TopKCounts(10)
    for batch in range(150):
        size = 8 if batch % 50 else 3
        labels = torch.randint(-1, 10, (size,), generator=generator)
        losses = torch.randn(size, generator=generator).mul_(3).exp_()  # from 1e-5 to 1e5
        for each in (counts, whole):
            each.update(torch.randn(size, 10, generator=torch.Generator().manual_seed(batch)), labels, losses)
        if batch % asked == 0:
            counts.scores()
    assert counts.scores() == whole.scores()


def test_losses_are_rounded_by_less_than_float32_knows_of_them() -> None:
    counts = TopKCounts(10)
    losses = torch.rand(4096, generator=torch.Generator().manual_seed(0)).square_()
    counts.update(torch.zeros(4096, 10), torch.zeros(4096, dtype=torch.int64), losses)
    assert counts.scores().loss == pytest.approx(losses.double().mean().item(), abs=2e-9)


def test_counting_needs_no_gradient_and_leaves_none() -> None:
    counts = TopKCounts(10)
    logits = torch.randn(8, 10, requires_grad=True)
    losses = cross_entropy(logits, torch.zeros(8, dtype=torch.int64), reduction="none")
    counts.update(logits, torch.zeros(8, dtype=torch.int64), losses)
    assert not any(tensor.requires_grad for waiting in counts._waiting for tensor in waiting)
    counts.scores()
    assert not counts._sums.requires_grad


def test_counts_survive_going_in_and_out_of_inference_mode() -> None:
    counts = TopKCounts(10)
    arguments = torch.randn(8, 10), torch.zeros(8, dtype=torch.int64), torch.ones(8)
    with torch.inference_mode():
        counts.reset()
        counts.update(*arguments)
        counts.all_reduce()
        counts.reset()
    counts.update(*arguments)
    assert counts.scores().evaluated == 8


def test_a_second_all_reduce_adds_nothing_and_an_update_after_it_is_refused() -> None:
    counts = TopKCounts(10)
    arguments = torch.randn(8, 10), torch.zeros(8, dtype=torch.int64), torch.ones(8)
    counts.update(*arguments)
    counts.all_reduce()
    counts.all_reduce()
    assert counts.scores().evaluated == 8
    with pytest.raises(AssertionError, match="reset"):
        counts.update(*arguments)


def test_a_loss_that_is_no_number_is_seen_unless_it_is_padding() -> None:
    counts = TopKCounts(10)
    counts.update(torch.randn(2, 10), torch.tensor([0, -1]), torch.tensor([1.0, math.nan]))
    assert math.isfinite(counts.loss_sum())
    counts.update(torch.randn(2, 10), torch.tensor([0, 1]), torch.tensor([1.0, math.inf]))
    assert not math.isfinite(counts.loss_sum())


def test_a_device_without_float64_gives_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    def scores(has_float64: Callable[[torch.device], bool]) -> Scores:
        monkeypatch.setattr(metrics, "_has_float64", has_float64)
        generator = torch.Generator().manual_seed(0)
        counts = TopKCounts(10)
        for _ in range(20):
            labels = torch.randint(-1, 10, (32,), generator=generator)
            counts.update(
                torch.randn(32, 10, generator=generator), labels, torch.rand(32, generator=generator)
            )
        counts.all_reduce()
        return counts.scores()

    with_it, without_it = scores(lambda device: True), scores(lambda device: False)
    assert without_it == Scores(
        with_it.top1,
        with_it.top5,
        pytest.approx(with_it.loss, rel=1e-6),
        with_it.evaluated,
        with_it.correct1,
        with_it.correct5,
    )


def _scores_where_only_rank_0_has_images() -> Scores:
    torch.distributed.init_process_group("gloo")
    counts = TopKCounts(6)
    if torch.distributed.get_rank() == 0:
        counts.update(torch.eye(6), torch.arange(6), torch.ones(6))
    counts.all_reduce()
    return counts.scores()


def test_a_rank_without_batches_takes_part_in_the_sum() -> None:
    scores = run_on_ranks(2, _scores_where_only_rank_0_has_images)
    assert scores == [Scores(top1=100.0, top5=100.0, loss=1.0, evaluated=6, correct1=6, correct5=6)] * 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_counting_on_a_gpu_waits_for_nothing() -> None:
    counts = TopKCounts(100)
    arguments = (
        torch.randn(64, 100, device="cuda"),
        torch.zeros(64, dtype=torch.int64, device="cuda"),
        torch.ones(64, device="cuda"),
    )
    counts.update(*arguments)
    counts.scores()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(2 * metrics._MOST_WAITING):
            counts.update(*arguments)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert counts.scores().evaluated == 64 * (1 + 2 * metrics._MOST_WAITING)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_losses_are_counted_and_left_as_they_are(dtype: torch.dtype) -> None:
    losses = torch.tensor([0.25, 1.5, 7.0], dtype=dtype)
    counts = TopKCounts(6)
    counts.update(torch.randn(3, 6), torch.tensor([0, -1, 2]), losses)
    assert counts.scores().loss == (0.25 + 7.0) / 2
    assert losses.tolist() == [0.25, 1.5, 7.0]
