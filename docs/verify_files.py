"""What is here beside what a receipt names: files by their hashes, folders by the names in them as well. How the
verdict is told: which file it fails of, and why. And what versions of `cryptography` differ in: whoever checks has
some version. A part of `verify_receipt.py`, which must be beside it."""

import argparse
import base64
import hashlib
import json
import os
import re
import sys
import zipfile
from datetime import timezone


PARTS = ["verify_receipt.py", "verify_dating.py", "verify_rules.py", "verify_kept.py"]


def unjudged(why):
    """Nothing is said of the file, neither good nor bad, where the program cannot judge it."""
    print("nothing was judged: %s; this needs Python 3.7 or newer and the package cryptography 3.4 or newer: "
          "python3 -m pip install --upgrade cryptography" % why, file=sys.stderr)
    raise SystemExit(2)


for part in PARTS:
    if not os.path.exists(os.path.join(os.path.dirname(os.path.abspath(__file__)), part)):
        print("nothing was judged: %s belongs beside this script" % part, file=sys.stderr)
        raise SystemExit(2)
if sys.version_info < (3, 7):
    unjudged("this is Python %d.%d" % sys.version_info[:2])
try:
    import cryptography
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
except ImportError as lacking:
    unjudged("Python says: %s" % lacking)
if [int(part) for part in re.findall("[0-9]+", cryptography.__version__)[:2]] < [3, 4]:
    unjudged("this is cryptography " + cryptography.__version__)

CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
ROOT = re.compile("[0-9a-f]{64}|([0-9a-f]{2}:){31}[0-9a-f]{2}", re.I)
OF_MODULE = re.compile("module '.*' has no attribute")


def certificates(pem):
    """Before 39 only one at a time is read."""
    found = CERTIFICATE.findall(pem)
    if not found:
        raise ValueError("no certificate is in it")
    return [x509.load_pem_x509_certificate(one + b"\n") for one in found]


def time_of(of, what):
    """When a certificate begins or ends, or a list, or when something was revoked: before 42 it had no zone."""
    if hasattr(of, what + "_utc"):
        return getattr(of, what + "_utc")
    found = getattr(of, what)
    return found and found.replace(tzinfo=timezone.utc)


def issued_by(certificate, issuer):
    """By name and signature. Before 40 that was for the caller to do."""
    if hasattr(certificate, "verify_directly_issued_by"):
        return certificate.verify_directly_issued_by(issuer)
    key = key_of(issuer, "another kind of key")
    if certificate.issuer != issuer.subject or not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("another issuer, or another kind of key")
    key.verify(certificate.signature, certificate.tbs_certificate_bytes,
               ec.ECDSA(certificate.signature_hash_algorithm))


def fingerprints(text):
    """As it was given, if it is one, or several: whoever mistypes it learns nothing of the file."""
    if not all(ROOT.fullmatch(one) for one in text.split(",")):
        raise argparse.ArgumentTypeError("%r is no SHA-256 fingerprint: 64 hexadecimal digits, with or without a "
                                         "colon between each two" % text)
    return text


def witness(text):
    """As it was given, if it is a witness's key: whoever mistypes it learns nothing of the file."""
    try:
        verifier_key(text, 4)
    except (ValueError, IndexError, Wrong):
        told = "%r is no witness's key: NAME+ID+KEY, as its operator gives it" % text
        raise argparse.ArgumentTypeError(told) from None
    return text


def verifier_key(text, algorithm):
    """C2SP signed-note: name, key ID and Ed25519 key."""
    name, key_id, key = text.strip().split("+", 2)
    raw = base64.b64decode(key, validate=True)
    check(raw[0] == algorithm and len(raw) == 33, "a key for something else")
    check(hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() == key_id, "key ID")
    return name, bytes.fromhex(key_id), ed25519.Ed25519PublicKey.from_public_bytes(raw[1:])


