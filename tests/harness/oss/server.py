"""An OSS server for the tests: checks every signature with its own code, keeps objects on disk, speaks the error XML.

Arguments: a folder, and settings as JSON: `keys` (access key -> secret, and optionally token, `reads`: may only read, and
`buckets`: may touch no other), `region`, `buckets`, `domains` (a host -> its bucket), `offset` (seconds that its clock is
ahead), `page_parts` (most parts of a page), `wants_md5` (no object is put without `Content-MD5`), `delay` (milliseconds
that a busy service asks for), `faults` (a kind -> the numbers, from 0, of the requests of that kind that it befalls; kinds:
`busy-put`, `busy-get`, `limit-put`, `crc-put`, `crc-part`, `crc-copy`, `skip-crc`). Prints its port once it listens.
"""

import base64
import io
import json
import os
import sys
import threading
import time
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from signature import Refused, Signatures
from storage import BLOCK, Bucket, Short

MAX_KEY_BYTES = 1023
MAX_PUT_BYTES = 5 << 30
# In bytes; the last part may be smaller.
MIN_PART_BYTES = 100 << 10
MAX_PARTS = 10_000
MAX_KEYS = 1000
MAX_PAGE_PARTS = 1000
ARCHIVED = ("Archive", "ColdArchive", "DeepColdArchive")
# What an answer to HEAD or GET repeats of what was put.
KEPT = ("content-type", "cache-control", "content-disposition", "content-encoding", "x-oss-storage-class")
BUSY_MILLISECONDS = 40
COPY_SOURCE = "x-oss-copy-source"


class Service:
    def __init__(self, folder, settings):
        self.signatures = Signatures(settings["keys"], settings.get("region", "cn-test"), settings.get("offset", 0))
        self.domains = settings.get("domains", {})
        self.folder, self.page_parts = folder, settings.get("page_parts", MAX_PAGE_PARTS)
        self.wants_md5, self.delay = settings.get("wants_md5", False), settings.get("delay", BUSY_MILLISECONDS)
        self.buckets = {name: Bucket(os.path.join(folder, name)) for name in settings.get("buckets", [])}
        self.faults, self.counts, self.lock = settings.get("faults", {}), {}, threading.Lock()

    def befalls(self, kind):
        """Whether this request of the kind has the fault."""
        with self.lock:
            number = self.counts.get(kind, 0)
            self.counts[kind] = number + 1
        return number in self.faults.get(kind, [])


