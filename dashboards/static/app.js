/* The chat: lines out, blocks in. Every text is set as text, never as markup. */
import { drawChart } from "/static/chart.js";

const log = document.getElementById("log");
const form = document.getElementById("say");
const input = document.getElementById("line");
const connection = document.getElementById("connection");
const STARTERS = ["price btc", "chart eth", "balance", "backtest sma_cross btc 1h", "help"];

const history = JSON.parse(sessionStorage.getItem("lines") || "[]");
let place = history.length;
let socket = null;
let attempt = 0;
let number = 0;
const waiting = new Map(); // id: {answer, line}

/* ---- building elements ---- */

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function button(label, className, act) {
  const element = make("button", className, label);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

const heading = (text, ...more) => (text ? make("h3", "", text, ...more) : null);

function factList(facts) {
  const list = make("dl", "facts");
  for (const [name, value] of facts) list.append(make("dt", "", name), make("dd", "", value));
  return list;
}

/* ---- one function per block ---- */

const render = {
  Text(block) {
    const paragraph = make("p", `words ${block.tone}`, block.text);
    if (block.tone === "bad") paragraph.setAttribute("role", "alert");
    return paragraph;
  },
  Facts(block) {
    return make("section", "card facts-card", heading(block.title), factList(block.facts),
      block.note ? make("p", "note-line", block.note) : null);
  },
  Table(block) {
    if (!block.rows.length) return make("section", "card", heading(block.title), make("p", "note-line", block.empty));
    const numeric = new Set(block.numeric);
    const cells = (row, tag) => row.map((text, i) => {
      const cell = make(tag, numeric.has(i) ? "number" : "", text);
      if (tag === "th") cell.scope = "col";
      return cell;
    });
    const table = make("table", "",
      make("thead", "", make("tr", "", ...cells(block.columns, "th"))),
      make("tbody", "", ...block.rows.map((row) => make("tr", "", ...cells(row, "td")))));
    const scroller = make("div", "scroller", table);
    scroller.tabIndex = 0;
    scroller.setAttribute("role", "group");
    scroller.setAttribute("aria-label", block.title || "Table");
    return make("section", "card wide", heading(block.title), scroller);
  },
  Chart(block) {
    const card = make("section", "card wide");
    requestAnimationFrame(() => { drawChart(card, block); follow(); });
    return card;
  },
  Choices(block) {
    const row = make("div", "choices");
    for (const choice of block.choices) row.append(button(choice.label, "secondary", () => say(choice.line)));
    return make("section", "card", block.question ? make("p", "", block.question) : null, row);
  },
  Confirm(block) {
    const badge = block.mode ? make("span", `badge${block.mode === "LIVE" ? " live" : ""}`, block.mode) : null;
    const answer = (word) => () => {
      for (const element of buttons.children) element.disabled = true;
      say(`${word} ${block.token}`, word === "yes" ? block.yes : block.no);
    };
    const buttons = make("div", "choices", button(block.yes, "primary", answer("yes")), button(block.no, "secondary", answer("no")));
    const left = make("p", "note-line");
    left.setAttribute("aria-live", "off");
    const until = Date.now() + block.expires_in * 1000;
    const tick = () => {
      const seconds = Math.ceil((until - Date.now()) / 1000);
      const done = buttons.firstChild.disabled;
      if (seconds <= 0 && !done) for (const element of buttons.children) element.disabled = true;
      left.textContent = done ? "" : seconds > 0 ? `Open for ${seconds} s.` : "Expired. Ask again for a new preview.";
      if (seconds > 0 && !done) setTimeout(tick, 1000);
    };
    setTimeout(tick, 0);
    const warnings = block.warnings.length ? make("ul", "warnings", ...block.warnings.map((text) => make("li", "", text))) : null;
    return make("section", "card confirm", heading(block.question, badge), factList(block.facts), warnings, buttons, left);
  },
  File(block) {
    const bytes = Uint8Array.from(atob(block.data), (letter) => letter.charCodeAt(0));
    const link = make("a", "button secondary", `Download ${block.name}`);
    link.href = URL.createObjectURL(new Blob([bytes], { type: block.mime }));
    link.download = block.name;
    return make("section", "card", link);
  },
  Progress(block) {
    const bar = make("progress");
    bar.setAttribute("aria-label", block.text);
    if (block.fraction !== null) { bar.max = 1; bar.value = block.fraction; }
    const eta = block.eta !== null && block.eta >= 1 ? ` · about ${Math.ceil(block.eta)} s left` : "";
    const working = make("div", "working", make("p", "", block.text + eta), bar);
    working.setAttribute("aria-live", "off"); // a reader is told the answer, not every step towards it
    return working;
  },
  Form(block) {
    const element = make("form", "card wide", heading(block.title));
    const fields = make("div", "fields");
    for (const field of block.fields) {
      let control;
      if (field.kind === "choice") {
        control = make("select", "", ...field.choices.map((choice) => make("option", "", choice)));
        control.value = field.default || field.choices[0];
      } else {
        control = make("input");
        control.type = field.kind === "number" ? "number" : "text";
        if (field.kind === "number") control.step = "any";
        control.value = field.default;
      }
      control.name = field.name;
      control.required = field.required;
      fields.append(make("label", "", field.label, control));
    }
    const submit = make("button", "primary", block.submit);
    element.append(fields, submit);
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      const words = block.fields.map((field) => {
        const value = element.elements[field.name].value.trim();
        return value ? `${field.name}=${/\s/.test(value) ? JSON.stringify(value) : value}` : "";
      });
      say([block.command, ...words.filter(Boolean)].join(" "));
    });
    return element;
  },
};

