"""The chart of the dashboards: a Chart block, drawn in the browser by Lightweight Charts, with a live last bar."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from core.reply import Chart, to_json
from dashboards.widgets.library import lightweight_charts

STATIC = Path(__file__).resolve().parent.parent / "static"
DRAWING = STATIC / "chart.js"
STYLES = ("theme.css", "chart.css", "panel.css")

RENDER = """
function render({ model, el }) {
  const drawing = drawChart(el, model.get("chart"));
  const redraw = () => drawing.update(model.get("chart"));
  const move = () => drawing.setBar(model.get("bar"));
  model.on("change:chart", redraw);
  model.on("change:bar", move);
  return () => {
    model.off("change:chart", redraw);
    model.off("change:bar", move);
    drawing.destroy();
  };
}
export default { render };
"""


class ChartWidget(anywidget.AnyWidget):
    """chart: a Chart as JSON; bar: the last bar {time (ms), open, high, low, close, volume}, replaced as it forms."""

    _esm = ""
    _css = ""
    chart = traitlets.Dict().tag(sync=True)
    bar = traitlets.Dict().tag(sync=True)

    def __init__(self, chart: Chart, **more: Any) -> None:
        super().__init__(chart=to_json(chart), bar={}, **more)

    def show(self, chart: Chart) -> None:
        """Draws another chart in its place."""
        self.chart = to_json(chart)


# The library is not copied into this project: its package ships the file, and the widget carries it to the browser,
# where the dashboards allow nothing from elsewhere.
ChartWidget._esm = "\n".join([lightweight_charts().read_text("utf-8"), DRAWING.read_text("utf-8"), RENDER])


def styles() -> str:
    """The panel's look for a page that is not ours, such as JupyterLab: nothing of it reaches beyond the panel."""
    theme, chart, panel = ((STATIC / name).read_text("utf-8") for name in STYLES)
    return "\n".join([theme.replace(":root", ".panel"), f".panel {{\n{chart}}}", panel])


ChartWidget._css = styles()
