import pytest

from glimpse3d.errors import Cancelled
from glimpse3d.progress import Progress, Report


def work(progress: Progress) -> None:
    with progress.stage("first", 0.25) as first:
        for _ in first.track(range(5)):
            pass
    with progress.stage("second", 0.75) as second, second.stage("inner", 0.5) as inner:
        inner(0.5, "half")


def test_fractions_rise_from_zero_to_one_and_shares_add_up() -> None:
    seen: list[Report] = []
    work(Progress(seen.append))
    fractions = [report.fraction for report in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0 and fractions[-1] == 1
    half = next(report for report in seen if report.note == "half")
    assert half.stage == "inner" and half.fraction == pytest.approx(0.25 + 0.75 * 0.25)


def test_fractions_never_fall_nor_pass_one() -> None:
    seen: list[float] = []
    progress = Progress(lambda report: seen.append(report.fraction))
    for fraction in (0.2, 0.1, 0.7, 3.0):
        progress(fraction)
    assert seen == [0.2, 0.2, 0.7, 1.0]


@pytest.mark.parametrize("moment", range(8))
def test_every_report_is_a_cancel_point(moment: int) -> None:
    reports = 0

    def cancelled() -> bool:
        return reports >= moment

    def count(report: Report) -> None:
        nonlocal reports
        reports += 1

    with pytest.raises(Cancelled):
        work(Progress(count, cancelled))
    assert reports == moment


def test_unwatched_work_runs() -> None:
    work(Progress())
