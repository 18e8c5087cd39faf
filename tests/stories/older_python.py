"""What older versions of `cryptography` lack, taken from one that has it: `docs/verify_files.py` does without.

    older_python.py DOCS CHAIN.pem ROOT.pem
"""

import sys
from datetime import datetime, timezone

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import verify_files  # noqa: E402
from cryptography.exceptions import InvalidSignature  # noqa: E402

KNOWN = {"issuer", "subject", "signature", "tbs_certificate_bytes", "signature_hash_algorithm", "public_key"}


class Older:
    """A certificate of before 40, or a list of before 42."""

    def __init__(self, whole, **more):
        for name in KNOWN if whole else []:
            setattr(self, name, getattr(whole, name))
        for name, value in more.items():
            setattr(self, name, value)


def refused(certificate, issuer, *how):
    try:
        verify_files.issued_by(certificate, issuer)
    except how:
        return
    raise SystemExit("an issuer that it is not of")


chain = verify_files.certificates(open(sys.argv[2], "rb").read())
(root,) = verify_files.certificates(open(sys.argv[3], "rb").read())
leaf, issuer = chain[:2]
for one, above in ((leaf, issuer), (issuer, root), (root, root)):
    verify_files.issued_by(one, above)
    verify_files.issued_by(Older(one), above)
refused(Older(leaf), root, ValueError)
refused(Older(leaf, issuer=root.subject), root, InvalidSignature)
refused(Older(leaf, tbs_certificate_bytes=issuer.tbs_certificate_bytes), issuer, InvalidSignature)

naive = datetime(2026, 11, 23, 9, 30)
aware = naive.replace(tzinfo=timezone.utc)
assert verify_files.time_of(Older(None, last_update=naive), "last_update") == aware
assert verify_files.time_of(Older(None, last_update=None, last_update_utc=aware), "last_update") == aware
try:
    verify_files.certificates(b"nothing")
    raise SystemExit("no certificate is none")
except ValueError:
    print("as the newest")
