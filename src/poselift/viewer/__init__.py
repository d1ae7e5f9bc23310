"""One self-contained HTML page: the video or the 2D keypoints beside everybody in 3D, on the floor they stand on.

The page loads nothing from outside (its own content security policy forbids it), so it can be opened from disk,
mailed, or put on any server. Its address takes a fragment for a still picture or a link to one moment::

    page.html#frame=120&yaw=30&pitch=10&zoom=1.2&person=2&angle=elbow_flex&view=camera&errors=0&theme=dark&play=1&bare=1

`frame` counts from 0; `yaw` and `pitch` are degrees away from the camera's direction (yaw moves what is near to the
right, pitch looks from above); `view=camera` looks through its lens; `bare=1` shows the pictures without title and
controls. `docs/page.md` says what the page shows and how it is used.

`content.py` says what a page holds; viewer.html, style.css and the scripts are put together by `write.py`.
"""

from poselift.viewer.clip import LONGEST_EMBEDDED_S, SmallCopy, small_copy
from poselift.viewer.write import write_viewer

__all__ = ["LONGEST_EMBEDDED_S", "SmallCopy", "small_copy", "write_viewer"]
