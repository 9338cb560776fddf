"""Line charts as SVG."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

from benchmarks.charts import Panel, svg

STEPS = [0.0, 50.0, 100.0]


def test_a_chart_is_svg() -> None:
    """It is well-formed, shows every line and tick, and escapes what is written."""
    panel = Panel("a < b", {"one": [1, 2, 3], "two & more": [3, 2, 1]}, ticks=(1, 2, 3))
    drawn = ElementTree.fromstring(svg([panel, panel], steps=STEPS, caption="<why>"))  # noqa: S314 - our own text
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b", "one", "two & more", "<why>", "1", "3", "100"} <= set(texts)
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))) == 4


def test_scales() -> None:
    """A value stands between the lowest and the highest tick, by its logarithm where that is asked for; beyond them it stops."""
    assert Panel("", {}, ticks=(0, 10)).height(5) == 0.5
    assert Panel("", {}, ticks=(1, 100), log=True).height(10) == 0.5
    assert [Panel("", {}, ticks=(1, 2)).height(value) for value in (0, 9)] == [0.0, 1.0]


def test_labels_do_not_overlap() -> None:
    """Lines that end together have their names one below the other."""
    panel = Panel("", {name: [1, 1, 1] for name in "abcd"}, ticks=(0, 2))
    drawn = ElementTree.fromstring(svg([panel], steps=STEPS, caption=""))  # noqa: S314 - our own text
    heights = sorted(
        float(element.attrib["y"])
        for element in drawn.iter("{http://www.w3.org/2000/svg}text")
        if element.text in set("abcd")
    )
    assert all(below - above >= 14 for above, below in pairwise(heights))
