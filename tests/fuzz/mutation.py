"""Makes inputs that are almost right: valid messages with bits, lengths and pieces changed, and rubbish.

Everything comes from one seed, so a number names an input for good.
"""

import random

#: Bytes that mean something to msgpack, JSON, URLs and seals.
_TELLING = bytes(range(0x80, 0x100, 5)) + b'\x00\x01\x7f{}[]",:\\/@?#%=&-._ \n\r\t0123456789eE+'

#: Lengths and numbers at the edges.
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def mutate(seeds, number, salt=b""):
    """Return input number `number`: one of the seeds, changed in one to eight ways."""
    source = random.Random(b"%b %d" % (salt, number))
    data = bytearray(source.choice(seeds))
    for _ in range(source.randint(1, 8)):
        source.choice(_CHANGES)(source, data, seeds)
    return bytes(data)


def _place(source, data):
    return source.randrange(len(data) + 1)


def _flip(source, data, _seeds):
    if data:
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)


def _replace(source, data, _seeds):
    if data:
        data[source.randrange(len(data))] = source.choice(_TELLING)


def _insert(source, data, _seeds):
    place = _place(source, data)
    data[place:place] = bytes([source.choice(_TELLING)]) * source.choice((1, 1, 2, 9, 200))


def _cut(source, data, _seeds):
    del data[_place(source, data) :]


def _remove(source, data, _seeds):
    place = _place(source, data)
    del data[place : place + source.choice((1, 2, 4, 16))]


def _splice(source, data, seeds):
    other = source.choice(seeds)
    place = _place(source, data)
    data[place:] = other[_place(source, other) :]


def _repeat(source, data, _seeds):
    place = _place(source, data)
    data[place:place] = data[place : place + 16] * source.choice((1, 3, 50))


def _edge(source, data, _seeds):
    place, width = _place(source, data), source.choice((1, 2, 4, 8))
    data[place : place + width] = (source.choice(_EDGES) % 256**width).to_bytes(width, "big")


def _rubbish(source, data, _seeds):
    data[:] = source.randbytes(source.choice((0, 1, 5, 60, 500)))


_CHANGES = (_flip, _flip, _replace, _replace, _insert, _cut, _remove, _splice, _repeat, _edge, _edge, _rubbish)
