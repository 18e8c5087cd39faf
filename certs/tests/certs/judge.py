"""Reads what scb-certs wrote, in the working directory; prints "agreed" or fails."""

import datetime
import ipaddress
import sys

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509 import verification

NOW = datetime.datetime.fromtimestamp(int(sys.argv[1]), datetime.timezone.utc)


def read(name):
    with open(name, "rb") as file:
        return file.read()


def certificate(name):
    return x509.load_pem_x509_certificate(read(name))


def fails(call, *errors):
    try:
        call()
    except errors:
        return True
    return False


root, students, services = (certificate(n) for n in ("root.pem", "students.pem", "services.pem"))
student, service = certificate("student.pem"), certificate("service.pem")
policy = verification.PolicyBuilder().store(verification.Store([root])).time(NOW)

# Chains.
client = policy.build_client_verifier().verify(student, [students])
assert [name.value for name in client.subjects] == ["spiffe://cuhk.example/student/1155000001"]
for name in (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("::1"))):
    policy.build_server_verifier(name).verify(service, [services])
wrong = policy.build_server_verifier(x509.DNSName("cuhk.example"))
assert fails(lambda: wrong.verify(service, [services]), verification.VerificationError)
assert fails(
    lambda: policy.build_client_verifier().verify(student, [services]),
    verification.VerificationError,
)
student.verify_directly_issued_by(students)
students.verify_directly_issued_by(root)

# Revocation list.
crl = x509.load_pem_x509_crl(read("students.crl"))
assert crl.is_signature_valid(students.public_key())
assert not crl.is_signature_valid(services.public_key())
entry = crl.get_revoked_certificate_by_serial_number(student.serial_number)
reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
assert reason == x509.ReasonFlags.key_compromise
assert crl.get_revoked_certificate_by_serial_number(service.serial_number) is None

# Request, key and signature.
request = x509.load_der_x509_csr(read("request.der"))
assert request.is_signature_valid and len(list(request.subject)) == 0
key = serialization.load_pem_private_key(read("key.pem"), b"correct horse")
assert key.public_key() == request.public_key()
assert fails(lambda: serialization.load_pem_private_key(read("key.pem"), b"wrong"), ValueError)
raw = read("signature")
signature = utils.encode_dss_signature(
    int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
)
algorithm = ec.ECDSA(hashes.SHA256())
key.public_key().verify(signature, b"message", algorithm)
assert fails(
    lambda: key.public_key().verify(signature, b"massage", algorithm), exceptions.InvalidSignature
)

print("agreed")
