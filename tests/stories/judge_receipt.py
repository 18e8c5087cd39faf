"""Judges an unpacked receipt with Python's `cryptography` alone: signers and verification."""

import base64
import hashlib
import json
import pathlib
import re
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

receipt = pathlib.Path(sys.argv[1])
read = lambda name: (receipt / name).read_bytes()
unpad = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
sha256 = lambda data: hashlib.sha256(data).digest()

leaf, statement = json.loads(read("leaf.json")), json.loads(read("statement.json"))
for name, expected in leaf["entry"]["accepted"]["files"].items():
    assert sha256(read(name)).hex() == expected, name

leaves = {sha256(c.public_bytes(Encoding.DER)).hex(): c
          for c in pkcs7.load_der_pkcs7_certificates(read("statement.p7s"))}
for member in statement["members"]:
    names = leaves[member["cert_sha256"]].extensions.get_extension_for_class(x509.SubjectAlternativeName)
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    assert [uri.rsplit("/", 1)[1] for uri in uris] == [member["sid"]], uris

header, claims, signature = read("verification.jwt").decode().split(".")
chain = [x509.load_der_x509_certificate(base64.b64decode(c)) for c in json.loads(unpad(header))["x5c"]]
root = x509.load_pem_x509_certificate(read("cuhk-ca.pem"))
for certificate, issuer in zip(chain, chain[1:] + [root]):
    certificate.verify_directly_issued_by(issuer)
raw = unpad(signature)
der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
chain[0].public_key().verify(der, f"{header}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))

claims = json.loads(unpad(claims))
assert claims["aud"] == statement["service"]
assert all(member["active"] for member in claims["members"])
told = [(m["sub"].rsplit("/", 1)[1], unpad(m["x5t#S256"]).hex()) for m in claims["members"]]
assert told == [(m["sid"], m["cert_sha256"]) for m in statement["members"]]
print(f"{len(told)} members, confirmed by {claims['iss']}")
