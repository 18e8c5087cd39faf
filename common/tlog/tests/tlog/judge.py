"""Judges a log directory from the specifications alone: C2SP and RFC 6962.

argv: the directory, the log's verifier key, the witness's verifier key. Reads proof-<index>.txt
and growth-<old>.txt there, too, and prints `agreed`.
"""

import base64
import hashlib
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

directory = pathlib.Path(sys.argv[1])


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(entry):
    return sha256(b"\x00", entry)


def node(left, right):
    return sha256(b"\x01", left, right)


def mth(hashes):
    """RFC 6962, section 2.1."""
    if not hashes:
        return sha256()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    return node(mth(hashes[:k]), mth(hashes[k:]))


def from_path(index, size, hash_, path):
    """RFC 9162, section 2.1.3.2."""
    fn, sn, r = index, size - 1, hash_
    for p in path:
        assert sn != 0, "the path is too long"
        if fn & 1 or fn == sn:
            r = node(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0, "the path is too short"
    return r


def grown(first, second, first_hash, second_hash, path):
    """RFC 9162, section 2.1.4.2."""
    if first & (first - 1) == 0:
        path = [first_hash] + path
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        assert sn != 0
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == first_hash and sr == second_hash and sn == 0


def vkey(text):
    name, key_id, key = text.split("+", 2)
    key = base64.b64decode(key, validate=True)
    assert sha256(name.encode(), b"\n", key)[:4].hex() == key_id
    return name, bytes.fromhex(key_id), key[0], Ed25519PublicKey.from_public_bytes(key[1:])


def verify_note(note, key, cosignature=False):
    text, lines = note.rsplit("\n\n", 1)
    text += "\n"
    name, key_id, kind, public = vkey(key)
    assert kind == (4 if cosignature else 1)
    for line in lines.splitlines():
        dash, who, value = line.split(" ")
        value = base64.b64decode(value, validate=True)
        if dash != "—" or who != name or value[:4] != key_id:
            continue
        message, signature = text, value[4:]
        if cosignature:
            (time,) = struct.unpack(">Q", signature[:8])
            message, signature = f"cosignature/v1\ntime {time}\n{text}", signature[8:]
        public.verify(signature, message.encode())
        return text
    raise AssertionError("no signature by " + name)


def number(n):
    parts = [f"{n % 1000:03}"]
    while n >= 1000:
        n //= 1000
        parts.insert(0, f"x{n % 1000:03}")
    return "/".join(parts)


def tile(kind, n, width):
    suffix = "" if width == 256 else f".p/{width}"
    return (directory / "tile" / str(kind) / (number(n) + suffix)).read_bytes()


def widths(count):
    return [(n, min(256, count - 256 * n)) for n in range((count + 255) // 256)]


def read_level(level, count):
    """The hashes of a level, and that the files hold nothing else."""
    hashes = []
    for n, width in widths(count):
        data = tile(level, n, width)
        assert len(data) == 32 * width
        hashes += [data[i : i + 32] for i in range(0, len(data), 32)]
    return hashes


def read_entries(count):
    entries = []
    for n, width in widths(count):
        data, found = tile("entries", n, width), 0
        while data:
            (length,) = struct.unpack(">H", data[:2])
            entries.append(data[2 : 2 + length])
            data, found = data[2 + length :], found + 1
        assert found == width
    return entries


note = (directory / "checkpoint").read_text()
origin, size, root = verify_note(note, sys.argv[2]).splitlines()
verify_note(note, sys.argv[3], cosignature=True)
size, root = int(size), base64.b64decode(root, validate=True)
assert origin == sys.argv[2].split("+")[0]

entries = read_entries(size)
leaves = [leaf(entry) for entry in entries]
assert mth(leaves) == root
level, below, count = 0, leaves, size
while count:
    assert read_level(level, count) == below
    below = [mth(below[i : i + 256]) for i in range(0, len(below) - 255, 256)]
    level, count = level + 1, count // 256

for file in directory.glob("proof-*.txt"):
    index = int(file.stem.split("-")[1])
    head, proved = file.read_text().split("\n\n", 1)
    first, second, *path = head.splitlines()
    assert (first, second) == ("c2sp.org/tlog-proof@v1", f"index {index}")
    verify_note(proved, sys.argv[2])
    path = [base64.b64decode(hash_, validate=True) for hash_ in path]
    assert from_path(index, size, leaves[index], path) == root

for file in directory.glob("growth-*.txt"):
    old = int(file.stem.split("-")[1])
    path = [base64.b64decode(hash_) for hash_ in file.read_text().splitlines()]
    assert grown(old, size, mth(leaves[:old]), root, path)

try:
    verify_note(note.replace(f"\n{size}\n", f"\n{size + 1}\n", 1), sys.argv[2])
except InvalidSignature:
    print("agreed")
