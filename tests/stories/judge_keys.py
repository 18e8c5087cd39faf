"""Judges CUHK's key sets by libraries that we did not write: PyJWT and `spiffe` (py-spiffe).

Arguments: JWK set, SPIFFE bundle, root, a service's chain and its key, trust domain, audience,
then files with tokens; of a receipt (ZIP) its verification is taken.
"""

import json
import pathlib
import sys
import zipfile

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from spiffe import JwtBundle, TrustDomain, X509Bundle, X509Svid
from spiffe.bundle.jwt_bundle.errors import ParseJWTBundleError

jwks, bundle, root, chain, key = (pathlib.Path(name).read_bytes() for name in sys.argv[1:6])
domain, audience, tokens = sys.argv[6], sys.argv[7], sys.argv[8:]
issuer = f"spiffe://{domain}/service/cuhk"


def token(name):
    if name.endswith(".zip"):
        return zipfile.ZipFile(name).read("verification.jwt").decode()
    return pathlib.Path(name).read_text().strip()


# RFC 7517: a key is found by its kid, and is that of the certificate beside it.
keys = jwt.PyJWKSet.from_dict(json.loads(jwks))
for described in json.loads(jwks)["keys"]:
    assert described["use"] == "sig" and "d" not in described, described
    certificate = jwt.utils.base64.b64decode(described["x5c"][0])
    certificate = x509.load_der_x509_certificate(certificate)
    assert keys[described["kid"]].key == certificate.public_key()

# SPIFFE: what is for X.509 goes into the one bundle, what is for tokens into the other.
bundle = json.loads(bundle)
of_use = lambda use: [key for key in bundle["keys"] if key["use"] == use]
assert bundle["spiffe_sequence"] > 0 and bundle["spiffe_refresh_hint"] > 0
domain = TrustDomain(domain)
certificates = [jwt.utils.base64.b64decode(key["x5c"][0]) for key in of_use("x509-svid")]
authorities = X509Bundle.parse_raw(domain, b"".join(certificates)).x509_authorities
assert authorities == {x509.load_pem_x509_certificate(root)}
try:
    JwtBundle.parse(domain, json.dumps(bundle).encode())
except ParseJWTBundleError as refused:
    # Only the roots, which have no kid, keep it from reading the whole (docs/TESTING.md).
    assert "keyID" in str(refused), refused
else:
    raise SystemExit("it reads the whole now: give it the whole")
jwt_bundle = JwtBundle.parse(domain, json.dumps({"keys": of_use("jwt-svid")}).encode())
assert len(of_use("x509-svid")) + len(of_use("jwt-svid")) == len(bundle["keys"])

svid = X509Svid.parse(chain, key)
assert svid.spiffe_id.trust_domain == domain
path = svid.cert_chain
for certificate, signer in zip(path, path[1:]):
    certificate.verify_directly_issued_by(signer)
(anchor,) = [a for a in authorities if a.subject == path[-1].issuer]
path[-1].verify_directly_issued_by(anchor)
print("SVID", svid.spiffe_id)

for name in tokens:
    text = token(name)
    kid = jwt.get_unverified_header(text)["kid"]
    authority = jwt_bundle.get_jwt_authority(kid)
    try:
        found = keys[kid]
    except KeyError:
        assert authority is None, "the sets differ"
        print(pathlib.Path(name).suffix, "unknown key")
        continue
    for verifying in (found.key, authority):
        claims = jwt.decode(text, verifying, algorithms=["ES256"], audience=audience, issuer=issuer)
    print(pathlib.Path(name).suffix, claims.get("sub", "about members"))
