"""When a statement had come: the entry that Blackboard made then, and what CUHK had said by then, by its
own clock. A part of `verify_receipt.py`, which must be beside it."""

import copy
import json

import verify_receipt as receipts
from verify_receipt import check, document, say, seconds, sha256

# What follows on a verdict where no clock but Blackboard's shows when the statement had come.
WORD = "; that it had come by then is Blackboard's word alone"
NAMED = " and this very statement, whose hash it has: that there was such a one by then is CUHK's word"


def check_committed(parts, leaf, note, trust):
    """The entry of the moment that counts is in the same tree, and of the same statement. What to add to
    the verdict."""
    accepted = leaf["entry"].get("accepted", {})
    named = accepted.get("committed_index")
    if "committed.json" not in parts:
        if named is None:
            return ""
        say("entered", "entry %d is NOT in it: the time that counts is Blackboard's word alone" % named)
        return WORD
    entry = document(parts["committed.json"], "scb-entry")
    ((kind, value),) = entry["entry"].items()
    check(kind in ("committed", "signed") and value["submission"] == accepted["submission"],
          "committed.json is of something else")
    check(kind == "signed" or value["statement_sha256"] == accepted["files"]["statement.json"],
          "committed.json is of another statement")
    check((entry["log"], entry["index"], entry["at"]) == (leaf["log"], named, accepted["committed_at"]),
          "committed.json is not the entry that the acceptance names")
    same = receipts.checkpoint_over(parts["committed.tlog-proof"], parts["committed.json"], entry)
    check(same == note, "committed.tlog-proof is about another tree than receipt.tlog-proof")
    say("entered", "entry %d, %s at %s, in the same tree" % (named, kind, entry["at"]))
    return check_dated(parts, entry["at"], value, trust)


def check_dated(parts, at, value, trust):
    """What CUHK said when the entry was made: the entry has its hash, so it is later than that."""
    if "committed.jwt" not in parts:
        say("dated", "what CUHK said then is NOT in it: that it had come by then is Blackboard's word alone")
        return WORD
    check(sha256(parts["committed.jwt"]).hex() == value["verification_sha256"],
          "committed.jwt is not what the entry names")
    lines, statement = parts["committed.jwt"].decode().splitlines(), json.loads(parts["statement.json"])
    last = max(unverified(line)["iat"] for line in lines)
    check(last - receipts.SKEW <= seconds(at), "CUHK gave committed.jwt at %s, and the entry that names it "
          "says %s" % (written(last), at))
    signed = {receipts.uri(c): receipts.thumbprint(c)
              for c in receipts.cms(parts["statement.p7s"], parts["statement.json"])[0]}
    domain = statement["service"].rsplit("/service/", 1)[0]
    names = ["%s/student/%s" % (domain, sid) for sid in value["members"]]
    then = copy.copy(trust)
    then.at = receipts.utc(seconds(at))
    if value["mode"] == "verified":
        check(len(lines) == 1, "more than an answer in committed.jwt")
        claims = told(lines[0], "scb-verification+jwt", statement, at, then)
        members = {one["sub"]: receipts.unbase64(one["x5t#S256"]).hex() for one in claims["members"]
                   if one["active"] is True}
        check(len(members) == len(claims["members"]) and members.items() <= signed.items()
              and set(names) <= set(members), "members in committed.jwt")
        named = claims.get("statement_sha256")
        check(named in (None, sha256(parts["statement.json"]).hex()), "committed.jwt speaks of another statement")
        say("dated", "that entry was made after CUHK's answer of %s about these members%s" % (
            written(claims["iat"]), NAMED if named else ", whose hash it has"))
        return ""
    check(value["mode"] == "tokens" and len(lines) == len(names), "number of tokens in committed.jwt")
    for line, name in zip(lines, names):
        claims = told(line, "scb-identity+jwt", statement, at, then)
        check(claims["sub"] == name and receipts.unbase64(claims["cnf"]["x5t#S256"]).hex() == signed[name],
              "a token in committed.jwt")
    say("dated", "CUHK was away then: that it had come by then is Blackboard's word alone; the entry was made "
        "after %s, when CUHK gave the last of the tokens whose hash it has" % written(last))
    return WORD


def told(token, kind, statement, at, then):
    """What CUHK said in it to this service, in force at that time, by a key that was not withdrawn until
    the submission was accepted."""
    claims = receipts.jwt(token, kind, then)
    check(claims["aud"] == statement["service"], "to whom CUHK said what is in committed.jwt")
    check(claims["iat"] - receipts.SKEW <= seconds(at) <= claims["exp"] + receipts.SKEW,
          "time of what CUHK said in committed.jwt")
    header = json.loads(receipts.unbase64(token.split(".")[0]))
    for one in header["x5c"]:
        signer = receipts.x509.load_der_x509_certificate(receipts.base64.b64decode(one))
        for crl in then.lists:
            entry = crl.get_revoked_certificate_by_serial_number(signer.serial_number)
            check(crl.issuer != signer.issuer or entry is None, "who signed committed.jwt was revoked")
    return claims


def unverified(token):
    return json.loads(receipts.unbase64(token.split(".")[1]))


def written(moment):
    return receipts.utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
