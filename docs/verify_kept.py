"""What members keep besides receipts: Blackboard's signed word that it had recorded what they signed, or that
it refused it, and the rules that it told. A part of `verify_receipt.py`, which must be beside it."""

import json
from datetime import datetime, timezone

import verify_receipt as receipts
import verify_rules
from verify_files import Unasked
from verify_receipt import check, document, say, seconds, sha256

SIGNED = ["statement.json", "leaf.json", "leaf.p7s", "cuhk-ca.pem"]
SIGNING_TIME = bytes.fromhex("06092a864886f70d010905")
TIMES = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}


class Unlisted(receipts.Trust):
    """Blackboard's own certificate, and the members', are judged without revocation lists: those that come
    with a proof are for the endorsement of the keys."""

    def until(self):
        return super().until() if self.lists else datetime.max.replace(tzinfo=timezone.utc)

    def not_revoked(self, certificate, issuer):
        if self.lists:
            super().not_revoked(certificate, issuer)


def verify(arguments, parts, leaf):
    """The verdict on a file that is no receipt."""
    ((kind, value),) = leaf["entry"].items()
    check(kind in ("committed", "signed", "refused", "rules", "extension"),
          "it is no receipt, but %s: see RECEIPTS.md" % kind)
    require_alone(arguments, kind)
    if kind in ("rules", "extension"):
        return announced(arguments, parts, leaf, value)
    statement, at = document(parts["statement.json"], "scb-statement"), seconds(leaf["at"])
    roots, trusted = known(parts["cuhk-ca.pem"], arguments.root)
    trust = Unlisted(roots, b"", at, trusted)
    (signer,), others = receipts.cms(parts["leaf.p7s"], parts["leaf.json"])
    service = trust.chain(signer, others, {receipts.SERVER, receipts.CLIENT})
    domain = statement["service"][len("spiffe://"):].split("/")[0]
    check(service == statement["service"] == "spiffe://%s/service/blackboard" % domain, "who signed the entry")
    check(leaf["log"] == "%s/blackboard/%s/%s" % (domain, statement["course"], statement["assignment"]),
          "log and statement")
    if kind != "signed":
        # Signatures are bound by the hash of their CMS, which has that of the statement.
        check(value.get("statement_sha256") == sha256(parts["statement.json"]).hex(), "it is of another statement")
    judged = refused if kind == "refused" else committed
    return judged(arguments, parts, (leaf, value, statement), trust)


def require_alone(arguments, kind):
    """Nothing is wanted that cannot be in it."""
    what = {"refused": "Blackboard's word that it refused a statement", "rules": "rules that Blackboard told",
            "extension": "an extension that Blackboard told"}
    what = what.get(kind, "Blackboard's word that it recorded a statement")
    if arguments.file:
        raise Unasked("this is no receipt, but %s: no FILE is compared with it; leave FILE out" % what)
    if kind != "refused" and (arguments.witness or arguments.quorum != 1):
        raise Unasked("this is no receipt, but %s: no witness cosigns it; leave --witness and --quorum out" % what)


def known(pem, root):
    """Of the roots that counted for the members then, those that the verifier knows; and what it knows."""
    trusted = root.replace(":", "").lower().split(",")
    roots = receipts.certificates(pem)
    ours = [one for one in roots if receipts.thumbprint(one) in trusted] or roots
    return b"".join(one.public_bytes(receipts.Encoding.PEM) for one in ours), trusted


def place(statement):
    return "%s/%s" % (statement["course"], statement["assignment"])


def committed(_, parts, said, trust):
    """It recorded this very statement, signed by these members; or the last signatures of it, by these."""
    leaf, value, statement = said
    last = "signed" in leaf["entry"]
    parts.are(SIGNED + ["statement.p7s"], "a commitment")
    of = {one["sid"]: one for one in statement["members"]}
    sids = value["members"]
    check(value["submission"] == statement["submission"] and (set(sids) <= set(of) if last else sids == list(of))
          and value["p7s_sha256"] == sha256(parts["statement.p7s"]).hex(), "it is about something else")
    say("recorded", "at %s, which counts for lateness%s: entry %d of %s, says %s"
        % (leaf["at"], ", being the last" if last else "", leaf["index"], leaf["log"], statement["service"]))
    say("statement", "SHA-256 " + sha256(parts["statement.json"]).hex())
    receipts.members(parts, dict(statement, members=[of[sid] for sid in sids]), trust)
    for entry in statement["files"]:
        say("file", "%s, %d bytes, SHA-256 %s" % (entry["name"], entry["size"], entry["sha256"]))
    say("unproved", "that the log still holds the entry, and that CUHK saw it there; that the files came: a "
        "receipt proves that")
    return ("it verifies: Blackboard signed that it recorded at %s, as entry %d of the log of %s, what %s had "
            "signed; it is NO receipt: that the files came is not in it"
            % (leaf["at"], leaf["index"], place(statement), ", ".join(sids)))


