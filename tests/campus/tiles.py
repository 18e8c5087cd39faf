"""The entries of a log directory (C2SP tlog-tiles), and their tree (RFC 6962). Stands before the scripts
that judge one."""
import hashlib, struct


def entries(log, size):
    found = []
    for bundle in range((size + 255) // 256):
        width = min(256, size - 256 * bundle)
        path = log / "tile/entries" / f"{bundle:03}"
        partial = log / "tile/entries" / f"{bundle:03}.p" / str(width)
        data = (path if path.exists() else partial).read_bytes()
        while data and len(found) < size:
            (length,) = struct.unpack(">H", data[:2])
            found.append(data[2 : 2 + length])
            data = data[2 + length :]
    assert len(found) == size and all(len(entry) == 32 for entry in found)
    return found


def tree(leaves):
    """RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + tree(leaves[:split]) + tree(leaves[split:])).digest()


