/* Draws a Chart of the product's replies with Lightweight Charts: panes of candles, lines, areas, histograms, markers.
   The web app imports this file; the dashboards' widget carries the same text. */

function palette(element) {
  const style = getComputedStyle(element);
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  return {
    text: read("--muted", "#53636d"),
    line: read("--line", "#dce3e6"),
    surface: read("--surface", "#ffffff"),
    up: read("--chart-up", "#0e9f6e"),
    down: read("--chart-down", "#e02f44"),
    accent: read("--accent", "#0f766e"),
    series: [1, 2, 3, 4].map((i) => read(`--chart-${i}`, ["#2563eb", "#c2700a", "#7c3aed", "#0e7490"][i - 1])),
  };
}

const fade = (colour, share) => `color-mix(in srgb, ${colour} ${share}%, transparent)`;

/* Canvas knows no color-mix in every browser: let the browser compute it to rgba first. */
function translucent(element, colour, share) {
  const probe = document.createElement("span");
  probe.style.color = fade(colour, share);
  element.append(probe);
  const computed = getComputedStyle(probe).color;
  probe.remove();
  const parts = computed.match(/^color\(srgb ([\d.]+) ([\d.]+) ([\d.]+)(?: \/ ([\d.]+))?\)$/);
  if (!parts) return computed;
  const [r, g, b] = parts.slice(1, 4).map((part) => Math.round(Number(part) * 255));
  return `rgba(${r}, ${g}, ${b}, ${parts[4] ?? 1})`;
}

function decimals(values) {
  const last = Math.abs(values.findLast((value) => Number.isFinite(value)) ?? 1);
  if (last >= 1) return last >= 10 ? 2 : 4;
  return Math.min(8, 3 - Math.floor(Math.log10(last || 1)));
}

/* Both lines of a band share a colour and a line in the legend. */
const family = (name) => name.replace(/ (upper|middle|lower)$/, "");

const seconds = (milliseconds) => Math.floor(milliseconds / 1000);

function points(series) {
  const found = [];
  series.times.forEach((time, i) => {
    const value = series.values[i];
    if (series.kind === "candles") {
      if (value && value.every(Number.isFinite)) {
        found.push({ time: seconds(time), open: value[0], high: value[1], low: value[2], close: value[3] });
      }
    } else if (value === null || value === undefined) found.push({ time: seconds(time) });
    else found.push({ time: seconds(time), value });
  });
  return found;
}

function legend(chart, colours) {
  const list = document.createElement("ul");
  list.className = "legend";
  for (const { name, colour, kind } of colours) {
    const item = document.createElement("li");
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    mark.setAttribute("width", "12");
    mark.setAttribute("height", "12");
    mark.setAttribute("aria-hidden", "true");
    const shape = document.createElementNS("http://www.w3.org/2000/svg", kind === "line" ? "rect" : "circle");
    const size = kind === "line" ? { x: 0, y: 5, width: 12, height: 3, rx: 1.5 } : { cx: 6, cy: 6, r: 4 };
    for (const [key, value] of Object.entries(size)) shape.setAttribute(key, String(value));
    shape.setAttribute("fill", colour);
    mark.append(shape);
    item.append(mark, name);
    list.append(item);
  }
  return list;
}

function source() {
  const line = document.createElement("p");
  line.className = "source";
  const link = document.createElement("a");
  link.href = "https://www.tradingview.com/";
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.textContent = "Charts by TradingView";
  line.append(link);
  return line;
}

