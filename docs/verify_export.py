#!/usr/bin/env python3
"""Checks an archive of an assignment with Python's standard library and `cryptography`; nothing of
the system's own. `verify_receipt.py`, and what that needs, must be beside it.

    verify_export.py ARCHIVE.zip ROOT [--witness KEY ... --quorum N]

ROOT is the SHA-256 fingerprint of CUHK's root certificate, from a place that you trust. Says
whether every submission of the assignment's log is in the archive, each as it was handed in, and
whether more may have come later. Exit code: 0 if it verifies, 1 if not: the verdict says which file
it fails of, and why; 2 if nothing was judged: ARCHIVE cannot be read or is a receipt, ROOT is no
fingerprint, KEY is none, N is more than could cosign, or this Python lacks something (3.7 or newer,
and `cryptography` 3.4 or newer).
"""

import argparse
import contextlib
import csv
import hashlib
import io
import json
import re
import sys

try:
    import verify_files  # First: it says what else is lacking.
except ImportError as lacking:
    print("nothing was judged: %s: it belongs beside this script" % lacking, file=sys.stderr)
    raise SystemExit(2)
import verify_dating
import verify_receipt as receipts
from verify_files import Parts
from verify_receipt import check, document, say, seconds, sha256

# The files whose SHA-256 is in export.json; it is signed itself, and leaves.jsonl is the checkpoint's.
BOUND = {"checkpoint", "keys.json", "keys.p7s", "cuhk-ca.pem", "crl.pem", "submissions.csv", "VERIFY.md"}
FILES = BOUND | {"export.json", "export.p7s", "leaves.jsonl"}
TITLE = ["number", "committed_at", "accepted_at", "members", "file", "size", "sha256"]
HARMFUL = re.compile("[^A-Za-z0-9._\\- ()+,=@#\\[\\]~\u00a0-\U0010ffff]|[\u00ad\u061c\u180e\ufeff\u200b-\u200f"
                     "\u2028-\u202e\u2060-\u206f\ufff9-\ufffb\U000e0000-\U000e0fff]")
REOPENS = {"rules", "extension", "committed", "accepted", "recovered", "restored"}
# Seconds by which clocks are set; an entry that is further behind an earlier one tells of a clock set back.
MAX_STEP_BACK = 5
ENDS = {"accepted", "declined", "lapsed", "restored", "withdrawn"}
ABOUT = ENDS | {"committed", "proposed", "signed"}


class Tree:
    """RFC 6962, section 2.1: the roots of full subtrees, the largest first."""

    def __init__(self):
        self.size, self.edge = 0, []

    def push(self, entry):
        value, level = sha256(b"\x00" + entry), 0
        while self.size >> level & 1:
            value, level = sha256(b"\x01" + self.edge.pop() + value), level + 1
        self.edge.append(value)
        self.size += 1

    def root(self):
        value = None
        for left in reversed(self.edge):
            value = left if value is None else sha256(b"\x01" + left + value)
        return value or sha256(b"")