def asked(doc, what):
    """What is to be judged, by which root, and who must have cosigned. Exits with 2 where that cannot be."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(what)
    parser.add_argument("root", type=fingerprints)
    if what == "receipt":
        parser.add_argument("file", nargs="*")
    parser.add_argument("--witness", action="append", default=[], type=witness, metavar="KEY")
    parser.add_argument("--quorum", type=int, default=1, metavar="N")
    arguments = parser.parse_args()
    most = len(set(arguments.witness)) + 1
    if not 1 <= arguments.quorum <= most:
        parser.error("--quorum %d: from 1 to %d can have cosigned, CUHK and each --witness" % (arguments.quorum, most))
    return arguments


class Wrong(Exception):
    """Something is not in order."""


class Unasked(Wrong):
    """What is wanted is nothing that this file could show."""


class OtherFile(Exception):
    """The receipt is in order, and is not for this file."""


class Part(bytes):
    """What is in a file of a receipt, with its name."""
    name = "it"


class Parts(dict):
    """The files of a receipt; known is of which one something was asked last, in which receipt of an archive, and which
    names a verdict may name."""
    last, folder, names = "it", "", set()

    def __init__(self, found):
        super().__init__(found)
        Parts.names |= set(found)
        for name in found:
            self[name] = part = Part(found[name])
            part.name = name

    def __getitem__(self, name):
        Parts.last = name
        return super().__getitem__(name)

    def are(self, expected, what):
        """These, and no others."""
        Parts.names |= set(expected)
        missing, more = sorted(set(expected) - set(self)), sorted(set(self) - set(expected))
        check(not missing, "not the files of %s: %s is missing" % (what, ", ".join(missing)))
        check(not more, "not the files of %s: %s does not belong there" % (what, ", ".join(more)))

    def __missing__(self, name):
        Parts.names.add(name)
        raise Wrong(name + " is missing")


class Archive(zipfile.ZipFile):
    """A ZIP file that knows which of its files was opened last."""

    def open(self, name, *arguments, **options):
        path = getattr(name, "filename", name)
        Parts.last, Parts.folder = path, path + ": " if path.endswith("/receipt.zip") else ""
        Parts.names.add(path)
        try:
            return super().open(name, *arguments, **options)
        except KeyError:
            raise Wrong(path + " is missing") from None

    def read(self, name, *arguments, **options):
        part = Part(super().read(name, *arguments, **options))
        part.name = getattr(name, "filename", name)
        return part


def check(truth, what):
    if not truth:
        raise Wrong(what)


def key_of(certificate, what):
    """The key in it; or it is wrong what is said then: whoever alters a certificate chooses what kind it has."""
    try:
        return certificate.public_key()
    except UnsupportedAlgorithm:
        raise Wrong(what) from None


def signed(key, signature, content, what, *algorithm):
    """The key has signed this, and is of a kind that signs here; or it is wrong what is said then."""
    check(isinstance(key, (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)), what)
    try:
        key.verify(signature, content, *algorithm)
    except InvalidSignature:
        raise Wrong(what) from None


def shown(text):
    """As it is, but for what steers a terminal or cannot be seen."""
    return "".join(one if one.isprintable() and one != "\\" else ascii(one)[1:-1] for one in text)


def say(what, found):
    print("%-9s  %s" % (what, shown(found)))


def verdict(verify, arguments, path, other):
    """Says the verdict. Exits with 1 unless it verifies, and with 2 if there is nothing to judge: such as what has the
    first of these files and not the second, which is something else."""
    sys.stdout.reconfigure(errors="backslashreplace")
    Parts.last = os.path.basename(path)
    try:
        open(path, "rb").close()
    except OSError as error:
        print("%s cannot be read: %s" % (shown(path), error.strerror), file=sys.stderr)
        raise SystemExit(2) from None
    has, lacks, what = other
    names = names_in(path)
    if has in names and lacks not in names:
        unasked(what)
    try:
        return say("verdict", verify(arguments))
    except OtherFile as found:
        say("verdict", str(found))
    except Exception as error:
        if is_of_here(error):
            unjudged("Python says: %s: %s" % (type(error).__name__, error))
        # In an archive it is no receipt, where one must be.
        if isinstance(error, Unasked) and not Parts.folder:
            unasked(error)
        told = reason(error)
        where = "" if told.startswith(Parts.folder) else Parts.folder
        say("verdict", "it does NOT verify: " + where + told)
    raise SystemExit(1)


def unasked(why):
    """The file may be as it should be."""
    print("nothing was judged: %s" % why, file=sys.stderr)
    raise SystemExit(2)


def names_in(path):
    """Of the files in it, if it can be opened. If not, that is judged later."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except Exception:
        return []


