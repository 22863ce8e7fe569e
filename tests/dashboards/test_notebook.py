"""The panel in a notebook of one's own, as JupyterLab runs it, beside a running instance."""

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from dashboards.gateway.app import Surface
from dashboards.widgets.chart import styles
from tests.dashboards.conftest import LOCAL_TOKEN

pytestmark = pytest.mark.slow
NOTEBOOK = Path(__file__).resolve().parents[2] / "dashboards" / "notebooks" / "market.ipynb"
VIEW = "application/vnd.jupyter.widget-view+json"


async def executed(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(data_dir))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOK.parents[2]), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(data_dir / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", store_widget_state=True)
    await client.async_execute()
    return notebook


async def test_the_panel_joins_the_running_instance_and_brings_its_look(
    gateway: Surface, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instance.json").write_text(json.dumps({"url": gateway.local_url, "token": LOCAL_TOKEN}))
    notebook = await executed(tmp_path, monkeypatch)
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"] == []
    shown = [output.data[VIEW]["model_id"] for output in outputs if VIEW in output.get("data", {})]
    states = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert len(shown) == 1
    assert "panel" in states[shown[0]]["state"]["_dom_classes"]
    chart = next(one["state"] for one in states.values() if "chart" in one["state"])
    assert chart["chart"]["title"].startswith("BTC/USDT")
    assert chart["chart"]["label"] == "SIMULATED"
    assert ".panel-form" in chart["_css"]
    assert {"Instrument", "Strategy", "Run backtest"} <= {one["state"].get("description") for one in states.values()}


async def test_without_an_instance_the_panel_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = await executed(tmp_path, monkeypatch)
    states = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert [cell.outputs for cell in notebook.cells if any(one.output_type == "error" for one in cell.outputs)] == []
    assert "make run" in "".join(one["state"].get("value", "") for one in states.values())


def test_the_panels_look_stays_within_the_panel() -> None:
    """Every rule begins at the panel, so that a notebook around it keeps its own look."""
    depth, selector, strange = 0, "", []
    for sign in styles().replace("/*", "\0").split("\0"):
        for letter in sign.partition("*/")[2] if "*/" in sign else sign:
            if letter == "{":
                if depth == 0 and "panel" not in selector and not selector.strip().startswith("@media"):
                    strange.append(selector.strip())
                depth, selector = depth + 1, ""
            elif letter == "}":
                depth, selector = depth - 1, ""
            else:
                selector += letter
    assert strange == []
    assert depth == 0
