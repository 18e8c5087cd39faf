"""An outside witness as C2SP tlog-witness describes it, with nothing of ours: it listens on this
machine, keeps what it has cosigned in memory, and cosigns what provably grew. With --lie it is one
that nobody should believe.

usage: judge_witness.py --logs FILE [--listen 127.0.0.1:0] [--seed 07] [--lie NAME] [--tls FILE]

FILE has the verifier keys of the logs that it serves, one a line. It prints its own, and where it
listens. With --tls it speaks TLS under a certificate that it makes and writes there."""

import argparse
import base64
import datetime
import hashlib
import ipaddress
import ssl
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NAME = "library.example/witness"


class Refused(Exception):
    """A status, and what the body is."""

    def __init__(self, status, body="", kind="text/plain"):
        super().__init__(status, body)
        self.status, self.body, self.kind = status, body, kind


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def check_growth(old, old_root, new, new_root, proof):
    """RFC 9162, section 2.1.4.2."""
    if old == new:
        if proof or old_root != new_root:
            raise ValueError("another tree of the same size")
        return
    if old == 0:
        if proof:
            raise ValueError("there is nothing to prove")
        return
    if old & (old - 1) == 0:
        proof = [old_root] + proof
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    if not proof:
        raise ValueError("no proof")
    found_old = found_new = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            raise ValueError("the proof is too long")
        if first & 1 or first == last:
            found_old, found_new = node(sibling, found_old), node(sibling, found_new)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            found_new = node(found_new, sibling)
        first, last = first >> 1, last >> 1
    if last or found_old != old_root or found_new != new_root:
        raise ValueError("the proof is wrong")


class Witness:
    def __init__(self, arguments):
        self.logs, self.lie, self.seen = arguments.logs, arguments.lie, {}
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([int(arguments.seed, 16)]) * 32)
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.public = self.key.public_key().public_bytes(*raw)
        self.id = key_id(NAME, 4, self.public)

    def verifier_key(self):
        key = base64.b64encode(b"\x04" + self.public).decode()
        return "%s+%s+%s" % (NAME, self.id.hex(), key)

    def known_key(self, origin):
        with open(self.logs, encoding="utf-8") as lines:
            for line in lines:
                name, _, key = line.strip().split("+", 2)
                if name == origin:
                    return base64.b64decode(key)
        raise Refused(404)

    def check_signed(self, origin, text, lines):
        key = self.known_key(origin)
        kind, public = key[0], key[1:]
        for line in lines:
            dash, name, value = line.split(" ")
            value = base64.b64decode(value, validate=True)
            if dash == "\u2014" and name == origin and value[:4] == key_id(name, kind, public):
                try:
                    return Ed25519PublicKey.from_public_bytes(public).verify(value[4:], text.encode())
                except InvalidSignature:
                    break
        raise Refused(403)

    def add_checkpoint(self, body):
        head, note = body.split("\n\n", 1)
        text, lines = note.split("\n\n", 1)
        text += "\n"
        old, *proof = head.split("\n")
        word, old = old.split(" ")
        origin, size, root = text.splitlines()
        size, root = int(size), base64.b64decode(root, validate=True)
        self.check_signed(origin, text, lines.splitlines())
        if word != "old" or int(old) > size or len(proof) > 63:
            raise Refused(400)
        seen, seen_root = self.seen.get(origin, (0, b""))
        if self.lie == "ahead":
            seen = 1 << 40
        if self.lie == "forked":
            raise Refused(409, "%d\n" % int(old), "text/x.tlog.size")
        if self.lie in ("403", "404", "409", "422", "500"):
            raise Refused(int(self.lie))
        if int(old) != seen:
            raise Refused(409, "%d\n" % seen, "text/x.tlog.size")
        try:
            proof = [base64.b64decode(line, validate=True) for line in proof]
            check_growth(seen, seen_root, size, root, proof)
        except ValueError:
            raise Refused(409 if seen == size else 422) from None
        self.seen[origin] = size, root
        return self.answer(text)

    def answer(self, text):
        now = int(time.time())
        if self.lie == "silent":
            time.sleep(3600)
        if self.lie == "clock":
            now -= 3600
        if self.lie == "other":
            origin, size, root = text.splitlines()
            text = "%s\n%d\n%s\n" % (origin, int(size) + 1, root)
        line = now.to_bytes(8, "big") + self.key.sign(b"cosignature/v1\ntime %d\n" % now + text.encode())
        name, key = NAME, self.id
        if self.lie == "name":
            name = "library.example/other"
            key = key_id(name, 4, self.public)
        stranger = "\u2014 stranger.example %s\n" % base64.b64encode(b"abcd" + bytes(72)).decode()
        own = "\u2014 %s %s\n" % (name, base64.b64encode(key + line).decode())
        lies = {"garbage": "not a signature at all", "bytes": "\u2014 \xff", "long": own * 1000}
        return lies.get(self.lie, stranger + own)


def handler(witness):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, kind = 200, "text/plain; charset=utf-8"
            try:
                if self.path != "/add-checkpoint":
                    raise Refused(404)
                answer = witness.add_checkpoint(body)
            except Refused as refused:
                status, answer, kind = refused.status, refused.body, refused.kind
            answer = answer.encode("latin-1" if witness.lie == "bytes" else "utf-8", "replace")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    return Handler


def over_tls(server, file):
    """Under a certificate of its own for this machine, key and all in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a witness")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1)).add_extension(here, False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                               serialization.NoEncryption())
    with open(file, "wb") as to:
        to.write(secret + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--logs", required=True)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--seed", default="07")
    parser.add_argument("--lie")
    parser.add_argument("--tls")
    arguments = parser.parse_args()
    witness = Witness(arguments)
    host, port = arguments.listen.rsplit(":", 1)
    server = ThreadingHTTPServer((host, int(port)), handler(witness))
    if arguments.tls:
        over_tls(server, arguments.tls)
    print("key %s" % witness.verifier_key(), flush=True)
    print("listening on %s:%d" % server.server_address[:2], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