function blocks(list) {
  return list.map((block) => (render[block.type] ? render[block.type](block) : make("p", "words", String(block.text ?? ""))));
}

/* ---- the conversation ---- */

let pinned = true;
log.addEventListener("scroll", () => { pinned = log.scrollHeight - log.scrollTop - log.clientHeight < 80; });
let asked = null; // the newest line: a long answer is read from its beginning
function follow() {
  if (!pinned) return;
  const beginning = asked ? asked.offsetTop - log.offsetTop - 12 : Infinity;
  log.scrollTop = Math.min(log.scrollHeight, beginning);
}

function say(line, shown) {
  const text = line.trim();
  if (!text) return;
  document.getElementById("welcome")?.remove();
  const id = ++number;
  const thinking = make("p", "thinking", "Thinking");
  thinking.setAttribute("aria-live", "off");
  const answer = make("section", "answer", thinking);
  answer.setAttribute("aria-label", `Answer to ${shown || text}`);
  asked = make("div", "said", make("p", "", shown || text));
  log.append(asked, answer);
  waiting.set(id, { answer, line: text, sent: false });
  pinned = true;
  follow();
  flush();
}

function flush() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  for (const [id, entry] of waiting) {
    if (entry.sent) continue;
    entry.sent = true;
    socket.send(JSON.stringify({ line: entry.line, id }));
  }
}

function receive(message) {
  if (message.notice) {
    const notice = make("section", "answer notice-block", ...blocks(message.notice));
    notice.firstElementChild?.classList.add("notice");
    document.getElementById("welcome")?.remove();
    log.append(notice);
    if (!waiting.size) asked = null;
  } else {
    const entry = waiting.get(message.id);
    if (message.progress) {
      entry?.answer.replaceChildren(render.Progress(message.progress));
    } else if (message.reply) {
      const answer = entry?.answer ?? log.appendChild(make("section", "answer"));
      answer.replaceChildren(...blocks(message.reply));
      waiting.delete(message.id);
    }
  }
  follow();
}

/* A preview is answered in the page that shows it, also when its connection was renewed meanwhile. */
const chat = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/chat?chat=${chat}`);
  socket.addEventListener("open", () => {
    attempt = 0;
    connection.textContent = "";
    document.body.dataset.connected = "true";
    flush();
  });
  socket.addEventListener("message", (event) => receive(JSON.parse(event.data)));
  socket.addEventListener("close", async () => {
    document.body.dataset.connected = "false";
    for (const [id, entry] of waiting) {
      if (!entry.sent) continue; // what was sent may have been done: say so rather than send it twice
      entry.answer.replaceChildren(render.Text({ tone: "warning", text: "The connection broke before the answer came. Look (orders, balance) before you repeat it." }));
      waiting.delete(id);
    }
    connection.textContent = "Reconnecting…";
    if (await signedOut()) {
      location.reload();
      return;
    }
    setTimeout(connect, Math.min(15000, 500 * 2 ** attempt++) * (0.75 + Math.random() / 2));
  });
}

async function signedOut() {
  try {
    return (await fetch("/api/v1/session", { cache: "no-store" })).status === 401;
  } catch {
    return false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const line = input.value.trim();
  if (!line) return;
  if (history.at(-1) !== line) history.push(line);
  sessionStorage.setItem("lines", JSON.stringify(history.slice(-100)));
  place = history.length;
  input.value = "";
  say(line);
});

input.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
  event.preventDefault();
  place = Math.max(0, Math.min(history.length, place + (event.key === "ArrowUp" ? -1 : 1)));
  input.value = history[place] ?? "";
});

for (const line of STARTERS) document.getElementById("starters").append(button(line, "secondary", () => say(line)));
connect();
