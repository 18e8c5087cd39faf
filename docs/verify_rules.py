"""By how much the members of a receipt were late, as it follows from the rules in it. A part of
`verify_receipt.py`, which must be beside it."""

import json
import re

import verify_receipt as receipts
from verify_receipt import check, document, say, seconds, sha256

RULES = ["rules.json", "rules.tlog-proof"]
EXTENSIONS = [["extension-%d.json" % place, "extension-%d.tlog-proof" % place] for place in range(1, 9)]
VALUES = ["title", "opens", "due", "grace", "cutoff", "late", "counts", "group", "groups", "max_bytes", "accept"]
PERIODS = {"day": 24 * 60 * 60, "hour": 60 * 60}


def files(parts):
    """The files of rules and extensions that a receipt is to have."""
    found = RULES if RULES[0] in parts else []
    for names in EXTENSIONS:
        if names[0] not in parts:
            break
        found = found + names
    return found


def take(parts, names, pinned, leaf, note):
    """An entry that the acceptance names, in the same tree."""
    entry = document(parts[names[0]], "scb-entry")
    check((entry["log"], entry["index"]) == (leaf["log"], pinned["index"])
          and sha256(parts[names[0]]).hex() == pinned["leaf_sha256"], names[0] + " is not what was accepted")
    committed = leaf["entry"]["accepted"].get("committed_index", leaf["index"])
    check(pinned["index"] < committed, names[0] + " came after the statement")
    same = receipts.checkpoint_over(parts[names[1]], parts[names[0]], entry)
    check(same == note, names[1] + " is about another tree")
    return entry["entry"]


def judge(parts, leaf, note):
    """Says the rules, the extensions and how each member stood at the moment that counts."""
    accepted = leaf["entry"].get("accepted", {})
    pinned, named = accepted.get("rules"), list(accepted.get("extensions", []))
    if RULES[0] not in parts:
        check(EXTENSIONS[0][0] not in parts, "extensions without rules")
        if pinned:
            say("judged", "entry %d is NOT in it, its hash alone is: what is late by these rules it does not show"
                % pinned["index"])
        return
    check(pinned, "rules.json was not accepted")
    rules = take(parts, RULES, pinned, leaf, note)["rules"]
    say("judged", "entry %d, in the same tree: %s" % (pinned["index"], terms(rules)))
    given = {}
    for names in EXTENSIONS[:len(files(parts)) // 2 - 1]:
        found = sha256(parts[names[0]]).hex()
        pins = [one for one in named if one["leaf_sha256"] == found]
        check(pins, names[0] + " is not what was accepted")
        named.remove(pins[0])
        extended = take(parts, names, pins[0], leaf, note)["extension"]
        (own,) = extended["given"]
        check(not extended.get("taken_back"), names[0] + " is not one student's extension")
        given.setdefault(own["sid"], own)
        say(*extension(own))
    for one in named:
        say("extension", "entry %d is NOT in it: by how much a member was late it does not show" % one["index"])
    if not named:
        at = seconds(accepted["committed_at"])
        for member in json.loads(parts["statement.json"])["members"]:
            stands = standing(rules, given.get(member["sid"], {}), at)
            say("lateness", "%s %s, by these rules" % (member["sid"], stands))


def told(rules):
    """Line by line what rules say."""
    for name in VALUES:
        value = rules.get(name)
        if isinstance(value, dict):
            least, most = value["least"], value["most"]
            value = "%d..%d" % (least, most) if least != most else most
        if isinstance(value, list):
            value = ",".join(value)
        if value is not None and value != "":
            yield name, str(value)


def extended(value):
    """The same of what an entry gives students."""
    return [extension(own) for own in value["given"]]


def extension(own):
    closed = ", closed after %s" % own["cutoff"] if "cutoff" in own else ""
    return "extension", "%s until %s%s" % (own["sid"], own["due"], closed)


def terms(rules):
    if "due" not in rules:
        return "nothing is ever due"
    opens = "opens %s, " % rules["opens"] if "opens" in rules else ""
    grace = ", then %d s of grace" % rules["grace"] if rules["grace"] else ""
    closes = ", closes %s" % rules["cutoff"] if "cutoff" in rules else ""
    return "%sdue %s%s%s, late rule %s" % (opens, rules["due"], grace, closes, rules["late"])


def standing(rules, own, at):
    """Every moment that rules name still belongs to what comes before it."""
    if "opens" in rules and at < seconds(rules["opens"]):
        return "was too early: opens " + rules["opens"]
    if "due" not in rules:
        return "was on time"
    due = max(seconds(rules["due"]), seconds(own.get("due", rules["due"])))
    grace = due + rules["grace"]
    if at <= due:
        return "was on time"
    if at <= grace:
        return "was within the time of grace"
    last = grace if rules["late"] == "none" else None
    if last is None and "cutoff" in rules:
        last = max(seconds(rules["cutoff"]), seconds(own.get("cutoff", rules["cutoff"])), grace)
    if last is not None and at > last:
        return "was too late: closed since " + receipts.utc(last).strftime("%Y-%m-%dT%H:%M:%SZ")
    late = at - due
    percent = costs(rules["late"], late)
    if percent == 0:
        return "was late by %d s, and is marked as late" % late
    return "was late by %d s, which costs %d %% of the full mark" % (late, percent)


def costs(rule, late):
    """Every period that has begun counts whole."""
    found = re.fullmatch(r"(\d+)%/(day|hour)(?: to (\d+)%)?", rule)
    if not found:
        return 0
    percent, period, most = found.groups()
    return min(-(-late // PERIODS[period]) * int(percent), int(most or 100))
