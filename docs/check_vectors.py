#!/usr/bin/env python3
"""Computes docs/vectors.json again, from docs/PROTOCOL.md alone: none of our code.

    python3 docs/check_vectors.py            compares; exit code 1 at the first difference
    python3 docs/check_vectors.py --write    writes the file anew from its inputs

Needs the package `cryptography` (X25519, ChaCha20-Poly1305); the rest is the standard library.
"""

import hashlib
import hmac
import json
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FILE = pathlib.Path(__file__).with_name("vectors.json")


def length_prefixed(part: bytes) -> bytes:
    """L(x) of the protocol."""
    return len(part).to_bytes(4, "big") + part


def transcript(*parts: bytes) -> bytes:
    """H(a, b, …) of the protocol."""
    return hashlib.sha256(b"".join(map(length_prefixed, parts))).digest()


def extract(salt: bytes, key: bytes) -> bytes:
    """HKDF-Extract (RFC 5869)."""
    return hmac.digest(salt or bytes(32), key, "sha256")


def expand(secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869) for at most one block."""
    return hmac.digest(secret, info + b"\x01", "sha256")[:length]


KEM = b"KEM" + (0x0020).to_bytes(2, "big")
SUITE = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (0x0020, 0x0001, 0x0003))


def labeled_extract(suite: bytes, salt: bytes, label: bytes, key: bytes) -> bytes:
    return extract(salt, b"HPKE-v1" + suite + label + key)


def labeled_expand(suite: bytes, secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return expand(secret, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def seal(ephemeral: bytes, recipient: bytes, info: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
    """HPKE base mode, single shot (RFC 9180, sections 4.1, 5.1 and 6.1), with a given ephemeral key."""
    private = X25519PrivateKey.from_private_bytes(ephemeral)
    encapsulation = raw(private.public_key())
    shared = private.exchange(X25519PublicKey.from_public_bytes(recipient))
    eae = labeled_extract(KEM, b"", b"eae_prk", shared)
    secret = labeled_expand(KEM, eae, b"shared_secret", encapsulation + recipient, 32)
    context = (
        b"\x00"
        + labeled_extract(SUITE, b"", b"psk_id_hash", b"")
        + labeled_extract(SUITE, b"", b"info_hash", info)
    )
    schedule = labeled_extract(SUITE, secret, b"secret", b"")
    key = labeled_expand(SUITE, schedule, b"key", context, 32)
    nonce = labeled_expand(SUITE, schedule, b"base_nonce", context, 12)
    return encapsulation, ChaCha20Poly1305(key).encrypt(nonce, plaintext, b"")


def derive(given: dict) -> dict:
    """Every derived value of sections 3 (renewal) and 4 (steps 3 to 6)."""
    members = given["members"]
    publics = [
        raw(X25519PrivateKey.from_private_bytes(bytes.fromhex(m["session_private_key"])).public_key())
        for m in members
    ]
    parts = [b"scb/1", bytes.fromhex(given["exporter"]), given["service"].encode()]
    parts += [bytes.fromhex(given["challenge"]), bytes.fromhex(given["client_certificate"])]
    for member, public in zip(members, publics):
        parts += [member["sid"].encode(), bytes.fromhex(member["certificate"]), public]
    t1 = transcript(*parts)
    proofs = [member["proof"].encode() for member in members]
    tokens = [member["token"].encode() for member in members]
    t2 = transcript(t1, *proofs, *tokens, b"verified", given["verification"].encode())
    t2_tokens = transcript(t1, *proofs, *tokens, b"tokens", b"")
    infos, sealed = [], []
    for index, (member, public) in enumerate(zip(members, publics)):
        items = [b"scb/1 share", t2, member["sid"].encode(), index.to_bytes(4, "big")]
        infos.append(b"".join(map(length_prefixed, items)))
        ephemeral, share = bytes.fromhex(member["ephemeral_key"]), bytes.fromhex(member["share"])
        sealed.append(seal(ephemeral, public, infos[-1], share))
    t3 = transcript(t2, *[s[0] for s in sealed], *[s[1] for s in sealed])
    prk = extract(t3, b"".join(bytes.fromhex(member["share"]) for member in members))
    keys = {
        label: expand(prk, b"scb/1 " + label.encode(), 32)
        for label in ("client confirmation", "server confirmation", "statement mac")
    }
    renewal = transcript(
        b"scb/1 renewal",
        bytes.fromhex(given["exporter"]),
        given["renewal"]["service"].encode(),
        bytes.fromhex(members[0]["certificate"]),
        bytes.fromhex(given["renewal"]["request"]),
    )
    statement = length_prefixed(t3) + length_prefixed(given["statement"].encode())
    return {
        "session_keys": [public.hex() for public in publics],
        "t1": t1.hex(),
        "t2": t2.hex(),
        "t2_tokens": t2_tokens.hex(),
        "infos": [info.hex() for info in infos],
        "encapsulations": [s[0].hex() for s in sealed],
        "ciphertexts": [s[1].hex() for s in sealed],
        "t3": t3.hex(),
        "prk": prk.hex(),
        "confirm_mac": hmac.digest(keys["client confirmation"], length_prefixed(t3), "sha256").hex(),
        "confirmed_mac": hmac.digest(keys["server confirmation"], length_prefixed(t3), "sha256").hex(),
        "renewal": renewal.hex(),
        "statement_mac": hmac.digest(keys["statement mac"], statement, "sha256").hex(),
    }


def main() -> int:
    vectors = json.loads(FILE.read_text())
    derived = derive(vectors["given"])
    if "--write" in sys.argv[1:]:
        vectors["derived"] = derived
        FILE.write_text(json.dumps(vectors, indent=2) + "\n")
        return 0
    for name, value in derived.items():
        if vectors["derived"].get(name) != value:
            print(f"{name}: computed {value}, the file has {vectors['derived'].get(name)}")
            return 1
    print(f"{len(derived)} derived values agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
