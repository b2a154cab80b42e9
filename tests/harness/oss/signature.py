"""Checks the signatures of requests to the tests' OSS server: V4 and V1, in headers and in queries.
Written from the documents of Alibaba Cloud, sharing nothing with the connector or with an SDK.
"""

import base64
import hashlib
import hmac
import time
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote

# The service takes clocks that are off by so many seconds.
MAX_SKEW = 15 * 60
# Longest that a presigned request is good for, in seconds.
MAX_EXPIRES = 7 * 24 * 3600
# The names of a query that V1 signs.
V1_SIGNED = {
    "acl", "append", "bucketInfo", "continuation-token", "delete", "location", "objectMeta", "partNumber", "position", "restore",
    "security-token", "stat", "symlink", "tagging", "uploadId", "uploads", "versionId", "versioning", "versions",
    "response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "callback", "callback-var", "sequential", "x-oss-traffic-limit",
}


class Refused(Exception):
    """Why a request isn't served: status, code and message of the answer."""

    def __init__(self, status, code, message):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class Signatures:
    """Who may sign, for which region, and what time it is here."""

    def __init__(self, keys, region, offset):
        self.keys, self.region, self.offset = keys, region, offset

    def now(self):
        return time.time() + self.offset

    def check(self, request):
        """The key's owner. `request` has method, bucket, key, pairs (raw name and value) and headers (lower case)."""
        authorization = request.headers.get("authorization", "")
        names = {name for name, _ in request.pairs}
        if authorization.startswith("OSS4-HMAC-SHA256 "):
            return self._v4_header(request, authorization)
        if "x-oss-signature" in names:
            return self._v4_query(request)
        if authorization.startswith("OSS "):
            access_key, _, given = authorization[4:].partition(":")
            when = request.headers.get("date", "")
            self._in_time(self._moment(lambda: parsedate_to_datetime(when).timestamp()))
            return self._v1(request, access_key, given, when, request.headers.get("x-oss-security-token"))
        if "Signature" in names:
            values = {name: unquote(value) for name, value in request.pairs}
            if self._moment(lambda: int(values["Expires"])) < self.now():
                raise Refused(403, "AccessDenied", "Request has expired.")
            token = values.get("security-token")
            return self._v1(request, values.get("OSSAccessKeyId", ""), values["Signature"], values["Expires"], token)
        raise Refused(403, "AccessDenied", "You have no right to access this object.")

    def _v4_header(self, request, authorization):
        fields = dict(item.strip().partition("=")[::2] for item in authorization.partition(" ")[2].split(","))
        additional = fields.get("AdditionalHeaders")
        if additional == "":
            raise Refused(400, "InvalidArgument", "AdditionalHeaders is empty.")
        date = request.headers.get("x-oss-date", "")
        if request.headers.get("x-oss-content-sha256") != "UNSIGNED-PAYLOAD":
            raise Refused(400, "InvalidArgument", "x-oss-content-sha256 must be UNSIGNED-PAYLOAD.")
        self._in_time(self._instant(date))
        token = request.headers.get("x-oss-security-token")
        return self._v4(request, fields, additional, date, request.pairs, token)

    def _v4_query(self, request):
        values = {name: unquote(value) for name, value in request.pairs}
        if values.get("x-oss-signature-version") != "OSS4-HMAC-SHA256":
            raise Refused(400, "InvalidArgument", "Invalid signature version.")
        date, expires = values.get("x-oss-date", ""), self._moment(lambda: int(values["x-oss-expires"]))
        if not 0 < expires <= MAX_EXPIRES or self._instant(date) + expires < self.now():
            raise Refused(403, "AccessDenied", "Request has expired.")
        fields = {"Credential": values.get("x-oss-credential", ""), "Signature": values["x-oss-signature"]}
        pairs = [pair for pair in request.pairs if pair[0] != "x-oss-signature"]
        token = values.get("x-oss-security-token")
        return self._v4(request, fields, values.get("x-oss-additional-headers"), date, pairs, token)

    def _v4(self, request, fields, additional, date, pairs, token):
        access_key, *scope = fields.get("Credential", "").split("/")
        if len(scope) != 4 or scope[2:] != ["oss", "aliyun_v4_request"] or scope[0] != date[:8]:
            raise Refused(400, "InvalidArgument", "Invalid Credential.")
        if scope[1] != self.region:
            raise Refused(400, "InvalidArgument", "Invalid signing region in Authorization header.")
        secret = self._secret(access_key, token)
        additional = sorted(additional.split(";")) if additional else []
        headers = sorted(
            (name, value.strip())
            for name, value in request.headers.items()
            if name.startswith("x-oss-") or name in ("content-type", "content-md5") or name in additional
        )
        path = f"/{request.bucket}/{request.key}" if request.bucket else "/"
        canonical = "\n".join(
            [
                request.method,
                quote(path, safe="/-_.~"),
                "&".join(f"{name}={value}" if value else name for name, value in sorted(pairs)),
                "".join(f"{name}:{value}\n" for name, value in headers),
                ";".join(additional),
                "UNSIGNED-PAYLOAD",
            ]
        )
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"OSS4-HMAC-SHA256\n{date}\n{'/'.join(scope)}\n{hashed}"
        key = b"aliyun_v4" + secret.encode()
        for word in scope:
            key = hmac.digest(key, word.encode(), "sha256")
        self._equal(hmac.new(key, text.encode(), "sha256").hexdigest(), fields.get("Signature", ""))
        return access_key

    def _v1(self, request, access_key, given, when, token):
        secret = self._secret(access_key, token)
        signed = sorted((name, unquote(value)) for name, value in request.pairs if name in V1_SIGNED)
        query = "&".join(f"{name}={value}" if value else name for name, value in signed)
        headers = sorted((name, value) for name, value in request.headers.items() if name.startswith("x-oss-"))
        path = f"/{request.bucket}/{request.key}" if request.bucket else "/"
        text = "\n".join(
            [
                request.method,
                request.headers.get("content-md5", ""),
                request.headers.get("content-type", ""),
                when,
                "".join(f"{name}:{value}\n" for name, value in headers) + path + ("?" + query if query else ""),
            ]
        )
        self._equal(base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode(), given)
        return access_key

    def _secret(self, access_key, token):
        owner = self.keys.get(access_key)
        if owner is None:
            raise Refused(403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.")
        if owner.get("token") != token:
            raise Refused(403, "InvalidSecurityToken", "The security token you provided is invalid.")
        return owner["secret"]

    def _equal(self, ours, given):
        if not hmac.compare_digest(ours.encode(), given.encode()):
            raise Refused(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
            )

    def _instant(self, text):
        return self._moment(lambda: time.mktime(time.strptime(text + "UTC", "%Y%m%dT%H%M%SZ%Z")) - time.timezone)

    def _moment(self, parse):
        try:
            return parse()
        except (KeyError, TypeError, ValueError):
            raise Refused(403, "AccessDenied", "OSS authentication requires a valid Date.") from None

    def _in_time(self, seconds):
        if abs(seconds - self.now()) > MAX_SKEW:
            raise Refused(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
