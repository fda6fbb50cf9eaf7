"""A stand-in for the Hugging Face Hub on a loopback address.

It answers what huggingface_hub asks when it creates a repository and uploads a folder: create,
information, file list, check of a README's front matter, preupload, commit, and for large files
Git LFS (where HF_HUB_DISABLE_XET is set) or Xet. It takes Xet's blocks but cannot put the files
together again: of these it knows the size and the SHA-256 that hf_xet found. Every other file can
be downloaded, from the newest commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

JSON = {"Content-Type": "application/json"}
LARGE = 10_000_000  # bytes; larger files, and those that are no text, go through Git LFS

# Imported by every Python that has its folder on PYTHONPATH: notes the addresses that are
# connected to, and does not wait between two tries.
SITECUSTOMIZE = """
import os, sys, time

def note(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple):
        with open(os.environ["CONNECTIONS"], "a") as file:
            print(args[1][0], file=file)

sys.addaudithook(note)
time.sleep = lambda seconds: None
"""


@dataclass
class Repository:
    files: dict[str, bytes] = field(default_factory=dict)
    large: dict[str, tuple[int, str]] = field(default_factory=dict)  # size and SHA-256
    commits: int = 1  # creating it makes the first
    private: bool = False

    @property
    def sha(self) -> str:
        return f"{self.commits:040x}"

    def hashes(self) -> dict[str, tuple[int, str]]:
        """Size and SHA-256 of every file."""
        small = {path: (len(content), _sha256(content)) for path, content in self.files.items()}
        return small | self.large


@dataclass
class Hub:
    """What is on the Hub, and how it behaves."""

    user: str
    token: str
    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)  # "spaces/USER/NAME": ...
    objects: dict[str, bytes] = field(default_factory=dict)  # SHA-256: content, of Git LFS
    blocks: list[bytes] = field(default_factory=list)  # of Xet
    requests: list[str] = field(default_factory=list)  # "POST /api/repos/create"
    breaks_uploads: bool = False
    wants_money: bool = False  # for a Space that runs code


class Refused(Exception):
    def __init__(self, status: int, message: str, code: str = "", **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.answer = {"error": message, **more}
        self.headers = {"X-Error-Message": message, "X-Error-Code": code}


@dataclass
class Download:
    content: bytes
    headers: dict[str, str]


@contextmanager
def serve_hub(user: str, token: str) -> Iterator[Hub]:
    hub = Hub(user, token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub = hub
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self, method: str) -> None:
        self.hub: Hub = self.server.hub
        path = urlsplit(self.path).path
        self.hub.requests.append(f"{method} {path}")
        if self.hub.breaks_uploads and path.startswith(("/storage/", "/xet/v1/xorbs/")):
            self.rfile.read1(100_000)
            self.close_connection = True
            return
        body = self._body()
        try:
            for pattern, action in _ACTIONS.items():
                if match := re.fullmatch(pattern, f"{method} {path}"):
                    status, answer, headers = 200, action(self, body, *match.groups()), {}
                    break
            else:
                raise Refused(404, f"the stand-in does not know {method} {path}")
        except Refused as refused:
            status, answer, headers = refused.status, refused.answer, refused.headers
        if isinstance(answer, Download):
            content, headers = answer.content, answer.headers
        else:
            content, headers = json.dumps(answer).encode(), JSON | headers
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if method != "HEAD":
            self.wfile.write(content)

    def _body(self) -> bytes:
        """The request's body, whole or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _check_token(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            raise Refused(401, "Invalid credentials in Authorization header")

    def _repository(self, name: str, write: bool = False) -> Repository:
        """A public repository may be read without a token."""
        there = self.hub.repositories.get(name)
        if write or "Authorization" in self.headers:
            self._check_token()
        elif there is None or there.private:
            raise Refused(401, "Invalid username or password.", "RepoNotFound")
        if there is None:
            raise Refused(404, "Repository not found", "RepoNotFound")
        if write and name.split("/")[1] != self.hub.user:
            raise Refused(403, "You may not write to this repository")
        return there

    def _at(self, name: str, revision: str | None) -> Repository:
        """A repository at its newest commit, which is the only one that is kept."""
        repository = self._repository(name)
        if revision not in (None, "main", repository.sha):
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repository

    def create(self, body: bytes) -> dict:
        self._check_token()
        asked = json.loads(body)
        owner = asked["organization"] or self.hub.user
        kind = asked.get("type", "model")
        name = f"{kind}s/{owner}/{asked['name']}"
        url = f"{self.hub.url}/{name.removeprefix('models/')}"
        if owner != self.hub.user:
            raise Refused(403, f'You may not create a {kind} under the namespace "{owner}"')
        if name in self.hub.repositories:
            raise Refused(409, f"You already created this {kind} repo", url=url)
        if kind == "space" and self.hub.wants_money:
            raise Refused(402, "A subscription is required")
        if kind == "space" and asked["sdk"] != "gradio":
            raise Refused(400, "Invalid sdk")
        self.hub.repositories[name] = Repository({".gitattributes": b"*.onnx filter=lfs\n"})
        return {"url": url}

    def information(self, body: bytes, name: str, revision: str | None) -> dict:
        repository = self._at(name, revision)
        return {"id": name.split("/", 1)[1], "sha": repository.sha, "tags": [], "siblings": []}

    def tree(self, body: bytes, name: str, revision: str) -> list[dict]:
        repository = self._at(name, revision)
        return [
            {"type": "file", "path": path, "size": size, "oid": sha256[:40]}
            for path, (size, sha256) in repository.hashes().items()
        ]

    def download(self, body: bytes, name: str, revision: str, path: str) -> Download:
        repository = self._at(f"models/{name}", revision)
        content = repository.files.get(path)
        if path in repository.large:
            content = self.hub.objects[repository.large[path][1]]
        if content is None:
            raise Refused(404, "Entry not found", "EntryNotFound")
        commit_and_hash = {"X-Repo-Commit": repository.sha, "ETag": f'"{_sha256(content)}"'}
        return Download(content, commit_and_hash)

    def check_front_matter(self, body: bytes) -> dict:
        if not json.loads(body)["content"].startswith("---\n"):
            raise Refused(400, "no front matter")
        return {"errors": [], "warnings": []}

    def preupload(self, body: bytes, name: str) -> dict:
        repository = self._repository(name, write=True)
        return {"files": [self._mode(file, repository) for file in json.loads(body)["files"]]}

    def _mode(self, file: dict, repository: Repository) -> dict:
        path = file["path"]
        large = file["size"] > LARGE or b"\0" in base64.b64decode(file["sample"])
        oid = None
        if path in repository.large:
            oid = repository.large[path][1]
        elif path in repository.files:
            oid = _git_hash(repository.files[path])
        mode = "lfs" if large else "regular"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    def lfs_batch(self, body: bytes, name: str) -> dict:
        self._repository(name if name.startswith("spaces/") else f"models/{name}", write=True)
        objects = json.loads(body)["objects"]
        for one in objects:
            if one["oid"] not in self.hub.objects:
                href = f"{self.hub.url}/storage/{one['oid']}"
                verify = f"{self.hub.url}/verify"
                one["actions"] = {"upload": {"href": href}, "verify": {"href": verify}}
        return {"transfer": "basic", "objects": objects}

    def store(self, body: bytes, oid: str) -> dict:
        if _sha256(body) != oid:
            raise Refused(400, "the content is not what was announced")
        self.hub.objects[oid] = body
        return {}

    def verify(self, body: bytes) -> dict:
        self._check_token()
        asked = json.loads(body)
        if len(self.hub.objects.get(asked["oid"], b"")) != asked["size"]:
            raise Refused(404, "no such object")
        return {}

    def xet_token(self, body: bytes, name: str) -> dict:
        self._repository(name, write=True)
        hour = int(time.time()) + 3600
        return {"casUrl": f"{self.hub.url}/xet", "accessToken": "any", "exp": hour}

    def xet_block(self, body: bytes) -> dict:
        self.hub.blocks.append(body)
        return {"was_inserted": True}

    def xet_index(self, body: bytes) -> dict:
        return {"result": 1}

    def commit(self, body: bytes, name: str) -> dict:
        repository = self._repository(name, write=True)
        header, *operations = [json.loads(line) for line in body.splitlines()]
        if header["key"] != "header" or not operations:
            raise Refused(400, "an empty commit")
        for operation in operations:
            self._apply(operation["key"], operation["value"], repository)
        repository.commits += 1
        url = f"{self.hub.url}/{name.removeprefix('models/')}/commit/{repository.sha}"
        return {"commitUrl": url, "commitOid": repository.sha}

    def _apply(self, key: str, value: dict, repository: Repository) -> None:
        path = value["path"]
        if key == "file":
            repository.files[path] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            if value["oid"] not in self.hub.objects and not self.hub.blocks:
                raise Refused(400, f"{path} was not uploaded")
            repository.large[path] = value["size"], value["oid"]
        elif key == "deletedFile":
            del (repository.large if path in repository.large else repository.files)[path]
        else:
            raise Refused(400, f"the stand-in does not know the operation {key}")


_NAME = "((?:models|spaces)/[^/]+/[^/]+)"
_ACTIONS = {
    "POST /api/repos/create": _Handler.create,
    f"GET /api/{_NAME}(?:/revision/(.+))?": _Handler.information,
    f"GET /api/{_NAME}/tree/(.+)": _Handler.tree,
    "(?:GET|HEAD) /([^/]+/[^/]+)/resolve/([^/]+)/(.+)": _Handler.download,
    "POST /api/validate-yaml": _Handler.check_front_matter,
    f"POST /api/{_NAME}/preupload/main": _Handler.preupload,
    r"POST /(.+)\.git/info/lfs/objects/batch": _Handler.lfs_batch,
    "PUT /storage/([0-9a-f]{64})": _Handler.store,
    "POST /verify": _Handler.verify,
    f"GET /api/{_NAME}/xet-write-token/main": _Handler.xet_token,
    "POST /xet/v1/xorbs/.+": _Handler.xet_block,
    "POST /xet/v1/shards": _Handler.xet_index,
    f"POST /api/{_NAME}/commit/main": _Handler.commit,
}
