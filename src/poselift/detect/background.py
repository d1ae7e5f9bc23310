"""Whether the camera of a video moves: how far the background goes, beside the people who are detected.

Ten times a second a small grey picture is cut into tiles. Tiles without people are compared with those of an earlier
picture by phase correlation (Kuglin and Hines 1975). A camera at rest is compared with its first picture all along, so
that nothing adds up; one that moves is compared with a later one as soon as the pictures no longer overlap well.
"""

from dataclasses import dataclass

import numpy as np

LOOKS_A_SECOND = 10.0
"""How often the background is looked at."""
LONGEST_PX = 192
"""Longer side of the small picture."""
TILE_PX = 32
"""Side of a tile."""
LEAST_TEXTURE = 2.0
"""Standard deviation of grey levels, of 255, below which a tile shows nothing that could be compared."""
LEAST_PEAK = 0.3
"""Height of the correlation, 1 for the same tile, from which two tiles are taken to show the same."""
FEWEST_TILES = 3
"""Number of tiles below which nothing is concluded."""
MARGIN = 0.15
"""By how much of its longer side the box around a person is made larger: hair, clothes and shadows are outside."""
_SEEN = 0.2
"""Confidence from which a keypoint counts for the box."""
_APART_PX = 4.0
"""Pixels of the small picture from which on another picture is compared with."""
_SHARPEST = 0.25
"""Frequency, in cycles a pixel, at which details count 1/e: finer ones are noise and compression."""


@dataclass(eq=False)
class _Look:
    """The tiles of one small picture."""

    spectra: np.ndarray
    """(N, TILE, TILE / 2 + 1) complex."""
    usable: np.ndarray
    """(N,) bool: tiles with texture, and without people."""


class Background:
    """Follows the background of one video, picture after picture."""

    def __init__(self) -> None:
        """Begin without any picture."""
        self._next_s = -np.inf
        self._key: _Look | None = None
        self._last: _Look | None = None
        self._gone = np.zeros((0, 2))
        self._at_last = np.zeros((0, 2))
        self._shape: tuple[int, int] | None = None
        self._looks = 0
        self._most_px = 0.0

    @property
    def moved(self) -> float | None:
        """How far the background went from its first place, at most, as a share of the longer side of the picture.

        None where fewer than `FEWEST_TILES` tiles could be compared in half of the looks.
        """
        return None if self._looks < 2 or not self._shape else self._most_px / max(self._shape)

    def add(self, time_s: float, rgb: np.ndarray, people: np.ndarray) -> None:
        """Look at the next picture, unless the last look was just before it.

        Args:
            time_s: Its time in seconds.
            rgb: (H, W, 3) uint8.
            people: (P, J, 3) keypoints in pixels of `rgb`, with confidences.
        """
        if time_s < self._next_s:
            return
        self._next_s = time_s + 1 / LOOKS_A_SECOND - 1e-3
        small, block = _small(rgb)
        if self._shape != small.shape:
            self._key, self._shape = None, small.shape
        look = _look(small, people / np.array([block, block, 1.0]))
        if self._key is None:
            self._start(look)
            return
        moved = _shift(self._key, look)
        if moved is None and self._last is not None and (step := _shift(self._last, look)) is not None:
            self._gone = self._gone + self._at_last
            self._key, moved = self._last, step
        if moved is None:
            self._start(look)
            return
        self._looks += 1
        far = self._gone[moved.tiles] + moved.pixels
        self._most_px = max(self._most_px, float(np.median(np.linalg.norm(far, axis=1))))
        everywhere = np.tile(np.median(moved.pixels, 0), (len(look.usable), 1))
        everywhere[moved.tiles] = moved.pixels
        self._last, self._at_last = look, everywhere
        if float(np.median(np.linalg.norm(moved.pixels, axis=1))) > _APART_PX:
            self._gone, self._key, self._at_last = self._gone + everywhere, look, np.zeros_like(everywhere)

    def _start(self, look: _Look) -> None:
        if self._gone.shape[0] != len(look.usable):
            self._gone = np.zeros((len(look.usable), 2))
        self._key = self._last = look
        self._at_last = np.zeros_like(self._gone)


