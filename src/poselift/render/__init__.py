"""Pictures and videos of poses: the figure over the video, and beside it from the side, on the floor (extra `render`).

In the picture and in the view from the side each joint has an ellipse within which it lies with a probability of 50 %,
where the spread is known. Joints that were not seen are hollow, and their bones dashed; in gaps the whole figure is
faint and a line says so. Below is the time, with gaps in red and frames that show nobody in grey.
"""

from poselift.render.film import render

__all__ = ["render"]
