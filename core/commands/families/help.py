"""Help that teaches: what there is, how to say it, and what it does."""

from core.commands.context import Context
from core.commands.registry import FAMILIES, Command, Registry, command
from core.commands.registry import registry as all_commands
from core.errors import NotFound
from core.reply import Block, Choice, Choices, Reply, Table, Text

TOPICS: dict[str, tuple[tuple[str, ...], str]] = {
    "limit orders": (
        ("limit", "limits"),
        "A limit order waits for its price: buy 0.1 btc at 60k buys at 60,000 or below, sell 0.1 btc at 70k "
        "sells at 70,000 or above. It stays open until it is filled or cancelled.",
    ),
    "stops": (
        ("stop loss", "stops", "stop orders", "target", "take profit", "protect"),
        "A stop sells when the price falls to it, a target when it rises to it: buy 0.1 btc stop 55k target "
        "70k. For coins you hold: put a stop at 55000 on btc.",
    ),
    "paper": (
        ("paper trading", "paper", "simulated", "sandbox", "real money", "live", "fake"),
        "Your account is PAPER: prices move, the money is not real. SIMULATED means that the prices too come "
        "from the built-in market, because no exchange is reached or wanted. Nothing here can spend real money.",
    ),
    "confirming": (
        ("confirm", "preview", "confirmation", "yes"),
        "Whatever moves money is shown first: price, fee, slippage and what you hold afterwards. Answer yes "
        "within a minute and it is done once; answer no and nothing happens. If the price has moved too far, "
        "I ask again.",
    ),
    "costs": (
        ("fees", "fee", "slippage", "costs", "cost"),
        "Trades cost 0.1 % in fees by default, and market orders fill a little worse than the price shown "
        "(slippage). Backtests count the same costs.",
    ),
}


@command(
    family="help",
    aliases=("h", "commands", "menu", "?"),
    examples=("help", "help buy", "how do I set a stop"),
    phrases=(
        "help me",
        "what can (you|i) do [here]",
        "what (do|can) you (do|offer)",
        "how does (this|it) work",
        "how do (you|i use you|i use this) [work]",
        "(hello|hi|hey|good morning|good evening|hey there|hi there|howdy|greetings|yo)",
        "what are [the|your] commands",
        "[(show|list) [me]] [all|the] [the] commands",
        "who are you",
        "what are you",
        "[i am] new here",
        "i am (lost|stuck|confused)",
        "how (do|can|would|should) (i|you|we) {words}",
        "help [me] [with|on|about] {words}",
        "explain {words}",
        "what (does|do|is) [a|an|the] {concept} [order|orders|trading] [mean]",
        "what are {concept} [orders]",
        "teach me {words}",
        "teach me",
        "where do i (start|begin)",
        "get started",
        "getting started",
        "how to {words}",
    ),
)
async def help_(ctx: Context, *topic: str) -> Reply:
    """Shows what I can do and how to say it.

    topic: a command or a word, e.g. help buy
    """
    registry = ctx.registry or all_commands()
    said = " ".join(topic).strip().lower().lstrip("/")
    if not said:
        return overview(registry, ctx)
    found = registry.find(said.replace(" ", "-"))
    if found:
        return usage(found)
    for name, (words, explanation) in TOPICS.items():
        if said.removeprefix("a ").removeprefix("an ") in (name, *words):
            return [Text(f"{name.capitalize()}. {explanation}")]
    for family, title in FAMILIES.items():
        if said in (family, title.lower()):
            return [
                Table(
                    title, ("Command", "What it does"), tuple((each.name, each.summary) for each in registry.of(family))
                )
            ]
    matches = search(registry, said)
    if not matches:
        near = registry.suggestions(said.split()[0])
        raise NotFound(
            f"I have no help on '{said[:60]}'.",
            hint=f"Did you mean help {near[0]}?" if near else "Write help to see everything.",
        )
    if len(matches) == 1:
        return usage(matches[0])
    return [
        Choices(
            f"Help on '{said[:60]}': which of these?",
            tuple(Choice(f"{each.name}: {each.summary}", f"help {each.name}") for each in matches),
        )
    ]


def overview(registry: Registry, ctx: Context) -> list[Block]:
    """The first thing a newcomer reads."""
    rows = []
    for family, title in FAMILIES.items():
        allowed = [each for each in registry.of(family) if ctx.user.role.covers(each.role) and not each.open]
        examples = [each.examples[0] for each in allowed if each.examples][:3]
        if examples and family != "help":
            rows.append((title, "  ·  ".join(examples)))
    trading = (
        "Whatever moves money is shown to you first and waits for your yes. "
        if ctx.user.role.covers(registry.get("buy").role)
        else "You may look around; trading needs the role trader. "
    )
    return [
        Text(
            f"Write in plain words, for example: buy 0.01 btc, or how am I doing. {trading}The account is "
            f"PAPER: no real money."
        ),
        Table("What I can do", ("", "Say"), tuple(rows)),
        Choices(
            "Try one, or write help and a word for more.",
            (
                Choice("Price of bitcoin", "price btc"),
                Choice("Chart", "chart btc"),
                Choice("Balance", "balance"),
                Choice("Strategies", "strategies"),
            ),
        ),
    ]


def usage(command: Command) -> list[Block]:
    """How one command is used."""
    rows = tuple((each.name, each.help or "–") for each in command.parameters)
    examples = "\n".join(f"  {example}" for example in command.examples)
    blocks: list[Block] = [Text(f"{command.name}: {command.summary}\nSay, for example:\n{examples}")]
    if rows:
        blocks.append(Table(command.usage, ("Argument", "What it is"), rows))
    if command.confirm:
        blocks.append(Text("It shows a preview first and waits for your yes."))
    return blocks


def search(registry: Registry, said: str) -> list[Command]:
    """The commands that speak of what was asked, best first."""
    words = {word.rstrip("s") for word in said.replace("?", "").split() if len(word) > 2} - {
        "the",
        "and",
        "for",
        "with",
        "how",
        "bitcoin",
        "some",
    }
    ranked = []
    for each in registry.commands:
        near = {each.name, *each.aliases}
        text = f"{each.summary} {' '.join(each.examples)}".lower()
        score = sum(3 if any(word == name.rstrip("s") for name in near) else 1 if word in text else 0 for word in words)
        if score:
            ranked.append((-score, each.name, each))
    ranked.sort(key=lambda item: item[:2])
    best = [each for score, _, each in ranked if score <= min(-1, ranked[0][0] + 1)] if ranked else []
    return [each for score, _, each in ranked if score == ranked[0][0]] if ranked and ranked[0][0] <= -3 else best[:4]
