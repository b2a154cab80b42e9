"""The buckets of the tests' OSS server: objects and uploads as files in a folder, an index in memory.
Knows nothing of HTTP. CRCs by crcmod, whose compiled form reads some 100 MiB a second.
"""

import bisect
import hashlib
import json
import os
import threading
import uuid

import crcmod

BLOCK = 1 << 16
# CRC-64/XZ, which the service calls crc64ecma.
_crc = crcmod.mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, xorOut=0xFFFFFFFFFFFFFFFF, rev=True)


class Short(Exception):
    """There were fewer bytes than announced."""


class Received:
    """Bytes on disk with their length and checksums."""

    def __init__(self, path, read, length):
        self.path, self.size, self.crc = path, 0, 0
        digest = hashlib.md5()
        with open(path, "wb") as file:
            while self.size < length:
                block = read(min(BLOCK, length - self.size))
                if not block:
                    file.close()
                    os.unlink(path)
                    raise Short()
                file.write(block)
                digest.update(block)
                self.crc = _crc(block, self.crc)
                self.size += len(block)
        self.md5 = digest.digest()

    @property
    def etag(self):
        return '"%s"' % self.md5.hex().upper()


class Bucket:
    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.RLock()
        self.objects, self.keys, self.uploads = {}, [], {}
        os.makedirs(os.path.join(folder, "data"), exist_ok=True)

    def receive(self, read, length):
        return Received(os.path.join(self.folder, "data", uuid.uuid4().hex), read, length)

    def put(self, key, entry):
        """Puts an entry: path (or none), size, etag, crc, and what else the server keeps. Replaces what is there at once."""
        with self.lock:
            old = self.objects.get(key)
            self.objects[key] = entry
            if old is None:
                bisect.insort(self.keys, key, key=_order)
            with open(os.path.join(self.folder, "data", hashlib.sha256(key.encode()).hexdigest() + ".json"), "w") as file:
                json.dump({"key": key, **entry}, file)
            if old and old.get("path") and old["path"] != entry.get("path"):
                os.unlink(old["path"])

    def delete(self, key):
        with self.lock:
            entry = self.objects.pop(key, None)
            if entry is None:
                return
            self.keys.remove(key)
            os.unlink(os.path.join(self.folder, "data", hashlib.sha256(key.encode()).hexdigest() + ".json"))
            if entry.get("path"):
                os.unlink(entry["path"])

    def list(self, prefix, after, delimiter, limit):
        """Keys and common prefixes behind `after`, in the order of their bytes, and whether that isn't all."""
        found, last_prefix = [], None
        with self.lock:
            # A page that ended with a common prefix goes on behind all that begins with it.
            at = bisect.bisect_left(self.keys, _order(prefix), key=_order)
            at = max(at, bisect.bisect_right(self.keys, _order(after), key=_order)) if after else at
            for key in self.keys[at:]:
                if not key.startswith(prefix):
                    if _order(key) > _order(prefix):
                        break
                    continue
                if delimiter and delimiter in key[len(prefix) :]:
                    common = key[: key.index(delimiter, len(prefix)) + len(delimiter)]
                    if common == last_prefix or (after and after.startswith(common)):
                        continue
                    if len(found) == limit:
                        return found, True
                    last_prefix = common
                    found.append((common, None))
                    continue
                if len(found) == limit:
                    return found, True
                found.append((key, self.objects[key]))
        return found, False

    def begin(self, key, properties):
        with self.lock:
            upload = uuid.uuid4().hex.upper()
            self.uploads[upload] = {"key": key, "properties": properties, "parts": {}}
            return upload

    def abort(self, upload):
        with self.lock:
            for part in self.uploads.pop(upload)["parts"].values():
                os.unlink(part.path)

    def complete(self, upload, numbers):
        """All parts in a row, as one file."""
        with self.lock:
            parts = [self.uploads[upload]["parts"][number] for number in numbers]

        def blocks():
            for part in parts:
                with open(part.path, "rb") as file:
                    while block := file.read(BLOCK):
                        yield block

        stream = blocks()
        pending = b""

        def read(count):
            nonlocal pending
            block = pending or next(stream, b"")
            pending = block[count:]
            return block[:count]

        whole = self.receive(read, sum(part.size for part in parts))
        whole_md5 = hashlib.md5(b"".join(part.md5 for part in parts)).hexdigest().upper()
        return whole, f'"{whole_md5}-{len(parts)}"'


def _order(key):
    return key.encode()
