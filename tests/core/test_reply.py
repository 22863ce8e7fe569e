"""Blocks over a socket: what arrives is what was sent."""

import json

from core.reply import File, Text, from_json, to_json


def test_a_file_survives_the_way_over_a_socket() -> None:
    reply = [Text("Here."), File.of("a.parquet", "application/octet-stream", bytes(range(256)))]
    arrived = from_json(json.loads(json.dumps(to_json(reply))))
    assert list(arrived) == reply
    assert arrived[1].content == bytes(range(256))