def is_of_here(error):
    """Whether this Python lacks something. What is in the file, too, may be none that has what is asked of it: only a
    module is nobody else's."""
    if isinstance(error, AttributeError):
        return bool(OF_MODULE.match(str(error)))
    return isinstance(error, (ImportError, NameError, MemoryError, UnsupportedAlgorithm))


def reason(error):
    """Why it fails, and in which file."""
    if isinstance(error, Wrong):
        told = str(error)
        return told if any(name in told for name in Parts.names) else "%s: %s" % (Parts.last, told)
    return "%s: %s" % (Parts.last, next(why for kind, why in REASONS if isinstance(error, kind)) % error)


REASONS = [
    (zipfile.BadZipFile, "no ZIP file, or a damaged one (%s)"),
    (InvalidSignature, "a signature that does not fit%s"),
    (KeyError, "no field %s"),
    (json.JSONDecodeError, "no JSON (%s)"),
    (UnicodeError, "no UTF-8 (%s)"),
    ((StopIteration, IndexError), "something is missing in it, or it is cut off%.0s"),
    (Exception, "not in the form that it must have (%s)"),
]


def judge(paths, files):
    """Each path, with nothing if it was handed in, whole or as a part of it, or with what is the matter."""
    handed_in = {entry["name"]: entry["sha256"] for entry in files}
    for path in paths:
        try:
            yield path, differs(path, handed_in)
        except OSError as error:
            yield path, "%s could not be read: %s" % (path, error.strerror)


def differs(path, handed_in):
    if not os.path.isdir(path):
        found, last = sha256(path), os.path.basename(path)
        if found in handed_in.values():
            return None
        named = [value for name, value in handed_in.items() if name.split("/")[-1] == last]
        other = "; under that name was SHA-256 %s" % " or ".join(named[:3]) if named else ""
        return "NOT for %s: it was not handed in, its SHA-256 is %s%s" % (path, found, other)
    # Beside others a folder's own name was a part of its files' names.
    own = os.path.basename(os.path.realpath(path)) + "/"
    part = {name[len(own):]: value for name, value in handed_in.items() if name.startswith(own)}
    here = dict(within(path))
    told = [differences(stated, here) for stated in (handed_in, part) if stated]
    fewest = min(told, key=len)
    for folder in sorted({name.split("/")[0] + "/" for name in handed_in if "/" in name}) if fewest else []:
        stated = {name[len(folder):]: value for name, value in handed_in.items() if name.startswith(folder)}
        if stated == here:
            return ("NOT for %s: only its own name differs, these very files were handed in as the folder %s"
                    % (path, folder[:-1]))
    return "NOT for %s: %s" % (path, ", ".join(fewest[:5])) if fewest else None


def differences(stated, here):
    names = sorted(set(stated) | set(here))
    return ["%r is %s" % (name, "missing" if name not in here else "another" if name in stated
                          else "not what was handed in") for name in names if stated.get(name) != here.get(name)]


def within(folder):
    def refuse(error):
        raise error

    for directory, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            path = os.path.join(directory, name)
            yield os.path.relpath(path, folder).replace(os.sep, "/"), sha256(path)


def sha256(path):
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()