def announced(arguments, parts, leaf, value):
    """It entered these rules, or this extension, in the log of the assignment."""
    parts.are(["cuhk-ca.pem", "leaf.json", "leaf.p7s"], "rules that were told")
    roots, trusted = known(parts["cuhk-ca.pem"], arguments.root)
    (signer,), others = receipts.cms(parts["leaf.p7s"], parts["leaf.json"])
    signed = signing_time(parts["leaf.p7s"])
    trust = Unlisted(roots, b"", signed, trusted)
    service = trust.chain(signer, others, {receipts.SERVER, receipts.CLIENT})
    domain, what, *of = leaf["log"].split("/")
    check(service == "spiffe://%s/service/blackboard" % domain and what == "blackboard" and len(of) == 2,
          "the log is another service's than signed")
    check(seconds(leaf["at"]) <= signed + 2 * receipts.SKEW, "it was signed before it was entered")
    at = receipts.utc(signed).strftime("%Y-%m-%dT%H:%M:%SZ")
    say("announced", "entry %d of %s, of %s, says %s, which signed it at %s"
        % (leaf["index"], leaf["log"], leaf["at"], service, at))
    for name, found in verify_rules.told(value) if "rules" in leaf["entry"] else verify_rules.extended(value):
        say(name, found)
    say("unproved", "that the log still holds the entry, and that no later one changed it: a receipt or an archive "
        "proves that")
    return "it verifies: Blackboard signed that this is entry %d of the log of %s; it is NO receipt" % (
        leaf["index"], "/".join(of))


def signing_time(signature):
    """When its one signer says that it was signed (RFC 5652, section 11.3)."""
    ((_, info, _),) = receipts.der(signature)
    signed_data = receipts.der(receipts.der(receipts.der(info)[1][1])[0][1])
    ((_, signer, _),) = receipts.der(signed_data[-1][1])
    (found,) = [receipts.der(receipts.der(a)[1][1])[0] for _, a, _ in receipts.der(receipts.der(signer)[3][1])
                if receipts.der(a)[0][2] == SIGNING_TIME]
    moment = datetime.strptime(found[1].decode(), TIMES[found[0]])
    return int(moment.replace(tzinfo=timezone.utc).timestamp())


def refused(arguments, parts, said, trust):
    """It refused these members' statement, and entered that in the log."""
    leaf, value, statement = said
    pending = "pending.json" in parts
    proved = "receipt.tlog-proof" in parts or not pending
    expected = SIGNED + (["pending.json"] if pending else []) + (receipts.PROOF if proved else [])
    expected += ["crl.pem"] if proved and "crl.pem" in parts else []
    parts.are(expected, "a refusal")
    say("refused", "%s at %s by %s" % (value["code"], leaf["at"], statement["service"]))
    say("members", ", ".join(value["members"]))
    verdict = "it verifies: %s refused at %s for %s [%s]" % (
        ", ".join(value["members"]), leaf["at"], place(statement), value["code"])
    missing = waiting(parts["pending.json"], leaf, proved) if pending else []
    if not proved:
        return verdict + "; PENDING: no cosignature of the log had come yet"
    quorum = 1 if pending else arguments.quorum
    gap = receipts.check_log(parts, leaf, statement["service"], trust, parts.get("crl.pem", b""),
                             arguments.witness, quorum)
    if pending:
        verdict += "; PENDING: CUHK has seen the log entry, not " + ", ".join(missing)
    return verdict + gap


def waiting(text, leaf, proved):
    """Whose cosignatures this entry waits for, if CUHK's is there."""
    waits = {"type": "scb-pending", "v": 1, "log": leaf["log"], "index": leaf["index"]}
    if proved:
        waits["missing"] = json.loads(text)["missing"]
        check(waits["missing"] != [], "nobody is missing")
    check(text == json.dumps(waits, separators=(",", ":")).encode(), "it waits for another entry")
    return waits.get("missing", [])
