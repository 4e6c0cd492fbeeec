from agent.loop import WINDOW, LoopMonitor


def monitor(*late_ms: float) -> LoopMonitor:
    monitor = LoopMonitor()
    monitor._late_ms.extend(late_ms)
    return monitor


def test_an_idle_loop_is_on_time() -> None:
    assert monitor().lag_ms == 0
    assert monitor(*[1.0] * WINDOW).lag_ms == 1


def test_one_stall_does_not_count_and_many_do() -> None:
    assert monitor(2300.0, *[1.0] * 50).lag_ms == 1
    assert monitor(2300.0).lag_ms == 0
    assert monitor(*[300.0] * 20, *[1.0] * 80).lag_ms == 300
