"""Holds the tests' OSS server to account: the official SDKs, V4 and V1, do what they do against the real service. Any
difference from what that would answer ends this with an error.

Argument: the endpoint. The key comes from OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET.
"""

import io
import os
import sys
import urllib.error
import urllib.request
from urllib.parse import quote

import alibabacloud_oss_v2 as oss
import oss2

(endpoint,) = sys.argv[1:]
access_key, secret = os.environ["OSS_ACCESS_KEY_ID"], os.environ["OSS_ACCESS_KEY_SECRET"]
ODD = ["a b", "plus+%41", "ümlaut/日本語", "🚰", "quote\"'<&>", "a=b&c#d?e", "dir//double", "~t_-."]
PART = 128 << 10


def client(key=access_key, word=secret, **more):
    provider = oss.credentials.StaticCredentialsProvider(key, word)
    config = oss.config.Config(region="cn-test", endpoint=endpoint, credentials_provider=provider, retry_max_attempts=1, **more)
    return oss.Client(config)


def refused(status, code, call, *arguments):
    """The call fails with this status and code."""
    try:
        call(*arguments)
    except oss.exceptions.OperationError as error:
        error = error.unwrap()
        assert (error.status_code, error.code) == (status, code), error
        return
    except oss2.exceptions.OssError as error:
        assert (error.status, error.code) == (status, code), error
        return
    raise AssertionError(f"{call} wasn't refused with {code}")


