"""Reads a log directory (C2SP tlog-tiles) and the checkpoint that a student was shown."""
import base64, hashlib, pathlib, struct, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

log, note, vkey = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
name, key_id, key = vkey.split("+", 2)
key = base64.b64decode(key)
assert key[0] == 1
assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id

text, lines = note.split("\n\n")
text += "\n"
signer, signature = lines.splitlines()[0].removeprefix("\u2014 ").split(" ")
signature = base64.b64decode(signature)
assert (signer, signature[:4].hex()) == (name, key_id)
Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], text.encode())
origin, size, root = text.splitlines()
assert origin == name

entries = []
for bundle in range((int(size) + 255) // 256):
    width = min(256, int(size) - 256 * bundle)
    path = log / "tile/entries" / f"{bundle:03}"
    partial = log / "tile/entries" / f"{bundle:03}.p" / str(width)
    data = (path if path.exists() else partial).read_bytes()
    while data and len(entries) < int(size):
        (length,) = struct.unpack(">H", data[:2])
        entries.append(data[2 : 2 + length])
        data = data[2 + length :]
assert len(entries) == int(size) and all(len(entry) == 32 for entry in entries)


def tree(leaves):
    """RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + tree(leaves[:split]) + tree(leaves[split:])).digest()


assert base64.b64decode(root) == tree(entries)
print("agreed")