class Moments:
    """What counts for lateness is said twice: by the entry that was made then, and by the one that
    accepts the files."""

    def __init__(self):
        # Of lost entries, by their numbers, what the log commits to.
        self.found, self.proposed, self.lost, self.unknown = {}, {}, {}, 0
        # Of entries that say what lost ones said, by their numbers: the lost ones, and of what submission.
        self.back = {}

    def read(self, leaf, kind, value):
        index, submission = leaf["index"], value.get("submission")
        if kind == "proposed":
            self.proposed[submission] = value["statement_sha256"]
        elif kind == "committed":
            self.found[index] = submission, leaf["at"], value["statement_sha256"]
        elif kind == "signed":
            check(self.lost or submission in self.proposed, "signatures of what nobody had proposed")
            self.found[index] = submission, leaf["at"], self.proposed.get(submission)
        elif kind == "accepted":
            self.compare(leaf, value)

    def compare(self, leaf, value):
        number, index = value["number"], value.get("committed_index")
        if index is None:
            check(value["committed_at"] == leaf["at"], "no entry shows when %s was committed" % number)
        elif index in self.lost and index not in self.found:
            self.unknown += 1
        else:
            check(index in self.found, "%s names entry %s, which commits to nothing" % (number, index))
            submission, at, statement = self.found[index]
            check(submission == value["submission"] and
                  statement in (None, value["files"]["statement.json"]),
                  "%s names entry %s, which is about another statement" % (number, index))
            check(at == value["committed_at"],
                  "%s was committed at %s by entry %s, not at %s" % (number, at, index, value["committed_at"]))

    def again(self, text, log, index):
        """The lost entry that this text is."""
        leaf = document(text.encode(), "scb-entry")
        check((leaf["log"], leaf["index"]) == (log, index), "it restores an entry of another place")
        check(self.lost.get(index) == sha256(text.encode()).hex(),
              "it restores entry %s, which is not that or not lost" % index)
        return leaf

    def nothing_left(self):
        """How many lost entries nothing stands in for."""
        return len(set(self.lost) - {index for lost, _ in self.back.values() for index in lost})

    def restore(self, here, value, log, rules, extended):
        """A lost entry that accepted something is known again, and where the receipt has it also the one of
        the moment that counts."""
        leaf = self.again(value["leaf"], log, value["index"])
        accepted = leaf["entry"]["accepted"]
        check((accepted["number"], accepted["submission"]) == (value["number"], value["submission"]),
              "it restores another submission than it says")
        committed, pinned = accepted.get("committed_index"), accepted.get("rules")
        if "committed" in value:
            check(committed is not None and committed < value["index"], "committed.json is of no entry")
            moment = self.again(value["committed"], log, committed)
            self.read(moment, *moment["entry"].popitem())
        named = [(one, rules) for one in ([pinned] if pinned else [])]
        for one, known in named + [(one, extended) for one in accepted.get("extensions", [])]:
            before = committed is None or one["index"] < committed
            lost = self.lost.get(one["index"]) == one["leaf_sha256"]
            check(before and (lost or one in known), "rules that were not in force")
        self.compare(leaf, accepted)
        self.back[here] = ([committed] if "committed" in value else []) + [value["index"]], value["number"]
        return value["leaf"].encode()

    def told(self):
        but = "; but for %d, whose entry is lost" % self.unknown if self.unknown else ""
        return "what counts for lateness is the time of each one's own entry" + but


def entries(lines, log):
    """The tree of all entries, what they accept, which one closed the assignment, the moments that
    count, for whom which submissions do not, what was accepted after it was closed, and the end that was named."""
    tree, accepted, closed, moments, detached, after = Tree(), {}, None, Moments(), {}, None
    graded, rules, extended, ended, latest, back = set(), [], [], {}, 0, None
    for line in lines:
        check(line.endswith(b"\n"), "the last line is cut off")
        line = line[:-1]
        leaf = json.loads(line, object_pairs_hook=receipts.once)
        if leaf["type"] == "scb-lost-entry":
            moments.lost[tree.size] = leaf["commitment"]
            tree.push(bytes.fromhex(leaf["commitment"]))
            closed = None
            continue
        document(line, "scb-entry")
        check(leaf["log"] == log and leaf["index"] == tree.size, "entry %d" % tree.size)
        ((kind, value),) = leaf["entry"].items()
        moments.read(leaf, kind, value)
        at = seconds(leaf["at"])
        if at + MAX_STEP_BACK < latest and not back:
            back = "entry %d is of %s, after one of %s: Blackboard's clock was set back" % (
                tree.size, leaf["at"], receipts.utc(latest).strftime("%Y-%m-%dT%H:%M:%SZ"))
        latest = max(latest, at)
        if kind in ABOUT:
            one = value["submission"]
            check(one not in ended, "entry %d: %s of %s, which ended as %s by entry %d"
                  % (tree.size, kind, one, *ended.get(one, ("", 0))))
            if kind in ENDS:
                ended[one] = kind, tree.size
        if kind == "closed":
            check(value["accepted"] == len(accepted), "it was closed after other submissions")
            closed = tree.size
        elif kind in REOPENS:
            if kind == "accepted" and closed is not None and not after:
                after = "entry %d accepted %s, though entry %d had closed the log and nothing had opened it again" % (
                    tree.size, value["number"], closed)
            closed = None
        if kind == "grades":
            graded.add(tree.size)
        if kind == "released" and not moments.lost:
            check(graded.issuperset(value["entries"]), "entry %d releases a grade that was never entered" % tree.size)
        if kind in ("detached", "attached"):
            number = value["number"]
            check(moments.lost or number in accepted,
                  "entry %d takes students out of %s, which was never accepted" % (tree.size, number))
            for sid in value["members"]:
                if kind == "detached":
                    detached.setdefault(number, {})[sid] = leaf["at"], value["reason"]
                else:
                    detached.get(number, {}).pop(sid, None)
        if kind == "rules":
            rules.append({"index": tree.size, "leaf_sha256": sha256(line).hex()})
        if kind == "extension":
            extended.append({"index": tree.size, "leaf_sha256": sha256(line).hex()})
        if kind == "accepted":
            pinned, committed = value.get("rules"), value.get("committed_index", tree.size)
            in_force = [one for one in rules if one["index"] < committed][-1:]
            check(not pinned or [pinned] == in_force, "rules that were not in force")
            check(all(one in extended and one["index"] < committed for one in value.get("extensions", [])),
                  "extensions that there were not")
            check(value["number"] not in accepted, value["number"] + " is accepted twice")
            accepted[value["number"]] = line
        if kind == "restored":
            check(value["number"] not in accepted, value["number"] + " is accepted twice")
            accepted[value["number"]] = moments.restore(tree.size, value, log, rules, extended)
        tree.push(sha256(line))
    return tree, accepted, None if after else closed, moments, back, detached, after, closed


