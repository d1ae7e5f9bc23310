"""Work in a row of threads that hand frames on. Old frames are dropped and never queue up."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

_LOOK_UP_S = 0.1
"""How often who waits looks whether it should end; it lets Ctrl-C through on every system."""


class Ended(Exception):
    """The other side has gone."""


class Link:
    """Hands the newest item from one thread to the next."""

    def __init__(self, *, drop: bool) -> None:
        """Start empty.

        Args:
            drop: An item that comes before the last one was taken replaces it; else the giver waits.
        """
        self.dropped = 0
        """Items that were replaced before anybody took them."""
        self._drop, self._item, self._full, self._closed = drop, None, False, False
        self._change = threading.Condition()

    def put(self, item: Any) -> None:
        """Give an item.

        Raises:
            Ended: Nobody takes any more.
        """
        with self._change:
            while self._full and not self._drop and not self._closed:
                self._change.wait(_LOOK_UP_S)
            if self._closed:
                raise Ended
            self.dropped += self._full
            self._item, self._full = item, True
            self._change.notify_all()

    def __iter__(self) -> Iterator[Any]:
        """Yield items until the giver has ended."""
        while True:
            with self._change:
                while not self._full and not self._closed:
                    self._change.wait(_LOOK_UP_S)
                if not self._full:
                    return
                item, self._item, self._full = self._item, None, False
                self._change.notify_all()
            yield item

    def close(self, *, empty: bool = False) -> None:
        """End: what was given last can still be taken, unless `empty`."""
        with self._change:
            self._closed = True
            self._full = self._full and not empty
            self._change.notify_all()


class Pipeline:
    """A source and steps, each in a thread of its own; the last items are taken where the pipeline is iterated over."""

    def __init__(
        self, source: Iterable[Any], steps: Iterable[Callable[[Any], Any]], *, drop: bool, leave: Callable[[], object]
    ) -> None:
        """Prepare the threads.

        Args:
            source: Yields the items.
            steps: Each turns an item into the next one.
            drop: Whether items that come too fast are dropped; else the source waits.
            leave: Ends the source's waiting when the pipeline is left.
        """
        self._source, self._steps, self._leave = source, list(steps), leave
        self._links = [Link(drop=drop) for _ in range(len(self._steps) + 1)]

    @property
    def dropped(self) -> list[int]:
        """Items dropped before each step, and before whoever takes the last items."""
        return [link.dropped for link in self._links]

    def __iter__(self) -> Iterator[Any]:
        """Start the threads and yield the last step's items; end all threads when it is left.

        What the source or a step raises is raised here, after what was finished before.
        """
        pool = ThreadPoolExecutor(len(self._links), "poselift-live")
        running = [pool.submit(_give, self._source, None, self._links[0])]
        for step, (before, after) in zip(self._steps, pairwise(self._links), strict=True):
            running.append(pool.submit(_give, before, step, after))
        try:
            yield from self._links[-1]
            for job in running:
                job.result()
        finally:
            for link in self._links:
                link.close(empty=True)
            self._leave()
            pool.shutdown(wait=True)


def _give(items: Iterable[Any], step: Callable[[Any], Any] | None, link: Link) -> None:
    """Give every item, after the step, to a link; close it at the end, whatever happens."""
    try:
        for item in items:
            link.put(item if step is None else step(item))
    except Ended:
        pass
    finally:
        link.close()
        if isinstance(items, Link):
            items.close(empty=True)


def paced(
    frames: Iterable[tuple[float, Any]], clock: Callable[[], float] = time.monotonic
) -> Iterator[tuple[float, Any]]:
    """Yield (time_s, item) when its time has come, as a camera would: the first at once."""
    start: float | None = None
    for time_s, item in frames:
        if start is None:
            start = clock() - time_s
        wait_s = start + time_s - clock()
        if wait_s > 0:
            time.sleep(wait_s)
        yield time_s, item