@dataclass(eq=False)
class _Shift:
    tiles: np.ndarray
    """(M,) numbers of the tiles that could be compared."""
    pixels: np.ndarray
    """(M, 2) x and y of how far their content went."""


def _small(rgb: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a small grey picture of means over blocks, and the side of a block; of large blocks, nine pixels count."""
    block = max(1, -(-max(rgb.shape[:2]) // LONGEST_PX))
    height, width = (side // block for side in rgb.shape[:2])
    step = max(1, block // 3)
    green = rgb[: height * block, : width * block, 1].reshape(height, block, width, block)[:, ::step, :, ::step]
    return green.mean((1, 3), dtype=np.float32), block


_HANN = np.outer(np.hanning(TILE_PX + 2)[1:-1], np.hanning(TILE_PX + 2)[1:-1]).astype(np.float32)
_FINE = np.hypot(np.fft.fftfreq(TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX)[None])
_SMOOTH = np.exp(-((_FINE / _SHARPEST) ** 2))
_SMOOTH[0, 0] = 0


def _look(small: np.ndarray, people: np.ndarray) -> _Look:
    """Return the tiles of a small picture (H, W), with people (P, J, 3) in its pixels."""
    down, across = (side // TILE_PX for side in small.shape)
    top, left = (small.shape[0] - down * TILE_PX) // 2, (small.shape[1] - across * TILE_PX) // 2
    inside = small[top : top + down * TILE_PX, left : left + across * TILE_PX]
    tiles = inside.reshape(down, TILE_PX, across, TILE_PX).swapaxes(1, 2).reshape(-1, TILE_PX, TILE_PX)
    tiles = tiles - tiles.mean((1, 2), keepdims=True)
    usable = tiles.std((1, 2)) > LEAST_TEXTURE
    corners = np.array([(left + x * TILE_PX, top + y * TILE_PX) for y in range(down) for x in range(across)]).reshape(
        -1, 2
    )
    for person in people:
        there = person[np.isfinite(person).all(-1) & (person[:, 2] > _SEEN), :2]
        if len(there):
            more = MARGIN * np.ptp(there, axis=0).max()
            low, high = there.min(0) - more, there.max(0) + more
            usable &= ~((corners < high) & (corners + TILE_PX > low)).all(1)
    return _Look(np.fft.rfft2(tiles * _HANN), usable)


def _shift(before: _Look, now: _Look) -> _Shift | None:
    """Return how far tiles went between two looks; None where too few can be compared."""
    (tiles,) = np.nonzero(before.usable & now.usable)
    if len(tiles) < FEWEST_TILES:
        return None
    product = now.spectra[tiles] * before.spectra[tiles].conj()
    product *= _SMOOTH / np.maximum(np.abs(product), 1e-6)
    scale = TILE_PX**2 / (2 * _SMOOTH[:, 1:-1].sum() + _SMOOTH[:, [0, -1]].sum())
    found = np.fft.irfft2(product, s=(TILE_PX, TILE_PX)) * scale
    flat = found.reshape(len(tiles), -1)
    best = flat.argmax(1)
    good = flat[np.arange(len(tiles)), best] > LEAST_PEAK
    if good.sum() < max(FEWEST_TILES, len(tiles) / 3):
        return None
    places = np.stack([best % TILE_PX, best // TILE_PX], 1)
    pixels = (places + TILE_PX // 2) % TILE_PX - TILE_PX // 2 + _between(found, places)
    return _Shift(tiles[good], pixels[good])


def _between(found: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return where between pixels, (N, 2) from -0.5 to 0.5, the peaks of (N, H, W) at places (N, 2) are."""
    number, (x, y) = np.arange(len(found)), places.T
    parts = []
    for dx, dy in ((1, 0), (0, 1)):
        low, high = (found[number, (y + sign * dy) % TILE_PX, (x + sign * dx) % TILE_PX] for sign in (-1, 1))
        curve = low + high - 2 * found[number, y, x]
        parts.append(np.where(curve < -1e-9, (low - high) / (2 * np.minimum(curve, -1e-9)), 0).clip(-0.5, 0.5))
    return np.stack(parts, 1)
