#!/usr/bin/env python3
"""Checks an archive of an assignment with Python's standard library and `cryptography`; nothing of
the system's own. `verify_receipt.py` must be beside it.

    verify_export.py ARCHIVE.zip ROOT

ROOT is the SHA-256 fingerprint of CUHK's root certificate, from a place that you trust. Says
whether every submission of the assignment's log is in the archive, each as it was handed in, and
whether more may have come later. Exit code: 0 if it verifies, 1 if not.
"""

import argparse
import contextlib
import hashlib
import io
import json
import zipfile

import verify_receipt as receipts
from verify_receipt import check, document, say, seconds, sha256

FILES = {"export.json", "export.p7s", "leaves.jsonl", "checkpoint", "keys.json", "keys.p7s",
         "cuhk-ca.pem", "crl.pem", "submissions.csv", "VERIFY.md"}
REOPENS = {"rules", "extension", "committed", "accepted", "recovered"}


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


def entries(lines, log):
    """The tree of all entries, what they accept, and which one closed the assignment."""
    tree, accepted, closed = Tree(), {}, None
    graded, lost = set(), False
    for line in lines:
        check(line.endswith(b"\n"), "the last line is cut off")
        line = line[:-1]
        leaf = json.loads(line, object_pairs_hook=receipts.once)
        if leaf["type"] == "scb-lost-entry":
            tree.push(bytes.fromhex(leaf["commitment"]))
            closed, lost = None, True
            say("LOST", "entry %d" % (tree.size - 1))
            continue
        document(line, "scb-entry")
        check(leaf["log"] == log and leaf["index"] == tree.size, "entry %d" % tree.size)
        ((kind, value),) = leaf["entry"].items()
        if kind == "closed":
            check(value["accepted"] == len(accepted), "it was closed after other submissions")
            closed = tree.size
        elif kind in REOPENS:
            closed = None
        if kind == "grades":
            graded.add(tree.size)
        if kind == "released" and not lost:
            check(graded.issuperset(value["entries"]), "entry %d releases a grade that was never entered" % tree.size)
        if kind == "accepted":
            check(value["number"] not in accepted, value["number"] + " is accepted twice")
            accepted[value["number"]] = line
        tree.push(sha256(line))
    return tree, accepted, closed


def digest(file):
    found = hashlib.sha256()
    while block := file.read(1 << 20):
        found.update(block)
    return found.hexdigest()


def submission(archive, folder, names, line, root):
    """The receipt is about this entry and verifies; the files are those that were signed."""
    receipt = archive.read(folder + "receipt.zip")
    with contextlib.redirect_stdout(io.StringIO()):
        receipts.verify(argparse.Namespace(
            receipt=io.BytesIO(receipt), root=root, file=[], witness=[], quorum=1))
    parts = receipts.read(io.BytesIO(receipt))
    check(parts["leaf.json"] == line, "the receipt in %s is about another entry" % folder)
    signed = sorted(entry["sha256"] for entry in json.loads(parts["statement.json"])["files"])
    found = []
    for name in names:
        with archive.open(name) as file:
            found.append(digest(file))
    check(sorted(found) == signed, "the files in %s are not those that were signed" % folder)


def verify(arguments):
    with zipfile.ZipFile(arguments.archive) as archive:
        names = archive.namelist()
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
        (signer,), others = receipts.cms(archive.read("keys.p7s"), archive.read("keys.json"))
        name = trust.chain(signer, others, {receipts.DOCUMENT})
        check(name.endswith("/service/cuhk") and keys["service"] == service, "who endorsed the keys")
        note = archive.read("checkpoint").decode()
        text = note.split("\n\n", 1)[0] + "\n"
        origin, size, root = text.splitlines()
        key = receipts.verifier_key(keys["log"], 1)
        check(origin == log == key[0], "the checkpoint is of another log")
        key[2].verify(receipts.note_signature(note, key) or b"", text.encode())
        witness = receipts.verifier_key(keys["witness"], 4)
        check(witness[0] == domain + "/witness/cuhk", "the witness's key has another name")
        line = receipts.note_signature(note, witness)
        check(line is not None, "CUHK has not cosigned")
        time = int.from_bytes(line[:8], "big")
        witness[2].verify(line[8:], ("cosignature/v1\ntime %d\n%s" % (time, text)).encode())
        say("witnessed", "by %s at %s" % (witness[0], receipts.utc(time).strftime("%Y-%m-%dT%H:%M:%SZ")))

        with archive.open("leaves.jsonl") as lines:
            tree, accepted, closed = entries(lines, log)
        check(str(tree.size) == size, "the checkpoint has %s entries, not %d" % (size, tree.size))
        check(tree.root() == receipts.base64.b64decode(root), "the entries are not the checkpoint's")
        told = (head["entries"], head["accepted"], head.get("closed"))
        check(told == (tree.size, len(accepted), closed), "export.json says other numbers")
        say("logged", "%d entries, with the checkpoint's root" % tree.size)

        folders = {}
        for name in set(names) - FILES:
            top, number, rest = name.split("/", 2)
            check(top == "submissions", name + " does not belong there")
            folders.setdefault(number, []).extend([name] if rest != "receipt.zip" else [])
        check(set(folders) == set(accepted),
              "missing or too many: %s" % " ".join(sorted(set(folders) ^ set(accepted))))
        for number, line in accepted.items():
            submission(archive, "submissions/%s/" % number, folders[number], line, arguments.root)
        say("complete", "%d submissions with files and receipt, none left out" % len(accepted))
    if closed is None:
        return "it verifies, and is NOT final: more may have come later"
    return "it verifies, and is FINAL: nothing came after entry %d" % closed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("archive")
    parser.add_argument("root")
    arguments = parser.parse_args()
    try:
        say("verdict", verify(arguments))
    except Exception as error:
        say("verdict", "it does NOT verify: %s %s" % (type(error).__name__, error))
        raise SystemExit(1)


if __name__ == "__main__":
    main()