def digest(archive, name):
    found, size = hashlib.sha256(), 0
    with archive.open(name) as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            found.update(block)
            size += len(block)
    return size, found.hexdigest()


def safe_name(name):
    """Harmless in every file system and shell, no option, and never that of the receipt."""
    safe = HARMFUL.sub("_", name)
    if not re.match("[.]?([A-Za-z0-9_]|[^\x00-\x7f])", safe) or safe.encode().lower().startswith(b"receipt."):
        safe = "report-" + safe
    return safe.encode()[:255].decode(errors="ignore").rstrip(". ")


def safe_paths(names):
    """Where each file lies: as it was handed in; or all under their numbers, where that would not
    tell them apart."""
    paths = ["/".join(safe_name(part) for part in name.split("/")) for name in names]
    keys = [path.encode().lower() for path in paths]
    folders = {key[:place] for key in keys for place in range(len(key)) if key[place:place + 1] == b"/"}
    if len(set(keys)) == len(keys) and not folders & set(keys):
        return paths
    return [safe_name("%03d-%s" % (place, name.split("/")[-1])) for place, name in enumerate(names, 1)]


def submission(archive, number, here, line, out, arguments, undated):
    """The receipt is about this entry and verifies; under each name lies what the members signed
    under that name, and nothing else; who was taken out of it has signed it. As many witnesses as are wanted have
    seen its entry in the archive's tree: in its own, which may be of before one joined, one is enough. Returns its
    lines of the table."""
    folder = "submissions/%s/" % number
    receipt = archive.read(folder + "receipt.zip")
    with contextlib.redirect_stdout(io.StringIO()):
        verdict = receipts.verify(argparse.Namespace(
            receipt=io.BytesIO(receipt), root=arguments.root, file=[],
            witness=arguments.witness, quorum=1))
    if verdict.endswith(verify_dating.WORD):
        undated.append(number)
    parts = receipts.read(io.BytesIO(receipt))
    check(parts["leaf.json"] == line, "the receipt in %s is about another entry" % folder)
    leaf, statement = json.loads(line), json.loads(parts["statement.json"])
    signed = {"receipt.zip": (len(receipt), sha256(receipt).hex())}
    for path, entry in zip(safe_paths([entry["name"] for entry in statement["files"]]), statement["files"]):
        signed[path] = entry["size"], entry["sha256"]
    check({folder + path for path in signed} == here, "missing or too many in " + folder)
    members = [member["sid"] for member in statement["members"]]
    for sid, (at, reason) in sorted(out.items()):
        check(sid in members, "%s was taken out of %s, and never signed it" % (sid, number))
        say("detached", "%s does NOT count for %s, since %s: %s" % (number, sid, at, reason))
    head = [number, leaf["entry"]["accepted"]["committed_at"], leaf["at"],
            " ".join(members)]
    for path, expected in signed.items():
        check(digest(archive, folder + path) == expected, folder + path + " is not what was signed")
        yield head + [folder + path, *expected]


