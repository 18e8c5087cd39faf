"""Looks in a CUHK's home for the entry of each certificate, and for that entry in the tiles under the
newest checkpoint (C2SP tlog-tiles, RFC 6962). Prints how many there are of each kind."""
import base64, collections, hashlib, json, pathlib, sqlite3, sys
from cryptography import x509

home = pathlib.Path(sys.argv[1])
log = home / "log"
_, size, root, *_ = (log / "checkpoint").read_text().splitlines()
size = int(size)

published = entries(log, size)
assert base64.b64decode(root) == tree(published)

database = sqlite3.connect(home / "cuhk.db")
certificates = "SELECT der, subject, profile FROM certificate WHERE der IS NOT NULL"
entry = "SELECT number, salt, content FROM log_entry WHERE serial = ?"
counts, keys = collections.Counter(), set()
for der, subject, profile in database.execute(certificates).fetchall():
    # What was signed, and not what a column says of it.
    certificate = x509.load_der_x509_certificate(der)
    serial = certificate.serial_number.to_bytes(16, "big")
    found = database.execute(entry, [serial]).fetchall()
    assert len(found) == 1, f"no entry about {subject}, {serial.hex()}"
    number, salt, content = found[0]
    assert number < size, "not published yet"
    assert published[number] == hashlib.sha256(salt + content.encode()).digest(), "not in the tiles"
    said = json.loads(content)
    assert said["type"] == "certificate"
    assert said["subject"] == subject and said["profile"] == profile
    assert int(said["serial"], 16) == certificate.serial_number
    assert said["cert_sha256"] == hashlib.sha256(der).hexdigest()
    counts[f"{subject} {profile}"] += 1
    keys.add(certificate.public_key().public_numbers())
assert len(keys) == sum(counts.values()), "a key was certified twice"
print(json.dumps(counts))