class Request:
    """What a signature is about."""

    def __init__(self, method, target, headers, domains):
        self.method = method
        self.headers = {name.lower(): value for name, value in headers.items()}
        split = urlsplit(target)
        host = split.netloc or self.headers.get("host", "")
        self.pairs = [tuple(pair.partition("=")[::2]) for pair in split.query.split("&") if pair]
        self.query = {unquote(name): unquote(value) for name, value in self.pairs}
        name = host.rpartition(":")[0] or host
        path = split.path[1:]
        if name in domains:
            self.bucket = domains[name]
        elif name.replace(".", "").isdigit() or name == "localhost":
            self.bucket, _, path = path.partition("/")
        else:
            self.bucket = name.partition(".")[0]
        self.key = unquote_to_bytes(path).decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # An answer's head and a small body go out together.
    wbufsize = 1 << 16

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return formatdate(self.server.service.signatures.now() if timestamp is None else timestamp, usegmt=True)

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def serve(self):
        # The line as it came: http.server collapses slashes at the beginning of a path.
        target = self.requestline.split(" ")[1]
        self.source, self.left = self.rfile, int(self.headers.get("content-length") or 0)
        if self.headers.get("transfer-encoding") == "chunked":
            chunks = self.chunks()
            self.source, self.left = io.BytesIO(chunks), len(chunks)
        self.service = self.server.service
        try:
            self.request_ = Request(self.command, target, self.headers, self.service.domains)
            owner = self.service.signatures.check(self.request_)
            if self.service.signatures.keys[owner].get("reads") and self.command not in ("GET", "HEAD"):
                raise Refused(403, "AccessDenied", "You do not have write acl on this object.")
            self.may_touch = self.service.signatures.keys[owner].get("buckets", self.service.buckets)
            self.route()
        except Refused as refused:
            self.refuse(refused)
        except Short:
            self.close_connection = True
        except UnicodeDecodeError:
            self.refuse(Refused(400, "InvalidObjectName", "The specified object is not valid."))

    def route(self):
        it = self.request_
        if not it.bucket:
            names = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in self.service.buckets)
            return self.answer(200, f"<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>")
        if it.method == "PUT" and not it.key and not it.query:
            self.service.buckets.setdefault(it.bucket, Bucket(os.path.join(self.service.folder, it.bucket)))
            return self.answer(200)
        self.bucket = self.service.buckets.get(it.bucket)
        if self.bucket is None:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist.")
        self.touch(it.bucket)
        if not it.key:
            return self.of_bucket(it)
        if len(it.key.encode()) > MAX_KEY_BYTES or it.key[0] in "/\\":
            raise Refused(400, "InvalidObjectName", "The specified object is not valid.")
        self.of_object(it)

    def touch(self, bucket):
        if bucket not in self.may_touch:
            raise Refused(403, "AccessDenied", "You have no right to access this object.")

    def of_bucket(self, it):
        if it.method == "GET" and "uploads" in it.query:
            return self.list_uploads(it)
        if it.method == "GET":
            return self.list(it)
        if it.method == "POST" and "delete" in it.query:
            for element in ElementTree.fromstring(self.body()).iter("Object"):
                self.bucket.delete(element.findtext("Key"))
            return self.answer(200, "<DeleteResult></DeleteResult>")
        raise Refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")

    def of_object(self, it):
        query = it.query
        match it.method:
            case "PUT" if "partNumber" in query:
                return self.put_part(it)
            case "PUT" if "symlink" in query:
                return self.put_symlink(it)
            case "PUT" if "tagging" in query:
                tags = ElementTree.fromstring(self.body()).iter("Tag")
                return self.change(tags={tag.findtext("Key"): tag.findtext("Value") for tag in tags})
            case "PUT" if "acl" in query:
                return self.change(acl=it.headers.get("x-oss-object-acl", "default"))
            case "PUT" if COPY_SOURCE in it.headers:
                return self.copy(it)
            case "PUT":
                return self.put(it)
            case "POST" if "uploads" in query:
                upload = self.bucket.begin(it.key, self.properties(it))
                return self.answer(200, f"<InitiateMultipartUploadResult><Bucket>{it.bucket}</Bucket><Key>{escape(it.key)}</Key>"
                                   f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>")
            case "POST" if "uploadId" in query:
                return self.complete(it)
            case "POST" if "restore" in query:
                return self.change(restored=True)
            case "DELETE" if "uploadId" in query:
                self.upload(it)
                self.bucket.abort(query["uploadId"])
                return self.answer(204)
            case "DELETE":
                self.bucket.delete(it.key)
                return self.answer(204)
            case "GET" if "symlink" in query:
                entry = self.entry(it.key)
                if "target" not in entry:
                    raise Refused(400, "NotSymlink", "The object is not symlink.")
                return self.answer(200, headers={"x-oss-symlink-target": quote(entry["target"]), "etag": entry["etag"]})
            case "GET" if "tagging" in query:
                tags = self.entry(it.key).get("tags", {}).items()
                tags = "".join(f"<Tag><Key>{escape(key)}</Key><Value>{escape(value)}</Value></Tag>" for key, value in tags)
                return self.answer(200, f"<Tagging><TagSet>{tags}</TagSet></Tagging>")
            case "GET" if "acl" in query:
                acl = self.entry(it.key).get("acl", "default")
                return self.answer(200, f"<AccessControlPolicy><AccessControlList><Grant>{acl}</Grant></AccessControlList>"
                                   "<Owner><ID>1</ID><DisplayName>1</DisplayName></Owner></AccessControlPolicy>")
            case "GET" if "uploadId" in query:
                return self.list_parts(it)
            case "GET" | "HEAD":
                return self.get(it)
        raise Refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")

    # Objects

    def properties(self, it):
        headers = it.headers
        return {
            "headers": {name: value for name, value in headers.items() if name in KEPT or name.startswith("x-oss-meta-")},
            "encryption": headers.get("x-oss-server-side-encryption"),
            "tags": dict(parse_qsl(headers.get("x-oss-tagging", ""), keep_blank_values=True)),
            "acl": headers.get("x-oss-object-acl", "default"),
        }

    def may_write(self, it):
        if it.headers.get("x-oss-forbid-overwrite") == "true" and it.key in self.bucket.objects:
            raise Refused(409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten.")

    def received(self, it, kind):
        """The body, once it's whole and what its MD5 says."""
        if self.left > MAX_PUT_BYTES:
            raise Refused(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")
        if self.service.befalls("busy-" + kind):
            raise Refused(503, "UploadTrafficRateLimitExceeded", "Please reduce your upload traffic.")
        if self.service.befalls("limit-" + kind):
            raise Refused(429, "QpsLimitExceeded", "The request rate exceeds the limit.")
        if kind == "put" and self.service.wants_md5 and "content-md5" not in it.headers:
            raise Refused(400, "InvalidDigest", "The Content-MD5 is missing.")
        length, self.left = self.left, 0
        body = self.bucket.receive(self.source.read, length)
        given = it.headers.get("content-md5")
        if given is not None and base64.b64encode(body.md5).decode() != given:
            os.unlink(body.path)
            raise Refused(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")
        return body

    def put(self, it):
        self.may_write(it)
        body = self.received(it, "put")
        with self.bucket.lock:
            self.may_write(it)
            entry = {"path": body.path, "size": body.size, "etag": body.etag, "crc": body.crc, "type": "Normal"}
            self.store(it.key, {**entry, **self.properties(it)})
        crc = body.crc ^ 1 if self.service.befalls("crc-put") else body.crc
        self.answer(200, headers={"etag": body.etag, "x-oss-hash-crc64ecma": crc})

    def put_symlink(self, it):
        with self.bucket.lock:
            self.may_write(it)
            target = unquote(it.headers.get("x-oss-symlink-target", ""))
            etag = '"%s"' % base64.b16encode(target.encode()).decode()[:32].ljust(32, "0")
            self.store(it.key, {"size": 0, "etag": etag, "crc": 0, "type": "Symlink", "target": target, **self.properties(it)})
        self.answer(200, headers={"etag": etag})

    def store(self, key, entry):
        self.bucket.put(key, {"modified": int(self.service.signatures.now()), **entry})

    def change(self, **changes):
        with self.bucket.lock:
            self.bucket.put(self.request_.key, {**self.entry(self.request_.key), **changes})
        self.answer(200)

    def copied(self, it):
        """The object that a copy is of, if it may be read and is still what the client thinks."""
        name, _, key = unquote(it.headers[COPY_SOURCE]).removeprefix("/").partition("/")
        if name not in self.service.buckets:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist.")
        self.touch(name)
        source = self.service.buckets[name].objects.get(key)
        if not source:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        if it.headers.get(COPY_SOURCE + "-if-match", source["etag"]).strip('"') != source["etag"].strip('"'):
            raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
        if is_cold(source):
            raise Refused(403, "InvalidObjectState", "The operation is not valid for the object's state.")
        return source

    def copy(self, it):
        source = self.copied(it)
        self.may_write(it)
        ours = self.properties(it)
        kept = {**ours, **{name: source[name] for name in ("headers", "tags") if name in source}}
        if it.headers.get("x-oss-metadata-directive", "COPY").upper() == "REPLACE":
            kept["headers"] = ours["headers"]
        if it.headers.get("x-oss-tagging-directive", "Copy").upper() == "REPLACE":
            kept["tags"] = ours["tags"]
        if "x-oss-storage-class" in it.headers:
            kept["headers"] = {**kept["headers"], "x-oss-storage-class": it.headers["x-oss-storage-class"]}
        if "target" in source:
            # Of a symlink the symlink alone is copied.
            entry = {"size": 0, "etag": source["etag"], "crc": 0, "type": "Symlink", "target": source["target"]}
        else:
            with open(source["path"], "rb") as file:
                body = self.bucket.receive(file.read, source["size"])
            entry = {"path": body.path, "size": body.size, "etag": source["etag"], "crc": body.crc, "type": "Normal"}
        with self.bucket.lock:
            self.may_write(it)
            self.store(it.key, {**entry, **kept})
        crc = entry["crc"] ^ 1 if self.service.befalls("crc-copy") else entry["crc"]
        self.answer(200, f"<CopyObjectResult><ETag>{escape(source['etag'])}</ETag><LastModified>{iso(time.time())}</LastModified>"
                    "</CopyObjectResult>", headers={"x-oss-hash-crc64ecma": crc})

    def entry(self, key):
        entry = self.bucket.objects.get(key)
        if entry is None:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        return entry

    def get(self, it):
        entry = link = self.entry(it.key)
        if "target" in entry:
            entry = self.bucket.objects.get(entry["target"])
            if entry is None:
                raise Refused(404, "SymlinkTargetNotExist", "The symlink target object does not exist.")
        if it.method == "GET" and self.service.befalls("busy-get"):
            raise Refused(503, "DownloadTrafficRateLimitExceeded", "Please reduce your download traffic.")
        self.conditions(it, entry)
        if is_cold(entry) and it.method == "GET":
            raise Refused(403, "InvalidObjectState", "The operation is not valid for the object's state.")
        headers = {**link["headers"], "etag": entry["etag"], "x-oss-object-type": link["type"], "x-oss-hash-crc64ecma": entry["crc"],
                   "last-modified": formatdate(entry["modified"], usegmt=True), "accept-ranges": "bytes"}
        headers.setdefault("x-oss-storage-class", "Standard")
        if entry.get("encryption"):
            headers["x-oss-server-side-encryption"] = entry["encryption"]
        first, last, status = 0, entry["size"] - 1, 200
        wanted = it.headers.get("range", "")
        if wanted.startswith("bytes="):
            begin, _, end = wanted[6:].partition("-")
            first = int(begin) if begin else max(0, entry["size"] - int(end))
            last = min(int(end), last) if begin and end else last
            if first > last and it.headers.get("x-oss-range-behavior") == "standard":
                raise Refused(416, "InvalidRange", "The requested range cannot be satisfied.")
            if first <= last:
                status, headers["content-range"] = 206, f"bytes {first}-{last}/{entry['size']}"
            else:
                first, last = 0, entry["size"] - 1
        self.answer(status, headers=headers, file=entry["path"], span=(first, last + 1 - first))

    def conditions(self, it, entry):
        headers, modified = it.headers, entry["modified"]
        if headers.get("if-match", entry["etag"]).strip('"') != entry["etag"].strip('"'):
            raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
        if "if-unmodified-since" in headers and modified > parsedate_to_datetime(headers["if-unmodified-since"]).timestamp():
            raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
        unchanged = headers.get("if-none-match", "").strip('"') == entry["etag"].strip('"')
        if "if-modified-since" in headers:
            unchanged |= modified <= parsedate_to_datetime(headers["if-modified-since"]).timestamp()
        if unchanged:
            raise Refused(304, "NotModified", "")

    # Uploads in parts

    def upload(self, it):
        upload = self.bucket.uploads.get(it.query["uploadId"])
        if upload is None or upload["key"] != it.key:
            raise Refused(404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or completed.")
        return upload

    def put_part(self, it):
        upload, number = self.upload(it), int(it.query["partNumber"])
        if not 1 <= number <= MAX_PARTS:
            raise Refused(400, "InvalidArgument", "Part number must be an integer between 1 and 10000.")
        is_copy = COPY_SOURCE in it.headers
        part = self.copied_part(it) if is_copy else self.received(it, "part")
        with self.bucket.lock:
            old = self.upload(it)["parts"].get(number)
            upload["parts"][number] = part
            if old:
                os.unlink(old.path)
        if is_copy:
            # Of a copied part the service tells no CRC.
            return self.answer(200, f"<CopyPartResult><LastModified>{iso(time.time())}</LastModified><ETag>{escape(part.etag)}</ETag>"
                               "</CopyPartResult>")
        crc = part.crc ^ 1 if self.service.befalls("crc-part") else part.crc
        self.answer(200, headers={"etag": part.etag, "x-oss-hash-crc64ecma": crc})

    def copied_part(self, it):
        source = self.copied(it)
        first, last = 0, source["size"] - 1
        wanted = it.headers.get(COPY_SOURCE + "-range", "")
        if wanted.startswith("bytes="):
            first, last = (int(number) for number in wanted[6:].split("-"))
        if not first <= last < source["size"]:
            raise Refused(416, "InvalidRange", "The requested range cannot be satisfied.")
        with open(source["path"], "rb") as file:
            file.seek(first)
            return self.bucket.receive(file.read, last + 1 - first)

    def list_parts(self, it):
        behind = int(it.query.get("part-number-marker", 0))
        limit = min(int(it.query.get("max-parts", MAX_PAGE_PARTS)), self.service.page_parts)
        with self.bucket.lock:
            parts = [part for part in sorted(self.upload(it)["parts"].items()) if part[0] > behind]
        text = "".join(f"<Part><PartNumber>{number}</PartNumber><LastModified>{iso(0)}</LastModified><ETag>{escape(part.etag)}</ETag>"
                       f"<HashCrc64ecma>{part.crc}</HashCrc64ecma><Size>{part.size}</Size></Part>" for number, part in parts[:limit])
        next_ = f"<NextPartNumberMarker>{parts[:limit][-1][0]}</NextPartNumberMarker>" if parts else ""
        self.answer(200, f"<ListPartsResult><Bucket>{it.bucket}</Bucket><Key>{escape(it.key)}</Key><UploadId>{it.query['uploadId']}</UploadId>"
                    f"<PartNumberMarker>{behind}</PartNumberMarker>{next_}<MaxParts>{limit}</MaxParts>"
                    f"<IsTruncated>{str(len(parts) > limit).lower()}</IsTruncated>{text}</ListPartsResult>")

    def complete(self, it):
        parts = self.upload(it)["parts"]
        named = [(int(part.findtext("PartNumber")), part.findtext("ETag")) for part in ElementTree.fromstring(self.body()).iter("Part")]
        numbers = [number for number, _ in named]
        if numbers != sorted(set(numbers)) or not numbers:
            raise Refused(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        for number, etag in named:
            if number not in parts or parts[number].etag.strip('"') != etag.strip('"'):
                raise Refused(400, "InvalidPart", "One or more of the specified parts could not be found.")
        if any(parts[number].size < MIN_PART_BYTES for number in numbers[:-1]):
            raise Refused(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size.")
        self.may_write(it)
        whole, etag = self.bucket.complete(it.query["uploadId"], numbers)
        with self.bucket.lock:
            self.may_write(it)
            properties = {**self.upload(it)["properties"], "acl": it.headers.get("x-oss-object-acl", "default")}
            entry = {"path": whole.path, "size": whole.size, "etag": etag, "crc": whole.crc, "type": "Multipart"}
            self.store(it.key, {**entry, **properties})
            self.bucket.abort(it.query["uploadId"])
        headers = {"etag": etag}
        if not self.service.befalls("skip-crc"):
            headers["x-oss-hash-crc64ecma"] = whole.crc
        self.answer(200, f"<CompleteMultipartUploadResult><Bucket>{it.bucket}</Bucket><Key>{escape(it.key)}</Key>"
                    f"<ETag>{escape(etag)}</ETag></CompleteMultipartUploadResult>", headers=headers)

    # Listings

    def list(self, it):
        query, v2 = it.query, it.query.get("list-type") == "2"
        text = (lambda it: quote(it, safe="")) if query.get("encoding-type") == "url" else escape
        limit = min(int(query.get("max-keys", 100)), MAX_KEYS)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        token = query.get("continuation-token")
        after = base64.urlsafe_b64decode(token).decode() if token else query.get("start-after" if v2 else "marker", "")
        found, more = self.bucket.list(prefix, after, delimiter, limit)
        contents = "".join(
            f"<Contents><Key>{text(key)}</Key><LastModified>{iso(entry['modified'])}</LastModified><ETag>{escape(entry['etag'])}</ETag>"
            f"<Type>{entry['type']}</Type><Size>{entry['size']}</Size>"
            f"<StorageClass>{entry['headers'].get('x-oss-storage-class', 'Standard')}</StorageClass></Contents>"
            for key, entry in found if entry
        )
        contents += "".join(f"<CommonPrefixes><Prefix>{text(key)}</Prefix></CommonPrefixes>" for key, entry in found if not entry)
        head = f"<Name>{it.bucket}</Name><Prefix>{text(prefix)}</Prefix><MaxKeys>{limit}</MaxKeys><Delimiter>{text(delimiter)}</Delimiter>"
        head += f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        if "encoding-type" in query:
            head += "<EncodingType>url</EncodingType>"
        if v2:
            head += f"<KeyCount>{len(found)}</KeyCount>"
        if more and v2:
            head += f"<NextContinuationToken>{base64.urlsafe_b64encode(found[-1][0].encode()).decode()}</NextContinuationToken>"
        elif more:
            head += f"<NextMarker>{text(found[-1][0])}</NextMarker>"
        self.answer(200, f"<ListBucketResult>{head}{contents}</ListBucketResult>")

    def list_uploads(self, it):
        text = (lambda it: quote(it, safe="")) if it.query.get("encoding-type") == "url" else escape
        prefix = it.query.get("prefix", "")
        with self.bucket.lock:
            uploads = sorted((upload["key"], name) for name, upload in self.bucket.uploads.items())
        uploads = "".join(f"<Upload><Key>{text(key)}</Key><UploadId>{name}</UploadId><Initiated>{iso(0)}</Initiated></Upload>"
                          for key, name in uploads if key.startswith(prefix))
        head = "<EncodingType>url</EncodingType>" if "encoding-type" in it.query else ""
        head += f"<Bucket>{it.bucket}</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><NextKeyMarker></NextKeyMarker>"
        head += f"<NextUploadIdMarker></NextUploadIdMarker><Prefix>{text(prefix)}</Prefix><IsTruncated>false</IsTruncated>"
        self.answer(200, f"<ListMultipartUploadsResult>{head}{uploads}</ListMultipartUploadsResult>")

    # Answers

    def chunks(self):
        """A body without an announced length: oss2 sends small ones like that."""
        found = b""
        while count := int(self.rfile.readline().split(b";")[0], 16):
            found += self.rfile.read(count)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def body(self):
        length, self.left = self.left, 0
        body = self.source.read(length)
        if len(body) < length:
            raise Short()
        return body

    def refuse(self, refused):
        headers = {"x-oss-ec": "0000-00000000"}
        if refused.status in (429, 503):
            headers["x-oss-qos-delay-time"] = self.service.delay
        text = (f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message><RequestId>0</RequestId>"
                f"<HostId>127.0.0.1</HostId><EC>0000-00000000</EC></Error>")
        if self.command == "HEAD":
            headers["x-oss-err"] = base64.b64encode(text.encode()).decode()
        # A client may read only when it has sent everything.
        while self.left > 0:
            block = self.source.read(min(BLOCK, self.left))
            if not block:
                self.close_connection = True
                return
            self.left -= len(block)
        self.answer(refused.status, "" if refused.status == 304 else text, headers)

    def answer(self, status, text="", headers=(), file=None, span=(0, 0)):
        body = ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode() if text else b""
        self.send_response(status)
        self.send_header("x-oss-request-id", "0")
        headers = dict(headers)
        if text:
            headers["content-type"] = "application/xml"
        for name, value in headers.items():
            self.send_header(name, str(value))
        if status not in (204, 304):
            self.send_header("content-length", str(span[1] if file else len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if not file:
            self.wfile.write(body)
            return
        with open(file, "rb") as source:
            source.seek(span[0])
            left = span[1]
            while left > 0:
                block = source.read(min(BLOCK, left))
                self.wfile.write(block)
                left -= len(block)


def is_cold(entry):
    return entry["headers"].get("x-oss-storage-class") in ARCHIVED and not entry.get("restored")


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, address):
        # Clients of these tests come and go as they like.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, address)


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    server.service = Service(sys.argv[1], json.loads(sys.argv[2]))
    print(server.server_address[1], flush=True)
    server.serve_forever()
