"""Reads a log directory (C2SP tlog-tiles), the checkpoint that a student was shown, and the one that
a witness has cosigned (C2SP tlog-cosignature).

argv: the directory, the checkpoint, the log's verifier key; then, if there is a witness, its verifier
key, what it has cosigned, and which part of that is altered first."""
import base64, hashlib, pathlib, struct, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

log, note, vkey = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]


def verifier(vkey, kind):
    """C2SP signed-note: its name, key ID and key."""
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == kind
    assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id
    return name, key_id, Ed25519PublicKey.from_public_bytes(key[1:])


def signatures(note):
    """C2SP signed-note: the text, and each line under it as name, key ID and signature."""
    text, lines = note.split("\n\n")
    lines = [line.removeprefix("\u2014 ").split(" ") for line in lines.splitlines()]
    lines = [(name, base64.b64decode(one)) for name, one in lines]
    return text + "\n", [(name, one[:4].hex(), one[4:]) for name, one in lines]


def logged(note):
    """C2SP tlog-checkpoint, signed by the log: its text, size and root."""
    name, key_id, key = verifier(vkey, 1)
    text, lines = signatures(note)
    signer, signed_by, signature = lines[0]
    assert (signer, signed_by) == (name, key_id)
    key.verify(signature, text.encode())
    origin, size, root = text.splitlines()
    assert origin == name
    return text, int(size), base64.b64decode(root)


def cosigned(vkey, note, altered):
    """C2SP tlog-cosignature, version 1, of a checkpoint of this log."""
    text, size, root = logged(note)
    assert root == tree(entries(log, size))
    name, key_id, key = verifier(vkey, 4)
    if altered == "key":
        key_id = "00000000"
    by_key = [one for signer, id, one in signatures(note)[1] if (signer, id) == (name, key_id)]
    assert len(by_key) == 1, "not by this key"
    (time,) = struct.unpack(">Q", by_key[0][:8])
    assert time > 1_700_000_000
    signature = bytearray(by_key[0][8:])
    if altered == "time":
        time += 1
    if altered == "signature":
        signature[7] ^= 1
    if altered == "tree":
        text = text.replace(f"\n{size}\n", f"\n{size + 1}\n")
    key.verify(bytes(signature), f"cosignature/v1\ntime {time}\n{text}".encode())


_, size, root = logged(note)
assert root == tree(entries(log, size))
if len(sys.argv) > 4:
    cosigned(*sys.argv[4:7])
print("agreed")
