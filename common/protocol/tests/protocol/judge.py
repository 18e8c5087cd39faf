"""Judges the identity token of a receipt's first member with nothing but `cryptography`.

Run in the folder of the receipt, with the trust domain as argument. Prints what was found in
order; anything else is an exception.
"""

import base64
import hashlib
import json
import sys
from datetime import datetime, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

DOMAIN = sys.argv[1]
DOCUMENT = "1.3.6.1.5.5.7.3.36"


def read(name):
    with open(name, "rb") as file:
        return file.read()


def check(truth, what):
    if not truth:
        raise SystemExit("wrong: " + what)


def uri(certificate):
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (name,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    return name


def usages(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    return {usage.dotted_string for usage in extension.value}


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


root = x509.load_pem_x509_certificate(read("cuhk-ca.pem"))
root.verify_directly_issued_by(root)
check(uri(root) == DOMAIN, "the root's name")
statement, entry = json.loads(read("statement.json")), json.loads(read("leaf.json"))
accepted_at = datetime.fromisoformat(entry["at"].replace("Z", "+00:00"))


def verify_chain(leaf, issuer):
    """Leaf, issuing authority, root: signatures, times, constraints."""
    leaf.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(root)
    for certificate in (leaf, issuer, root):
        check(certificate.not_valid_before_utc <= accepted_at, "not yet valid")
        check(accepted_at <= certificate.not_valid_after_utc, "expired")
        check(isinstance(certificate.public_key().curve, ec.SECP256R1), "not P-256")
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        check(basic.critical and basic.value.ca == (certificate is not leaf), "basic constraints")
    check(uri(issuer) == DOMAIN, "the issuer's name")


def key_id(key):
    """RFC 7638: the hash of the members that name the key, in order, without spaces."""
    numbers = key.public_numbers()
    x, y = (base64.urlsafe_b64encode(n.to_bytes(32, "big")).rstrip(b"=").decode()
            for n in (numbers.x, numbers.y))
    jwk = json.dumps({"crv": "P-256", "kty": "EC", "x": x, "y": y}, separators=(",", ":"))
    hashed = hashlib.sha256(jwk.encode()).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()


def verify_token(token, typ):
    """RFC 7515 and 7518: ES256 by the first certificate of x5c; returns the claims."""
    header, claims, signature = token.split(".")
    fields = json.loads(unbase64(header))
    check(set(fields) == {"typ", "alg", "kid", "x5c"}, "header")
    check(fields["alg"] == "ES256" and fields["typ"] == typ, "algorithm or type")
    leaf, issuer = (x509.load_der_x509_certificate(base64.b64decode(c)) for c in fields["x5c"])
    verify_chain(leaf, issuer)
    check(fields["kid"] == key_id(leaf.public_key()), "key identifier")
    check(uri(leaf) == DOMAIN + "/service/cuhk" and usages(leaf) == {DOCUMENT}, "token signer")
    raw = unbase64(signature)
    check(len(raw) == 64, "signature length")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    signed = (header + "." + claims).encode()
    der = utils.encode_dss_signature(r, s)
    leaf.public_key().verify(der, signed, ec.ECDSA(hashes.SHA256()))
    return json.loads(unbase64(claims))


named = [(m["sid"], m["cert_sha256"]) for m in statement["members"]]
now = int(accepted_at.replace(tzinfo=timezone.utc).timestamp())


def verify_identity(text, sid, certificate):
    """A member's identity token; returns its claims."""
    token = verify_token(text, "scb-identity+jwt")
    check(token["iss"] == DOMAIN + "/service/cuhk", "issuer of the token")
    check(token["aud"] == statement["service"], "audience of the token")
    check(token["sub"] == DOMAIN + "/student/" + sid, "subject of the token")
    check(unbase64(token["cnf"]["x5t#S256"]).hex() == certificate, "certificate of the token")
    check(token["iat"] - 60 <= now <= token["exp"] + 60, "time of the token")
    check(token["exp"] - token["iat"] == 12 * 3600, "lifetime of the token")
    return token


token = verify_identity(read("token.txt").decode(), *named[0])
print("token: %s for %s" % (named[0][0], token["aud"]))
