"""What is here beside what a receipt names: files by their hashes, folders by the names in them as well."""

import hashlib
import os


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
        there = sha256(path) in handed_in.values()
        return None if there else "NOT for %s: it was not handed in" % path
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
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()
