"""Works ahead in a thread: while one picture is looked at, the next ones are decoded."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_END = object()


def ahead(items: Iterator[Any], count: int, leave: Callable[[], object] | None = None) -> Generator[Any, None, None]:
    """Yield the items of an iterator that a thread of its own goes through, up to `count` of them ahead.

    NumPy, PyAV and ONNX Runtime let other threads run while they work, so that both sides work at once. What the
    iterator raises is raised here.

    Args:
        items: The iterator; from now on only the thread uses it.
        count: Number of items that wait at most.
        leave: Called before the thread is waited for, to end what it may be waiting for.
    """
    waiting: deque[Future[Any]] = deque()
    pool = ThreadPoolExecutor(1, "poselift-ahead")
    try:
        waiting.extend(pool.submit(next, items, _END) for _ in range(count))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, items, _END))
            yield item
    finally:
        if leave is not None:
            leave()
        pool.shutdown(wait=True, cancel_futures=True)
