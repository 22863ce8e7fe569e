"""Tickets as order rows, and what `decide` wrote back as a ticket."""

import math
from typing import Any

import numpy as np

from core.simulation import fields
from core.simulation.state import Floats
from core.trading.tickets import WHOLE, Ticket

ZERO = (fields.O_GROUP, fields.O_VISITED, fields.O_PARENT, fields.O_CHILDREN, fields.O_OPENED)
AMOUNTS = (
    ("quantity", fields.BY_QUANTITY), ("spend", fields.BY_SPEND), ("exposure", fields.BY_EXPOSURE),
    ("worth", fields.BY_WORTH), ("position", fields.BY_POSITION),
)  # fmt: skip
PRICES = (
    ("limit", fields.O_LIMIT), ("trigger", fields.O_TRIGGER), ("trail", fields.O_TRAIL),
    ("distance", fields.O_DISTANCE), ("stop", fields.O_STOP), ("target", fields.O_TARGET),
    ("protect_trail", fields.O_PROTECT_TRAIL), ("protect_distance", fields.O_PROTECT_DISTANCE),
)  # fmt: skip


def row_of(i: int, ticket: Ticket) -> Floats:
    """The ticket as an order row; absent prices are NaN."""
    row = np.full(fields.ORDER, np.nan)
    for column in ZERO:
        row[column] = 0.0
    row[fields.O_KIND] = fields.KINDS.index(ticket.kind)
    row[fields.O_INSTRUMENT] = i
    row[fields.O_SIDE] = ticket.side
    for name, mode in AMOUNTS:
        amount = getattr(ticket, name)
        if amount is not None:
            row[fields.O_MODE], row[fields.O_AMOUNT] = mode, amount
            if mode >= fields.BY_EXPOSURE and ticket.kind == "market":
                row[fields.O_SIDE] = 0.0
    for name, column in PRICES:
        value = getattr(ticket, name)
        if value is not None:
            row[column] = value
    row[fields.O_REDUCE] = float(ticket.reduce_only)
    row[fields.O_TIF] = fields.TIMES_IN_FORCE.index(ticket.time_in_force)
    row[fields.O_EXPIRES] = np.inf if ticket.expires is None else ticket.expires
    row[fields.O_REF] = 0 if ticket.ref is None else ticket.ref
    row[fields.O_GROUP] = 0 if ticket.group is None else ticket.group
    row[fields.O_CHILDREN] = len(ticket.targets)
    return row


def target_rows(i: int, ticket: Ticket, ref: float) -> list[Floats]:
    """The partial targets of an entry as order rows that sleep until it fills."""
    rows = []
    before = 0.0
    for number, (price, _) in enumerate(ticket.targets):
        until = math.fsum(fraction for _, fraction in ticket.targets[: number + 1])
        row = row_of(i, Ticket("limit", 1, quantity=1.0, limit=price, reduce_only=True))
        row[fields.O_AMOUNT] = 0.0
        row[fields.O_REF] = row[fields.O_PARENT] = ref
        row[fields.O_FROM] = before
        row[fields.O_UNTIL] = before = 1.0 if until > 2.0 - WHOLE else until
        rows.append(row)
    return rows


def ticket_of(row: Floats) -> Ticket:
    """The order of a row as a ticket: one that decide wrote, or one that is open; its size is what it still wants."""
    kind: Any = fields.KINDS[int(row[fields.O_KIND])]
    in_force: Any = fields.TIMES_IN_FORCE[int(row[fields.O_TIF])]
    expires = float(row[fields.O_EXPIRES])
    sizes: dict[str, Any] = {name: float(row[fields.O_AMOUNT]) for name, mode in AMOUNTS if row[fields.O_MODE] == mode}
    prices: dict[str, Any] = {name: None if np.isnan(row[column]) else float(row[column]) for name, column in PRICES}
    if prices["protect_distance"] is not None:
        prices["protect_trail"] = None
    return Ticket(
        kind=kind,
        side=int(row[fields.O_SIDE]),
        reduce_only=bool(row[fields.O_REDUCE]),
        time_in_force=in_force,
        expires=int(expires) if np.isfinite(expires) else None,
        ref=int(row[fields.O_REF]) or None,
        group=int(row[fields.O_GROUP]) or None,
        **sizes,
        **prices,
    )
