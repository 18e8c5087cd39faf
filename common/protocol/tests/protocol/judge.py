"""Judges an unpacked receipt and an identity token with nothing but `cryptography`.

Run in the folder of the receipt, with the trust domain as argument. Prints a line for each
thing found in order; anything else is an exception.
"""

import base64
import hashlib
import json
import re
import sys
from datetime import datetime, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

DOMAIN = sys.argv[1]
SERVER, CLIENT, DOCUMENT = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.36"


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


def thumbprint(certificate):
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


root = x509.load_pem_x509_certificate(read("cuhk-ca.pem"))
root.verify_directly_issued_by(root)
check(uri(root) == DOMAIN, "the root's name")
statement, entry = json.loads(read("statement.json")), json.loads(read("leaf.json"))
accepted = entry["entry"]["accepted"]
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


chains = x509.load_pem_x509_certificates(read("chains.pem"))
authorities = [c for c in chains if uri(c) == DOMAIN]
leaves = [c for c in chains if c not in authorities]
for leaf in leaves:
    kind = {CLIENT, DOCUMENT} if "/student/" in uri(leaf) else {SERVER, CLIENT}
    check(usages(leaf) == kind, "key usage of " + uri(leaf))
    (issuer,) = [a for a in authorities if a.subject == leaf.issuer]
    allowed = {CLIENT, DOCUMENT} if "/student/" in uri(leaf) else {SERVER, CLIENT, DOCUMENT}
    check(usages(issuer) == allowed, "issuer of " + uri(leaf))
    verify_chain(leaf, issuer)
students = [c for c in leaves if "/student/" in uri(c)]
services = [c for c in leaves if "/service/" in uri(c)]
check([uri(c) for c in services] == [statement["service"]], "the service's chain")
print("chains: %d students, %d service, %d issuers" % (len(students), len(services), len(authorities)))

blocks = re.findall(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----\n?", read("crl.pem"), re.S)
lists = [x509.load_pem_x509_crl(block) for block in blocks]
for authority in [root] + authorities:
    (crl,) = [c for c in lists if c.is_signature_valid(authority.public_key())]
    check(crl.issuer == authority.subject, "issuer of a list")
    check(crl.last_update_utc <= accepted_at <= crl.next_update_utc, "time of a list")
    for certificate in chains:
        serial = certificate.serial_number
        check(crl.get_revoked_certificate_by_serial_number(serial) is None, "revoked")
print("lists: %d, nobody revoked" % len(lists))

named = [(m["sid"], m["cert_sha256"]) for m in statement["members"]]
own = {(uri(c).rsplit("/", 1)[1], thumbprint(c).hex()) for c in students}
check(set(named) == own, "members and chains")
signed = pkcs7.load_der_pkcs7_certificates(read("statement.p7s"))
check({h for _, h in named} <= {thumbprint(c).hex() for c in signed}, "certificates of the signers")
print("signers: certificates of all %d" % len(named))

now = int(accepted_at.replace(tzinfo=timezone.utc).timestamp())
domain, service, course, assignment = entry["log"].split("/")
check(statement["service"] == "spiffe://%s/service/%s" % (domain, service), "the log's service")
check((course, assignment) == (statement["course"], statement["assignment"]), "the log")


def verify_answer():
    """CUHK's answer about all members."""
    answer = verify_token(read("verification.jwt").decode(), "scb-verification+jwt")
    check(answer["iss"] == DOMAIN + "/service/cuhk", "issuer of the answer")
    check(answer["aud"] == statement["service"], "asker")
    check(answer["iat"] - 60 <= now <= answer["exp"] + 60, "time of the answer")
    check(answer["exp"] == answer["iat"] + 60, "lifetime of the answer")
    told = [(m["sub"], unbase64(m["x5t#S256"]).hex(), m["active"]) for m in answer["members"]]
    check(told == [(DOMAIN + "/student/" + s, h, True) for s, h in named], "members of the answer")
    print("verification: %s active" % " ".join(s for s, _ in named))


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


def verify_tokens():
    """The identity tokens of all members, as CUHK was away."""
    tokens = read("tokens.jwt").decode().splitlines()
    check(len(tokens) == len(named), "number of tokens")
    for token, (sid, certificate) in zip(tokens, named):
        verify_identity(token, sid, certificate)
    print("tokens: %s in force" % " ".join(s for s, _ in named))


{"verified": verify_answer, "tokens": verify_tokens}[accepted["mode"]]()
token = verify_identity(read("token.txt").decode(), *named[0])
print("token: %s for %s" % (named[0][0], token["aud"]))
