"""The pages of the web app: the shell, and the one for people who are not signed in."""

from html import escape

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" type="image/svg+xml" href="/static/icon.svg">
<link rel="manifest" href="/static/app.webmanifest">
<link rel="stylesheet" href="/static/theme.css">
<link rel="stylesheet" href="/static/app.css">
{extra}</head>
"""

SHELL = (
    HEAD
    + """<body class="chat">
<a class="skip" href="#line">Skip to the input</a>
<header class="bar">
  <a class="brand" href="/"><img src="/static/icon.svg" alt="" width="24" height="24">CryptoOrchestrator</a>
  <nav aria-label="Main">
    <a href="/" aria-current="page">Chat</a>
    <a href="/dashboards/voila/render/market.ipynb">Market</a>
    <form method="post" action="/logout"><button class="quiet" type="submit">Sign out</button></form>
  </nav>
</header>
<main>
  <h1 class="visually-hidden">Chat with the trading assistant</h1>
  <div id="log" role="log" aria-live="polite" aria-label="Conversation" tabindex="0">
    <section id="welcome">
      <h2>{greeting}</h2>
      <p>Ask in your own words, or begin with one of these.</p>
      <div class="choices" id="starters"></div>
    </section>
  </div>
</main>
<footer>
  <p id="connection" role="status"></p>
  <form id="say" autocomplete="off">
    <label class="visually-hidden" for="line">Message</label>
    <input id="line" name="line" type="text" maxlength="2000" enterkeyhint="send" autocapitalize="none"
      placeholder="price btc · buy 0.01 btc · help" autofocus>
    <button type="submit" class="primary">Send</button>
  </form>
</footer>
</body>
</html>
"""
)

NOTE = (
    HEAD
    + """<body class="note">
<main>
  <img src="/static/icon.svg" alt="" width="56" height="56">
  <h1>{heading}</h1>
  {body}
</main>
</body>
</html>
"""
)

API = (
    HEAD
    + """<body class="api">
<header class="bar">
  <a class="brand" href="/"><img src="/static/icon.svg" alt="" width="24" height="24">CryptoOrchestrator</a>
  <nav aria-label="Main">
    <a href="/">Chat</a>
    <a href="/dashboards/voila/render/market.ipynb">Market</a>
    <a href="/api/docs" aria-current="page">API</a>
  </nav>
</header>
<main id="api"></main>
</body>
</html>
"""
)

API_HEAD = (
    '<link rel="stylesheet" href="/api/docs/swagger-ui.css">\n'
    '<link rel="stylesheet" href="/static/api.css">\n'
    '<script src="/api/docs/swagger-ui-bundle.js" defer></script>\n'
    '<script src="/static/api.js" defer></script>\n'
)

SHELL_HEAD = (
    '<link rel="stylesheet" href="/static/chart.css">\n'
    '<script src="/static/lightweight-charts.js" defer></script>\n'
    '<script type="module" src="/static/app.js"></script>\n'
)


def shell(name: str) -> str:
    """The web app for a signed-in person."""
    greeting = f"Good to see you, {escape(name)}." if name not in ("", "Owner") else "Good to see you."
    return SHELL.format(title="CryptoOrchestrator", extra=SHELL_HEAD, greeting=greeting)


def api_page() -> str:
    """The description of the API, to read and to try."""
    return API.format(title="API · CryptoOrchestrator", extra=API_HEAD)


def sign_in_page(problem: str = "") -> str:
    """How to come in; `problem` says why a link did not work."""
    body = (
        (f'<p class="bad" role="alert">{escape(problem)}</p>' if problem else "")
        + "<p>Open the link that <code>orchestrator run</code> prints. It works once "
        + "and keeps this browser signed in.</p>"
        + "<p>For a new link, say <code>login</code> in the chat or run <code>orchestrator user login</code>.</p>"
    )
    return NOTE.format(title="Sign in · CryptoOrchestrator", extra="", heading="Sign in", body=body)


def message_page(heading: str, sentence: str) -> str:
    """A page of one sentence."""
    body = f"<p>{escape(sentence)}</p>"
    return NOTE.format(title=f"{escape(heading)} · CryptoOrchestrator", extra="", heading=escape(heading), body=body)