/* chart: {title, panes: [{series: [{kind, name, times, values, labels, tone}], weight}], label, alt} */
export function drawChart(container, chart) {
  const library = window.LightweightCharts;
  let drawn = null;
  let current = chart;

  function build() {
    const colours = palette(container);
    container.replaceChildren();
    const head = document.createElement("div");
    head.className = "chart-head";
    const title = document.createElement("h3");
    title.textContent = current.title;
    if (current.label) {
      const badge = document.createElement("span");
      badge.className = "badge";
      badge.textContent = current.label;
      title.append(badge);
    }
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", current.alt || current.title);
    container.append(head, plot, source());

    const api = library.createChart(plot, {
      autoSize: false,
      width: plot.clientWidth || 320,
      height: plot.clientHeight || 320,
      layout: {
        background: { type: "solid", color: colours.surface },
        textColor: colours.text,
        fontFamily: getComputedStyle(container).fontFamily,
        fontSize: 12,
        attributionLogo: false,
        panes: { separatorColor: colours.line, enableResize: false },
      },
      grid: { vertLines: { color: colours.line }, horzLines: { color: colours.line } },
      rightPriceScale: { borderColor: colours.line, entireTextOnly: true },
      timeScale: { borderColor: colours.line, timeVisible: true, secondsVisible: false, rightOffsetPixels: 20, minBarSpacing: 0.05 },
      crosshair: { mode: 0 },
      handleScroll: { vertTouchDrag: false, mouseWheel: false },
      handleScale: { mouseWheel: false },
    });
    const named = [];
    const live = {};
    const taken = new Map();
    const own = (name) => {
      if (!taken.has(name)) taken.set(name, colours.series[taken.size % colours.series.length]);
      return taken.get(name);
    };
    current.panes.forEach((pane, index) => {
      let main = null;
      for (const series of pane.series) {
        const values = series.kind === "candles" ? series.values.map((value) => value && value[3]) : series.values;
        const digits = decimals(values);
        const priceFormat = { type: "price", precision: digits, minMove: 1 / 10 ** digits };
        const quiet = { priceLineVisible: false, lastValueVisible: false };
        let made = null;
        if (series.kind === "candles") {
          made = api.addSeries(library.CandlestickSeries, {
            upColor: colours.up, downColor: colours.down, wickUpColor: colours.up, wickDownColor: colours.down,
            borderVisible: false, priceFormat, priceLineColor: colours.text,
          }, index);
          live.candles ??= made;
        } else if (series.kind === "markers") {
          const bought = (label) => /^(buy|enter|long)/i.test(label);
          const marks = series.times.map((time, i) => ({
            time: seconds(time),
            position: bought(series.labels[i] || "") ? "belowBar" : "aboveBar",
            shape: bought(series.labels[i] || "") ? "arrowUp" : "arrowDown",
            color: bought(series.labels[i] || "") ? colours.up : colours.down,
            size: 1,
          }));
          if (main) library.createSeriesMarkers(main, marks);
          container.dataset.markers = String(marks.length);
          if (series.name) named.push({ name: series.name, colour: colours.up, kind: "dot" });
          continue;
        } else if (series.kind === "histogram") {
          made = api.addSeries(library.HistogramSeries, {
            ...quiet, color: translucent(container, colours.text, 35), priceFormat: { type: "volume" },
          }, index);
          named.push({ name: series.name, colour: translucent(container, colours.text, 60), kind: "dot" });
          live.volume ??= made;
        } else {
          const toned = { good: colours.up, bad: colours.down }[series.tone];
          const band = family(series.name) !== series.name;
          const colour = toned || own(family(series.name));
          const options = { ...quiet, priceFormat, lineWidth: 2, crosshairMarkerVisible: false };
          made = series.kind === "area"
            ? api.addSeries(library.AreaSeries, {
                ...options, lineColor: colour,
                topColor: translucent(container, colour, 28), bottomColor: translucent(container, colour, 2),
              }, index)
            : api.addSeries(library.LineSeries, { ...options, color: colour, lineWidth: band ? 1 : 2 }, index);
          const unit = pane.unit === "%" && series.name ? " (%)" : "";
          named.push({ name: family(series.name) + unit, colour, kind: "line" });
        }
        made.setData(points(series));
        main ??= made;
      }
    });
    api.panes().forEach((pane, index) => pane.setStretchFactor(current.panes[index]?.weight ?? 1));
    head.append(title, legend(current, named.filter(({ name }, i) => name && named.findIndex((one) => one.name === name) === i)));
    const candles = current.panes.flatMap((pane) => pane.series).find((series) => series.kind === "candles");
    drawn = { api, plot, live, count: candles ? candles.times.length : 0 };
    frame();
    container.dataset.scheme = scheme.matches ? "dark" : "light";
    container.dataset.drawn = "true";
  }

  /* As many bars as can be told apart; the chart begins with the newest and is dragged to the others. */
  function frame() {
    const { api, plot, count } = drawn;
    const room = Math.floor(plot.clientWidth / 4.8); // below five pixels a bar is a line
    if (count > room) {
      api.timeScale().setVisibleLogicalRange({ from: count - room, to: count + 4 });
    } else api.timeScale().fitContent();
  }

  let width = 0;
  const observer = new ResizeObserver(() => {
    if (!drawn) return;
    const { clientWidth, clientHeight } = drawn.plot;
    if (!clientWidth || !clientHeight) return;
    drawn.api.resize(clientWidth, clientHeight);
    if (clientWidth !== width) frame(); // else candles bunch up when a phone turns
    width = clientWidth;
  });
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  /* Colours come from the page's style, so there is nothing to draw with before the container stands in the page. */
  let waiting = 0;
  const rebuild = () => {
    cancelAnimationFrame(waiting);
    if (!container.isConnected) {
      waiting = requestAnimationFrame(rebuild);
      return;
    }
    drawn?.api.remove();
    drawn = null;
    build();
    observer.disconnect();
    observer.observe(drawn.plot);
  };
  scheme.addEventListener("change", rebuild);
  rebuild();

  return {
    update(next) {
      current = next;
      rebuild();
    },
    /* bar: {time (ms), open, high, low, close, volume}: replaces the last bar or begins the next */
    setBar(bar) {
      if (!drawn?.live.candles || !bar || !Number.isFinite(bar.close)) return;
      const time = seconds(bar.time);
      try {
        drawn.live.candles.update({ time, open: bar.open, high: bar.high, low: bar.low, close: bar.close });
        if (Number.isFinite(bar.volume)) drawn.live.volume?.update({ time, value: bar.volume });
      } catch {
        return; // the bar is older than what is drawn: the next refresh is newer
      }
    },
    destroy() {
      cancelAnimationFrame(waiting);
      scheme.removeEventListener("change", rebuild);
      observer.disconnect();
      drawn?.api.remove();
      drawn = null;
    },
  };
}