def v4(it):
    put = lambda key, body=b"x", **more: it.put_object(oss.PutObjectRequest(bucket="new-style", key=key, body=body, **more))
    get = lambda key, **more: it.get_object(oss.GetObjectRequest(bucket="new-style", key=key, **more))
    for key in ODD:
        put(key, key.encode())
        assert get(key).body.read() == key.encode(), key
    found = [each.key for page in it.list_objects_v2_paginator(limit=3).iter_page(oss.ListObjectsV2Request(bucket="new-style"))
             for each in page.contents or []]
    assert found == sorted(ODD, key=str.encode), found
    page = it.list_objects_v2(oss.ListObjectsV2Request(bucket="new-style", delimiter="/"))
    assert [each.prefix for each in page.common_prefixes] == ["dir/", "ümlaut/"], page.common_prefixes

    # Metadata, conditions, ranges
    answer = put("meta", b"0123456789", metadata={"origin": "nas"}, tagging="team=a%20b", content_type="text/x-y", acl="private",
                 storage_class="IA", server_side_encryption="AES256", content_md5="eB5eJF1ptWaXm4bijSPyxw==")
    assert answer.hash_crc64 and answer.etag.strip('"') == "781E5E245D69B566979B86E28D23F2C7", answer
    head = it.head_object(oss.HeadObjectRequest(bucket="new-style", key="meta"))
    assert head.metadata["origin"] == "nas" and head.content_type == "text/x-y" and head.storage_class == "IA", head
    assert head.content_length == 10 and head.hash_crc64 == answer.hash_crc64 and head.server_side_encryption == "AES256", head
    tags = it.get_object_tagging(oss.GetObjectTaggingRequest(bucket="new-style", key="meta")).tag_set.tags
    assert [(tag.key, tag.value) for tag in tags] == [("team", "a b")], tags
    assert it.get_object_acl(oss.GetObjectAclRequest(bucket="new-style", key="meta")).acl == "private"
    assert get("meta", range_header="bytes=2-4").body.read() == b"234"
    assert get("meta", if_match=head.etag).body.read() == b"0123456789"
    refused(412, "PreconditionFailed", lambda: get("meta", if_match='"0"'))
    refused(416, "InvalidRange", lambda: get("meta", range_header="bytes=10-", range_behavior="standard"))
    refused(400, "InvalidDigest", lambda: put("digest", content_md5="AAAAAAAAAAAAAAAAAAAAAA=="))
    refused(409, "FileAlreadyExists", lambda: put("meta", forbid_overwrite=True))
    refused(404, "NoSuchKey", lambda: get("missing"))
    refused(404, "NoSuchKey", lambda: it.head_object(oss.HeadObjectRequest(bucket="new-style", key="missing")))
    refused(404, "NoSuchBucket", lambda: it.list_objects_v2(oss.ListObjectsV2Request(bucket="none")))
    put("cold", storage_class="Archive")
    refused(403, "InvalidObjectState", lambda: get("cold"))

    # Copies and links
    it.copy_object(oss.CopyObjectRequest(bucket="new-style", key="copy", source_bucket="new-style", source_key="meta"))
    copied = it.head_object(oss.HeadObjectRequest(bucket="new-style", key="copy"))
    assert get("copy").body.read() == b"0123456789" and copied.metadata["origin"] == "nas", copied
    tags = it.get_object_tagging(oss.GetObjectTaggingRequest(bucket="new-style", key="copy")).tag_set.tags
    assert [(tag.key, tag.value) for tag in tags] == [("team", "a b")], tags
    copy = lambda key, **more: it.copy_object(oss.CopyObjectRequest(bucket="new-style", source_bucket="new-style", key=key, **more))
    for key in ODD:
        answer = copy("copied " + key, source_key=key, if_match=get(key).etag)
        assert get("copied " + key).body.read() == key.encode() and answer.hash_crc64 == get(key).hash_crc64, key
        it.delete_object(oss.DeleteObjectRequest(bucket="new-style", key="copied " + key))
    refused(412, "PreconditionFailed", lambda: copy("copy", source_key="meta", if_match='"0"'))
    refused(409, "FileAlreadyExists", lambda: copy("copy", source_key="meta", forbid_overwrite=True))
    refused(403, "InvalidObjectState", lambda: copy("copy", source_key="cold"))
    refused(404, "NoSuchKey", lambda: copy("copy", source_key="missing"))
    it.put_symlink(oss.PutSymlinkRequest(bucket="new-style", key="link", symlink_target=quote("ümlaut/日本語")))
    assert it.get_symlink(oss.GetSymlinkRequest(bucket="new-style", key="link")).target == quote("ümlaut/日本語")
    assert get("link").body.read() == "ümlaut/日本語".encode()

    # An upload in parts, and one that's aborted; the SDK compares each part's CRC.
    whole = bytes(range(256)) * 1024
    begin = lambda: it.initiate_multipart_upload(oss.InitiateMultipartUploadRequest(bucket="new-style", key="parts")).upload_id
    upload = begin()
    numbers = range(1, len(whole) // PART + 1)
    parts = [it.upload_part(oss.UploadPartRequest(bucket="new-style", key="parts", upload_id=upload, part_number=number,
                                                  body=whole[(number - 1) * PART : number * PART])) for number in numbers]
    listed = it.list_parts(oss.ListPartsRequest(bucket="new-style", key="parts", upload_id=upload))
    assert [part.size for part in listed.parts] == [PART] * len(parts), listed
    pages = it.list_parts_paginator(limit=1).iter_page(oss.ListPartsRequest(bucket="new-style", key="parts", upload_id=upload))
    pages = [[(part.part_number, part.etag, part.hash_crc64) for part in page.parts] for page in pages]
    assert pages == [[(number, part.etag, part.hash_crc64)] for number, part in zip(numbers, parts)], pages
    named = [oss.UploadPart(part_number=number, etag=part.etag) for number, part in zip(numbers, parts)]
    complete = lambda upload, named: it.complete_multipart_upload(oss.CompleteMultipartUploadRequest(
        bucket="new-style", key="parts", upload_id=upload, complete_multipart_upload=oss.CompleteMultipartUpload(parts=named)))
    refused(400, "InvalidPart", complete, upload, [oss.UploadPart(part_number=1, etag='"0"')])
    answer = complete(upload, named)
    assert get("parts").body.read() == whole
    assert answer.hash_crc64 == put("whole", whole).hash_crc64
    upload = begin()
    part_copy = lambda number, **more: it.upload_part_copy(oss.UploadPartCopyRequest(
        bucket="new-style", key="parts", upload_id=upload, part_number=number, source_bucket="new-style", source_key="whole",
        source_range=f"bytes={(number - 1) * PART}-{number * PART - 1}", **more))
    refused(412, "PreconditionFailed", lambda: part_copy(1, if_match='"0"'))
    copied = complete(upload, [oss.UploadPart(part_number=number, etag=part_copy(number).etag) for number in numbers])
    assert get("parts").body.read() == whole and copied.hash_crc64 == answer.hash_crc64, copied
    refused(404, "NoSuchUpload", lambda: it.list_parts(oss.ListPartsRequest(bucket="new-style", key="parts", upload_id=upload)))
    upload = begin()
    assert len(it.list_multipart_uploads(oss.ListMultipartUploadsRequest(bucket="new-style")).uploads) == 1
    it.abort_multipart_upload(oss.AbortMultipartUploadRequest(bucket="new-style", key="parts", upload_id=upload))
    refused(404, "NoSuchUpload", complete, upload, named)
    assert not it.list_multipart_uploads(oss.ListMultipartUploadsRequest(bucket="new-style")).uploads

    it.delete_object(oss.DeleteObjectRequest(bucket="new-style", key="meta"))
    refused(404, "NoSuchKey", lambda: get("meta"))

    # Presigned requests are those of the key and of nobody else.
    url = it.presign(oss.GetObjectRequest(bucket="new-style", key="a b")).url
    assert urllib.request.urlopen(url).read() == b"a b"
    unopened(url.replace("a%20b", "whole"))


def unopened(url):
    try:
        urllib.request.urlopen(url)
    except urllib.error.HTTPError as error:
        assert error.code == 403, error
        return
    raise AssertionError(f"{url} was served")


def v1(it):
    for key in ODD:
        answer = it.put_object(key, key.encode(), headers={"x-oss-meta-origin": "nas", "Content-Type": "text/x-y"})
        # It compares the CRC by itself, both ways.
        assert answer.crc is not None and it.get_object(key).read() == key.encode(), key
    assert [each.key for each in oss2.ObjectIterator(it, max_keys=3)] == sorted(ODD, key=str.encode)
    assert [each.key for each in oss2.ObjectIteratorV2(it, max_keys=3)] == sorted(ODD, key=str.encode)
    head = it.head_object("a b")
    assert head.headers["x-oss-meta-origin"] == "nas" and head.content_type == "text/x-y", head.headers
    it.copy_object("old-style", "a b", "copy")
    it.put_symlink("a b", "link")
    assert it.get_symlink("link").target_key == "a b" and it.get_object("link").read() == b"a b"
    upload = it.init_multipart_upload("parts").upload_id
    parts = [oss2.models.PartInfo(number, it.upload_part("parts", upload, number, bytes([number]) * PART).etag) for number in (1, 2)]
    it.complete_multipart_upload("parts", upload, parts)
    assert it.get_object("parts").read() == b"\1" * PART + b"\2" * PART
    upload = it.init_multipart_upload("parts").upload_id
    it.abort_multipart_upload("parts", upload)
    assert list(oss2.MultipartUploadIterator(it)) == []
    assert oss2.compat.to_bytes(urllib.request.urlopen(it.sign_url("GET", "a b", 60, slash_safe=True)).read()) == b"a b"
    it.batch_delete_objects(["a b", "copy"])
    refused(404, "NoSuchKey", lambda: it.get_object("a b"))
    refused(404, "NoSuchBucket", lambda: bucket("none").put_object("a", b""))


def bucket(name, word=secret, key=access_key):
    return oss2.Bucket(oss2.Auth(key, word), endpoint, name)


def wrong_keys():
    """Signed with a wrong key, region or time, nothing is served, in either version."""
    listing = oss.ListObjectsV2Request(bucket="new-style")
    refused(403, "SignatureDoesNotMatch", client(word="wrong").list_objects_v2, listing)
    refused(403, "InvalidAccessKeyId", client(key="nobody").list_objects_v2, listing)
    refused(403, "SignatureDoesNotMatch", lambda: client(word="wrong").put_object(
        oss.PutObjectRequest(bucket="new-style", key="a", body=io.BytesIO(b"x" * 300_000))))
    unopened(client(word="wrong").presign(oss.GetObjectRequest(bucket="new-style", key="whole")).url)
    refused(403, "SignatureDoesNotMatch", lambda: bucket("old-style", "wrong").put_object("a", b""))
    refused(403, "InvalidAccessKeyId", lambda: bucket("old-style", key="nobody").put_object("a", b""))
    unopened(bucket("old-style", "wrong").sign_url("GET", "link", 60, slash_safe=True))
    unopened(f"{endpoint}/new-style/whole")
    # Additional headers are signed as they are sent.
    signed = client(additional_headers=["host", "x-other"])
    assert signed.list_objects_v2(listing).key_count > 0


v4(client())
v1(bucket("old-style"))
wrong_keys()
print("accounted for")
