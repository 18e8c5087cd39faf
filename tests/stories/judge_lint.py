"""pkilint's findings, as JSON: what, which document, how severe, which code, and where.

Arguments: `cert FILE`, `crl FILE` or `pair ISSUER SUBJECT`, any number of them. pkilint takes a URI
for one only if its scheme is among nine, from ftp to telnet. `spiffe`, which is registered with
IANA, is added here; all else in such a URI is judged as ever.
"""

import contextlib
import csv
import importlib
import io
import json
import sys

import validators

url = validators.url
validators.url = lambda value, *more: url(value.replace("spiffe://", "https://", 1), *more)

LINTERS = {
    "cert": (1, "lint_pkix_cert", []),
    "crl": (1, "lint_crl", ["-t", "CRL", "-p", "PKIX"]),
    "pair": (2, "lint_pkix_signer_signee_cert_chain", []),
}

findings = []
words = sys.argv[1:]
while words:
    count, linter, options = LINTERS[words.pop(0)]
    files, words = words[:count], words[count:]
    main = importlib.import_module("pkilint.bin." + linter).main
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        found = main(["lint", "-f", "CSV", "-s", "NOTICE", *options, *files])
    rows = list(csv.DictReader(io.StringIO(said.getvalue().strip())))
    # A file that it could not read is told by the exit code, too.
    assert len(rows) == found, (files, found, rows)
    for row in rows:
        findings.append({"file": files[-1], "severity": row["severity"], "code": row["code"],
                         "at": row["node_path"], "message": row["message"]})
print(json.dumps(findings))
