#!/usr/bin/env python3
"""Checks a receipt with Python's standard library and `cryptography`; nothing of the system's own.
`verify_dating.py`, `verify_rules.py`, `verify_kept.py` and `verify_files.py` must be beside it.

    verify_receipt.py RECEIPT.zip ROOT [FILE|FOLDER ...]

ROOT is the SHA-256 fingerprint of CUHK's root certificate, from a place that you trust; two, with
a comma between, for a receipt of the time in which one root took the place of another. With
--witness KEY and --quorum N further witnesses (C2SP verifier keys) must have cosigned, too.
RECEIPT may be any file that members keep: of a statement that was recorded, of a refusal, of rules, as well.
Prints a line for each thing that was found in order, and the verdict last: which file it fails of, and
why. Exit code: 0 if it verifies, 1 if not, or if a FILE is not what was handed in or cannot be read: the
verdict says which; 2 if nothing was judged: RECEIPT cannot be read or is an archive, ROOT is no fingerprint, KEY
is none, N is more than could cosign, FILE, KEY or N are given for what they cannot be asked of, or this Python
lacks something (3.7 or newer, and `cryptography` 3.4 or newer).
"""

import base64
import copy
import hashlib
import json
import re
import sys
import zipfile
from datetime import datetime, timedelta, timezone

try:
    import verify_files  # First: it says what else is lacking.
except ImportError as lacking:
    print("nothing was judged: %s: it belongs beside this script" % lacking, file=sys.stderr)
    raise SystemExit(2)
from verify_files import (OtherFile, Parts, Wrong, certificates, check, issued_by, key_of, say, signed, time_of,
                          verifier_key)

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

SERVER, CLIENT, DOCUMENT = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.36"
LIST = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----\n", re.S)
MESSAGE_DIGEST, SKEW = bytes.fromhex("06092a864886f70d010904"), 60
COMMON = ["statement.json", "statement.p7s", "chains.pem", "crl.pem", "cuhk-ca.pem", "leaf.json",
          "leaf.p7s", "VERIFY.md"]
PROOF = ["receipt.tlog-proof", "log.vkey", "witness.vkey", "keys.json", "keys.p7s"]
COMMITTED = ["committed.json", "committed.tlog-proof"]


def once(pairs):
    """A JSON object whose fields are there once: other programs must not read another one."""
    check(len(dict(pairs)) == len(pairs), "a field is there twice")
    return dict(pairs)


def document(data, kind):
    value = json.loads(data, object_pairs_hook=once)
    check(value["type"] == kind and value["v"] == 1, "another type or version than " + kind)
    return value


def seconds(text):
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    return int(moment.timestamp())


def utc(moment):
    return datetime.fromtimestamp(moment, timezone.utc)


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256(data):
    return hashlib.sha256(data).digest()


def thumbprint(certificate):
    return sha256(certificate.public_bytes(Encoding.DER)).hex()