def verify(arguments):
    with verify_files.Archive(arguments.archive) as archive:
        names = archive.namelist()
        receipts.check_stored(archive.infolist())
        check(len(set(names)) == len(names), "a file is there twice")
        head = document(archive.read("export.json"), "scb-export")
        at, log, service = seconds(head["exported_at"]), head["log"], head["service"]
        trusted = arguments.root.replace(":", "").lower().split(",")
        trust = receipts.Trust(archive.read("cuhk-ca.pem"), archive.read("crl.pem"), at, trusted)
        (signer,), others = receipts.cms(archive.read("export.p7s"), archive.read("export.json"))
        name = trust.chain(signer, others, {receipts.SERVER, receipts.CLIENT})
        check(name == service and service.endswith("/service/blackboard"), "who exported it")
        domain = service[len("spiffe://"):].split("/")[0]
        check(log.startswith(domain + "/blackboard/"), "the log of another service")
        say("exported", "%s at %s by %s" % (log, head["exported_at"], service))

        keys = document(archive.read("keys.json"), "scb-log-keys")
        note = archive.read("checkpoint").decode()
        text = note.split("\n\n", 1)[0] + "\n"
        origin, size, root = text.splitlines()
        Parts.last = "keys.json"
        key, witness = receipts.verifier_key(keys["log"], 1), receipts.verifier_key(keys["witness"], 4)
        check(witness[0] == domain + "/witness/cuhk", "the witness's key has another name")
        Parts.last = "checkpoint"
        check(origin == log == key[0], "the checkpoint is of another log")
        receipts.signed(key[2], receipts.note_signature(note, key) or b"", text.encode(),
                        "the checkpoint is not signed by the log's key")
        wanted = [witness] + [receipts.verifier_key(one, 4) for one in arguments.witness]
        seen = receipts.witnesses(note, text, wanted, 0)
        check(len(seen) >= arguments.quorum,
              "%d of its witnesses cosigned, %d must" % (len(seen), arguments.quorum))
        time = dict(seen).get(witness[0], max(moment for _, moment in seen))
        (signer,), others = receipts.cms(archive.read("keys.p7s"), archive.read("keys.json"))
        for moment in (trust, trust.then(time, b"", [])):
            name = moment.chain(signer, others, {receipts.DOCUMENT})
            check(name.endswith("/service/cuhk") and keys["service"] == service, "who endorsed the keys")
        for name, moment in seen:
            say("witnessed", "by %s at %s" % (name, receipts.utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")))
        gap = receipts.covered(trust, time)

        with archive.open("leaves.jsonl") as lines:
            tree, accepted, closed, moments, back, detached, after, named = entries(lines, log)
        check(str(tree.size) == size, "the checkpoint has %s entries, leaves.jsonl %d" % (size, tree.size))
        check(tree.root() == receipts.base64.b64decode(root), "the entries in leaves.jsonl are not the checkpoint's")
        told = (head["entries"], head["accepted"], head["lost"])
        check(told == (tree.size, len(accepted), len(moments.lost)), "export.json says other numbers")
        # Builds of before 23 November 2026 named the end after such an entry: no forgery, but not believed.
        check(head.get("closed") in (closed, named), "export.json names another end")
        lost = moments.nothing_left()
        say("logged", "%d entries, with the checkpoint's root" % tree.size)
        if lost:
            say("LOST", "of %d of them nothing is left: what they said nobody knows" % lost)
        for index, (ones, number) in moments.back.items():
            ones = " and ".join("entry %d" % one for one in ones)
            say("restored", "entry %d stands in for %s, by a receipt of %s" % (index, ones, number))
        if back:
            say("TIMES", back)
        if after:
            say("AFTER", after + ": what such an entry says is not believed")
        say("committed", moments.told())

        check(set(head["files"]) == BOUND, "export.json names other files")
        for name, expected in head["files"].items():
            check(digest(archive, name)[1] == expected, name + " is not what was exported")
        folders = {}
        for name in set(names) - FILES:
            top, number, rest = name.split("/", 2)
            check(top == "submissions", name + " does not belong there")
            folders.setdefault(number, set()).add(name)
        check(set(folders) == set(accepted),
              "missing or too many: %s" % " ".join(sorted(set(folders) ^ set(accepted))))
        table, undated = io.StringIO(), []
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(TITLE)
        for number, line in sorted(accepted.items(), key=lambda one: int(one[0][2:])):
            out = detached.get(number, {})
            rows.writerows(submission(archive, number, folders[number], line, out, arguments, undated))
        check(table.getvalue().encode() == archive.read("submissions.csv"),
              "submissions.csv does not say what the receipts and entries say")
        if undated:
            say("UNDATED", "that %s had come by then is Blackboard's word alone" % " ".join(undated))
        elif accepted:
            say("dated", "each one's own entry was made after an answer of CUHK, whose hash it has")
        still = " of what the entries still say; %d entries lost" % lost if lost else ""
        say("complete", "%d submissions with files and receipt, none left out%s" % (len(accepted), still))
    if lost:
        never = "NOT final, and never can be unless receipts bring it back"
        return "it verifies, and is %s: what %d entries said is LOST%s" % (never, lost, gap)
    if closed is None:
        return "it verifies, and is NOT final: more may have come later" + gap
    return "it verifies, and is FINAL: nothing came after entry %d%s" % (closed, gap)


def main():
    arguments = verify_files.asked(__doc__, "archive")
    other = "leaf.json", "export.json", "it is a receipt, or what members keep besides: use verify_receipt.py"
    verify_files.verdict(verify, arguments, arguments.archive, other)


if __name__ == "__main__":
    main()
