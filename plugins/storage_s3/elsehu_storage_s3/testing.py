"""For tests: moto's S3 server in a process of its own, so that its memory is not ours.

It is not installed with this plugin: `moto[s3]`, `flask` and `flask-cors` are for development only.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import obstore

from elsehu_storage_s3.bucket import open_store
from elsehu_storage_s3.config import Config

BUCKET = "elsehu-tests"
ACCESS_KEY_ID, SECRET_ACCESS_KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class S3Server:
    """A running S3 with one bucket."""

    url: str

    def config(self, **more: Any) -> dict[str, Any]:
        """Return `[plugins.storage_s3]` for this server; `more` are further keys."""
        keys = {"access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY}
        return {"bucket": BUCKET, "endpoint": self.url, "allow_http": True, "retries": 1, **keys, **more}

    def objects(self) -> set[str]:
        """Return the keys of all objects in the bucket."""
        return {element.text or "" for element in self._list("list-type=2&max-keys=1000", "Key")}

    def unfinished_uploads(self) -> int:
        """Return how many multipart uploads were begun and neither completed nor aborted."""
        return len(self._list("uploads", "UploadId"))

    def head(self, key: str) -> httpx.Headers:
        """Return what the server says of an object."""
        store = open_store(Config.model_validate(self.config()), self.url)
        answer = httpx.head(obstore.sign(store, "HEAD", key, timedelta(minutes=1)))
        answer.raise_for_status()
        return answer.headers

    def _list(self, query: str, name: str) -> list[ElementTree.Element]:
        answer = httpx.get(f"{self.url}/{BUCKET}?{query}")
        answer.raise_for_status()
        return [one for one in ElementTree.fromstring(answer.content).iter() if one.tag.endswith(f"}}{name}")]  # noqa: S314


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run an S3 server on loopback, with the bucket BUCKET."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        host, port = process.stdout.readline().split()
        server = S3Server(f"http://{host}:{port}")
        httpx.put(f"{server.url}/{BUCKET}").raise_for_status()
        try:
            yield server
        finally:
            process.stdin.close()
            process.wait(10)