def uri(certificate):
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (name,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    check("/student/" not in name or len(list(names)) == 1, "a student with more than one name")
    return name


def usages(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    return {usage.dotted_string for usage in extension.value}


class Trust:
    """The roots that the verifier trusts, and the revocation lists of the receipt."""

    def __init__(self, roots, lists, at, trusted):
        Parts.last = "cuhk-ca.pem"
        self.roots = certificates(roots)
        for root in self.roots:
            check(thumbprint(root) in trusted, "the root in cuhk-ca.pem is %s" % thumbprint(root))
            issued_by(root, root)
            say("root", "SHA-256 " + thumbprint(root))
        Parts.last = "crl.pem"
        self.lists, self.at = [x509.load_pem_x509_crl(one) for one in LIST.findall(lists)], utc(at)
        for one in self.lists:
            check(time_of(one, "last_update") <= utc(at + SKEW), "a revocation list is of later")

    def until(self):
        """The end of the lists."""
        return min((time_of(one, "next_update") for one in self.lists), default=utc(0))

    def then(self, at, later, issuers):
        """The same at the time of the cosignature, by lists of that time where the others had ended."""
        other = copy.copy(self)
        if later:
            check(b"".join(LIST.findall(later)) == later, "not only lists follow the accepted ones in crl.pem")
            other.lists = [x509.load_pem_x509_crl(one) for one in LIST.findall(later)]
            for one in other.lists:
                check(time_of(one, "last_update") <= utc(at + SKEW) and utc(at) < time_of(one, "next_update"),
                      "a later list in crl.pem was not in force when CUHK saw it")
                check(any(one.issuer == c.subject and one.is_signature_valid(key_of(c, "another key")) for c in issuers),
                      "a later list in crl.pem was not signed by an issuer in it")
        if utc(at) < other.until():
            other.at = utc(at)
        return other

    def not_revoked(self, certificate, issuer):
        mine = [one for one in self.lists if one.issuer == issuer.subject
                and one.is_signature_valid(key_of(issuer, "not P-256")) and self.at < time_of(one, "next_update")]
        check(mine, "no revocation list of %s in force in crl.pem" % issuer.subject.rfc4514_string())
        for one in mine:
            entry = one.get_revoked_certificate_by_serial_number(certificate.serial_number)
            check(entry is None or time_of(entry, "revocation_date") > self.at, "revoked: " + uri(certificate))

    def chain(self, leaf, others, kind):
        """Leaf, issuing authority, root: names, signatures, times, uses, revocation."""
        name = uri(leaf)
        domain, _, path = name[len("spiffe://"):].partition("/")
        issuers = [c for c in others if c.subject == leaf.issuer and uri(c) == "spiffe://" + domain]
        issuer = next((c for c in issuers if signed_by(leaf, c)), None)
        check(issuer, "the issuing authority of %s is not in it" % name)
        root = next((c for c in self.roots if c.subject == issuer.issuer and signed_by(issuer, c)), None)
        check(root, "no root that is known has signed the issuing authority of " + name)
        students = path.startswith("student/")
        check(usages(issuer) == {CLIENT, DOCUMENT} | (set() if students else {SERVER}), "issuer of " + name)
        check(usages(leaf) == kind, "key usage of " + name)
        for certificate, above in ((leaf, issuer), (issuer, root), (root, None)):
            check(time_of(certificate, "not_valid_before") <= self.at <= time_of(certificate, "not_valid_after"),
                  "not in force: " + name)
            key = key_of(certificate, "not P-256")
            check(isinstance(getattr(key, "curve", None), ec.SECP256R1), "not P-256")
            basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
            check(basic.critical and basic.value.ca == (certificate is not leaf), "constraints")
            if above:
                self.not_revoked(certificate, above)
        return name


def signed_by(certificate, issuer):
    try:
        issued_by(certificate, issuer)
        return True
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, Wrong):
        return False


def der(data):
    """The values in DER, one after the other: (tag, content, whole)."""
    values, place = [], 0
    while place < len(data):
        tag, length, start = data[place], data[place + 1], place + 2
        if length >= 0x80:
            start += length - 0x80
            length = int.from_bytes(data[place + 2:start], "big")
        check(start + length <= len(data), "DER is cut off")
        values.append((tag, data[start:start + length], data[place:start + length]))
        place = start + length
    return values


def cms(signature, content):
    """RFC 5652, detached, ECDSA with SHA-256, signed attributes: the certificates of the signers,
    and all certificates."""
    Parts.last = name = getattr(signature, "name", "a signature")
    certificates = pkcs7.load_der_pkcs7_certificates(signature)
    ((_, info, _),) = der(signature)
    signed_data = der(der(der(info)[1][1])[0][1])
    signers = []
    for _, signer, _ in der(signed_data[-1][1]):
        _, sid, _, attributes, _, value = der(signer)[:6]
        check(attributes[0] == 0xA0, "no signed attributes")
        issuer, serial = der(sid[1])
        serial = int.from_bytes(serial[1], "big")
        certificate = next(c for c in certificates if c.serial_number == serial
                           and c.issuer.public_bytes() == issuer[2])
        digests = [der(der(a)[1][1])[0][1] for _, a, _ in der(attributes[1])
                   if der(a)[0][2] == MESSAGE_DIGEST]
        what = "%s is no signature of %s" % (name, getattr(content, "name", "this"))
        check(digests == [sha256(content)], what)
        signed(key_of(certificate, what), value[1], b"\x31" + attributes[2][1:], what, ec.ECDSA(SHA256()))
        signers.append(certificate)
    return signers, certificates


def jwt(token, kind, trust):
    """RFC 7515 and 7518: ES256 by the first certificate of x5c, CUHK's for tokens."""
    header, claims, signature = token.split(".")
    fields = json.loads(unbase64(header), object_pairs_hook=once)
    check(set(fields) == {"typ", "alg", "kid", "x5c"}, "header of " + kind)
    check(fields["alg"] == "ES256" and fields["typ"] == kind, "algorithm or type of " + kind)
    leaf, *others = [x509.load_der_x509_certificate(base64.b64decode(c)) for c in fields["x5c"]]
    check(trust.chain(leaf, others, {DOCUMENT}).endswith("/service/cuhk"), "signer of " + kind)
    raw = unbase64(signature)
    check(len(raw) == 64, "length of a signature")
    value = utils.encode_dss_signature(*(int.from_bytes(raw[i:i + 32], "big") for i in (0, 32)))
    what = "the signature of %s does not fit" % kind
    signed(key_of(leaf, what), value, (header + "." + claims).encode(), what, ec.ECDSA(SHA256()))
    claims = json.loads(unbase64(claims), object_pairs_hook=once)
    check(claims["iss"] == uri(leaf), "issuer of " + kind)
    return claims


def note_signature(note, key):
    """The signature of a key under a note, after its name and ID."""
    name, key_id, _ = key
    for line in note.split("\n\n", 1)[1].splitlines():
        dash, signer, value = line.split(" ")
        raw = base64.b64decode(value, validate=True)
        if dash == "\u2014" and signer == name and raw[:4] == key_id:
            return raw[4:]
    return None


def witnesses(note, text, keys, not_before):
    """Who of these cosigned (C2SP tlog-cosignature), and when."""
    found = []
    for name, key_id, key in {key[1:2] + (key[0],): key for key in keys}.values():
        line = note_signature(note, (name, key_id, key))
        if line is None:
            continue
        time = int.from_bytes(line[:8], "big")
        content = "cosignature/v1\ntime %d\n%s" % (time, text)
        signed(key, line[8:], content.encode(), "the cosignature of %s does not fit" % name)
        check(time + SKEW >= not_before, "witnessed before it was entered")
        found.append((name, time))
    return found


def covered(trust, time):
    """Whether the lists were in force when CUHK cosigned: a line of the verdict, and what to add to it."""
    if not trust.lists:
        return ""
    until, told = trust.until().strftime("%Y-%m-%dT%H:%M:%SZ"), "in force until "
    if utc(time) < trust.until():
        say("lists", told + until + ", past the time of CUHK's cosignature")
        return ""
    say("lists", told + until + " ONLY, before CUHK's cosignature: that the witness's key was still "
        "endorsed then is not shown")
    return "; its revocation lists ended BEFORE a witness saw it in the log"


def accepted_lists(parts, pinned):
    """crl.pem begins with the lists that were accepted; those of the cosignature's time may follow."""
    whole, found, end = parts["crl.pem"], hashlib.sha256(), 0
    for one in LIST.finditer(whole):
        found.update(whole[end:one.end()])
        end = one.end()
        if found.copy().hexdigest() == pinned:
            return whole[:end], whole[end:]
    return whole, b""


def root_of(entry, index, size, path):
    """RFC 9162, section 2.1.3.2: the root that the proof leads to."""
    check(index < size, "no such entry")
    node, last, value = index, size - 1, sha256(b"\x00" + entry)
    for sibling in path:
        check(last > 0, "the proof is too long")
        if node % 2 or node == last:
            value = sha256(b"\x01" + sibling + value)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            value = sha256(b"\x01" + value + sibling)
        node, last = node >> 1, last >> 1
    check(last == 0, "the proof is too short")
    return value


def checkpoint_over(proof, content, leaf):
    """C2SP tlog-proof: the checkpoint, signatures and all, whose tree has this leaf in its place."""
    Parts.last = getattr(proof, "name", "the proof")
    head, note = proof.decode().split("\n\n", 1)
    first, index, *path = head.split("\n")
    check(first == "c2sp.org/tlog-proof@v1" and index == "index %d" % leaf["index"], "head of the proof")
    origin, size, root = note.split("\n\n", 1)[0].splitlines()
    path = [base64.b64decode(line, validate=True) for line in path]
    check(origin == leaf["log"], "the checkpoint is of another log")
    found = root_of(sha256(content), leaf["index"], int(size), path)
    check(found == base64.b64decode(root), "the log lacks the entry")
    return note


def check_log(parts, leaf, service, trust, later, outside, quorum):
    """The log holds the entry, its checkpoint was witnessed, and CUHK endorsed both keys."""
    note = checkpoint_over(parts["receipt.tlog-proof"], parts["leaf.json"], leaf)
    text = note.split("\n\n", 1)[0] + "\n"
    origin, size, _ = text.splitlines()

    keys = document(parts["keys.json"], "scb-log-keys")
    check(keys["log"] + "\n" == parts["log.vkey"].decode(), "log.vkey is not the key that keys.json names")
    check(keys["witness"] + "\n" == parts["witness.vkey"].decode(), "witness.vkey is not the key that keys.json names")
    Parts.last = "log.vkey"
    log = verifier_key(keys["log"], 1)
    check(log[0] == origin, "the log's key has another name")
    Parts.last = "witness.vkey"
    own = verifier_key(keys["witness"], 4)
    check(own[0] == leaf["log"].split("/")[0] + "/witness/cuhk", "the witness's key has another name")
    Parts.last = "receipt.tlog-proof"
    signed(log[2], note_signature(note, log) or b"", text.encode(),
           "receipt.tlog-proof: the checkpoint is not signed by the log's key")
    wanted = [own] + [verifier_key(text, 4) for text in outside]
    seen = witnesses(note, text, wanted, seconds(leaf["at"]))
    check(len(seen) >= quorum, "%d of %d witnesses cosigned, %d must" % (len(seen), len(wanted), quorum))
    time = dict(seen).get(own[0], max(time for _, time in seen))

    (signer,), others = cms(parts["keys.p7s"], parts["keys.json"])
    issuers = trust.roots + others
    issuers += certificates(parts["chains.pem"]) if "chains.pem" in parts else []
    then = trust.then(time, later, issuers)
    check(then.chain(signer, others, {DOCUMENT}).endswith("/service/cuhk"), "who endorsed the keys")
    check(keys["service"] == service, "keys of another service")
    issued, skew = utc(seconds(keys["issued_at"])), timedelta(seconds=SKEW)
    check(time_of(signer, "not_valid_before") - skew <= issued <= time_of(signer, "not_valid_after") + skew,
          "time of the endorsement")
    say("endorsed", "the keys of log and witness, by %s" % uri(signer))
    say("logged", "entry %d of %s, in a tree of %s" % (leaf["index"], origin, size))
    for name, moment in seen:
        say("witnessed", "by %s at %s" % (name, utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")))
    gap = covered(then, time) + verify_dating.check_committed(parts, leaf, note, trust)
    verify_rules.judge(parts, leaf, note)
    return gap


def read(path):
    """The files of the archive, each once and uncompressed."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        check_stored(infos)
        parts = Parts({info.filename: archive.read(info) for info in infos})
    check(len(parts) == len(infos), "a file is there twice")
    return parts


def check_stored(infos):
    """As it is made, and as other programs want it: they unpack nothing whose size is not known."""
    for info in infos:
        check(info.compress_type == zipfile.ZIP_STORED,
              info.filename + " is compressed: it was packed anew, and the original is stored uncompressed")


def verify(arguments):
    parts = read(arguments.receipt)
    leaf = document(parts["leaf.json"], "scb-entry")
    if "accepted" not in leaf["entry"]:
        return verify_kept.verify(arguments, parts, leaf)
    statement = document(parts["statement.json"], "scb-statement")
    accepted, at, service = leaf["entry"]["accepted"], seconds(leaf["at"]), statement["service"]
    domain = service[len("spiffe://"):].split("/")[0]
    assurance = {"verified": "verification.jwt", "tokens": "tokens.jwt"}[accepted["mode"]]
    pending = "pending.json" in parts
    proved = "receipt.tlog-proof" in parts or not pending
    expected = COMMON + [assurance] + (["pending.json"] if pending else []) + (PROOF if proved else [])
    dated = ["committed.jwt"] if "committed.jwt" in parts else []
    expected += COMMITTED + dated if proved and "committed.json" in parts else []
    expected += verify_rules.files(parts) if proved else []
    parts.are(expected, "a receipt")
    later = b""
    if proved:
        parts["crl.pem"], later = accepted_lists(parts, accepted["files"].get("crl.pem"))
    trust = Trust(parts["cuhk-ca.pem"], parts["crl.pem"], at, arguments.root.replace(":", "").lower().split(","))

    (signer,), others = cms(parts["leaf.p7s"], parts["leaf.json"])
    check(trust.chain(signer, others, {SERVER, CLIENT}) == service, "who accepted it")
    check(service == "spiffe://%s/service/blackboard" % domain, "not Blackboard")
    log = "%s/blackboard/%s/%s" % (domain, statement["course"], statement["assignment"])
    check(leaf["log"] == log and statement["submission"] == accepted["submission"], "log and statement")
    check(seconds(accepted["committed_at"]) <= at, "accepted before it had come")
    check(accepted.get("committed_index", -1) < leaf["index"], "accepted before it was entered")
    check(set(accepted["files"]) == set(expected[:5] + [assurance]), "other files were accepted")
    for name, value in accepted["files"].items():
        check(sha256(parts[name]).hex() == value, name + " is not what was accepted")
    entry = "entry %d" % accepted["committed_index"] if "committed_index" in accepted else "no entry of its own"
    say("committed", "at %s, which counts for lateness: %s" % (accepted["committed_at"], entry))
    say("accepted", "%s at %s by %s" % (accepted["number"], leaf["at"], service))
    rules = accepted.get("rules")
    if rules:
        check(rules["index"] < accepted.get("committed_index", leaf["index"]), "rules entered after it")
        pinned = (rules["index"], accepted["committed_at"], rules["leaf_sha256"])
        say("rules", "entry %d of the log, in force at %s, SHA-256 %s" % pinned)

    found = members(parts, statement, trust)
    names = list(found)
    lines = parts[assurance].decode().splitlines()
    if accepted["mode"] == "verified":
        claims = jwt(lines[0], "scb-verification+jwt", trust)
        check(len(lines) == 1 and claims["aud"] == service, "who asked CUHK")
        check(claims["iat"] - SKEW <= at <= claims["exp"] + SKEW, "time of CUHK's answer")
        told = {unbase64(m["x5t#S256"]).hex(): m["sub"] for m in claims["members"] if m["active"] is True}
        check(told == {found[name]: name for name in names} and len(claims["members"]) == len(names),
              "members in CUHK's answer")
        check(claims.get("statement_sha256") in (None, sha256(parts["statement.json"]).hex()),
              "CUHK was asked about another statement")
        say("confirmed", "%d active, by %s" % (len(names), claims["iss"]))
    else:
        check(len(lines) == len(names), "number of tokens")
        for line, name in zip(lines, names):
            claims = jwt(line, "scb-identity+jwt", trust)
            check(claims["aud"] == service and claims["sub"] == name
                  and unbase64(claims["cnf"]["x5t#S256"]).hex() == found[name], "a token")
            check(claims["iat"] - SKEW <= at <= claims["exp"] + SKEW, "time of a token")
        were = "token was" if len(names) == 1 else "tokens were"
        say("tokens", "CUHK was away; %d %s in force" % (len(names), were))

    for entry in statement["files"]:
        say("file", "%s, %d bytes, SHA-256 %s" % (entry["name"], entry["size"], entry["sha256"]))

    moments = ("committed at %s, which counts for lateness, and complete at %s"
               % (accepted["committed_at"], leaf["at"]))
    if pending:
        missing = verify_kept.waiting(parts["pending.json"], leaf, proved)
        if not proved:
            compare(arguments.file, statement)
            return "it verifies, but is PENDING: no cosignature of the log had come yet; " + moments
        gap = check_log(parts, leaf, service, trust, later, arguments.witness, 1)
        compare(arguments.file, statement)
        names = ", ".join(missing)
        return "it verifies, but is PENDING: CUHK has seen the log entry, not %s; %s%s" % (names, moments, gap)
    gap = check_log(parts, leaf, service, trust, later, arguments.witness, arguments.quorum)
    compare(arguments.file, statement)
    return "it verifies: " + moments + gap


def members(parts, statement, trust):
    """Exactly the members signed the statement: the certificate of each, by name and in order."""
    signers, others = cms(parts["statement.p7s"], parts["statement.json"])
    domain = statement["service"][len("spiffe://"):].split("/")[0]
    names = ["spiffe://%s/student/%s" % (domain, m["sid"]) for m in statement["members"]]
    check(len(signers) == len(names) == len(set(names)), "number of signatures")
    found = {trust.chain(c, others, {CLIENT, DOCUMENT}): thumbprint(c) for c in signers}
    check(set(found) == set(names), "the signers are not the members")
    for name, member in zip(names, statement["members"]):
        # Of a member who signed elsewhere the statement does not say with which certificate.
        check(member.get("cert_sha256", found[name]) == found[name], "another certificate of a member")
        say("signed", "%s with certificate %s" % (member["sid"], found[name]))
    return {name: found[name] for name in names}


def compare(paths, statement):
    for path, found in verify_files.judge(paths, statement["files"]):
        if found:
            raise OtherFile("the receipt verifies, but " + found)
        say("compared", path + " was handed in")


def main():
    arguments = verify_files.asked(__doc__, "receipt")
    other = "export.json", "leaf.json", "it is an archive of an assignment: use verify_export.py"
    verify_files.verdict(verify, arguments, arguments.receipt, other)


# The other parts, which use what is above.
sys.dont_write_bytecode = True
import verify_dating  # noqa: E402
import verify_kept  # noqa: E402
import verify_rules  # noqa: E402

if __name__ == "__main__":
    main()
