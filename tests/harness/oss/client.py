"""Fills and inspects a bucket for the tests with the official SDK (alibabacloud-oss-v2), independently of the connector.

Arguments: endpoint, command, and what the command needs. Region and keys come from the variables OSS_REGION,
OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET and OSS_SESSION_TOKEN: a process list shows arguments.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, unquote

import alibabacloud_oss_v2 as oss

endpoint, command, *rest = sys.argv[1:]
client = oss.Client(
    oss.config.Config(
        region=os.environ["OSS_REGION"],
        endpoint=endpoint,
        credentials_provider=oss.credentials.EnvironmentVariableCredentialsProvider(),
        retry_max_attempts=1,
    )
)


def objects(bucket, prefix=""):
    for page in client.list_objects_v2_paginator().iter_page(oss.ListObjectsV2Request(bucket=bucket, prefix=prefix)):
        yield from page.contents or []


def fill(bucket, folder, prefix="", **properties):
    """Puts every file below a folder."""
    files = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]

    def put(path):
        with open(path, "rb") as body:
            key = prefix + os.path.relpath(path, folder)
            client.put_object(oss.PutObjectRequest(bucket=bucket, key=key, body=body.read(), **properties))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, files))


def archive(bucket, folder):
    """The same into the class Archive."""
    fill(bucket, folder, storage_class="Archive")


def numbered(bucket, count):
    """Puts empty objects, named by their numbers."""
    names = (f"{number // 1000:04}/{number:07}" for number in range(int(count)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: client.put_object(oss.PutObjectRequest(bucket=bucket, key=name, body=b"")), names))


def symlink(bucket, key, target):
    client.put_symlink(oss.PutSymlinkRequest(bucket=bucket, key=key, symlink_target=quote(target)))


def fetch(bucket, folder, prefix=""):
    """Writes every object below a folder. The SDK compares its CRC."""

    def get(key):
        path = os.path.join(folder, key[len(prefix) :])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as body:
            body.write(client.get_object(oss.GetObjectRequest(bucket=bucket, key=key)).body.read())

    os.makedirs(folder, exist_ok=True)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(get, [each.key for each in objects(bucket, prefix)]))


def listed(bucket, prefix=""):
    print(json.dumps([each.key for each in objects(bucket, prefix)]))


def crcs(bucket, prefix=""):
    """CRC-64/XZ of each object by the service's word."""
    heads = {each.key: client.head_object(oss.HeadObjectRequest(bucket=bucket, key=each.key)) for each in objects(bucket, prefix)}
    print(json.dumps({key: int(head.hash_crc64) for key, head in heads.items()}))


def uploads(bucket, prefix=""):
    answer = client.list_multipart_uploads(oss.ListMultipartUploadsRequest(bucket=bucket, prefix=prefix))
    print(json.dumps([upload.key for upload in answer.uploads or []]))


def head(bucket, key):
    answer = client.head_object(oss.HeadObjectRequest(bucket=bucket, key=key))
    tags = client.get_object_tagging(oss.GetObjectTaggingRequest(bucket=bucket, key=key)).tag_set.tags or []
    acl = client.get_object_acl(oss.GetObjectAclRequest(bucket=bucket, key=key)).acl
    print(
        json.dumps(
            {
                "size": answer.content_length,
                "content_type": answer.content_type,
                "metadata": dict(answer.metadata or {}),
                "tags": {tag.key: tag.value for tag in tags},
                "storage_class": answer.storage_class,
                "encryption": answer.server_side_encryption,
                "acl": acl,
            }
        )
    )


def target(bucket, key):
    print(json.dumps(unquote(client.get_symlink(oss.GetSymlinkRequest(bucket=bucket, key=key)).target)))


def clean(bucket, prefix):
    """Removes every object and upload below a prefix, which mustn't be empty."""
    assert prefix.endswith("/")
    for each in list(objects(bucket, prefix)):
        client.delete_object(oss.DeleteObjectRequest(bucket=bucket, key=each.key))
    for upload in client.list_multipart_uploads(oss.ListMultipartUploadsRequest(bucket=bucket, prefix=prefix)).uploads or []:
        request = oss.AbortMultipartUploadRequest(bucket=bucket, key=upload.key, upload_id=upload.upload_id)
        client.abort_multipart_upload(request)


globals()[command](*rest)
