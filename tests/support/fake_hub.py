"""A hub on this machine: it has one folder, or refuses everything, and notes what is asked."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

COMMIT = "1" * 40
NAME = "owner/tiny"


class Hub(BaseHTTPRequestHandler):
    folder: Path
    refusal: tuple[int, str] | None = None
    asked: list[str]
    breaks_off = False
    """Files end after five bytes."""

    def answer(self):
        path = unquote(urlparse(self.path).path)
        self.asked.append(path)
        file = self.folder / path.rpartition("/")[2]
        if self.refusal:
            status, code = self.refusal
            self.say(status, b"", {"X-Error-Code": code} if code else {})
        elif path.startswith("/api/models/"):
            files = [{"rfilename": each.name} for each in self.folder.iterdir()]
            found = {"id": NAME, "sha": COMMIT, "siblings": files}
            self.say(200, json.dumps(found).encode(), {"Content-Type": "application/json"})
        elif file.is_file():
            data = file.read_bytes()
            self.say(200, data, {"ETag": f'"{hashlib.sha256(data).hexdigest()[:40]}"'})
        else:
            self.say(404, b"", {"X-Error-Code": "EntryNotFound"})

    def say(self, status, data, headers):
        self.send_response(status)
        every = {"X-Repo-Commit": COMMIT, "Content-Length": str(len(data)), **headers}
        for name, value in every.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data[:5] if self.breaks_off else data)

    do_GET = do_HEAD = answer

    def log_message(self, *_):
        pass


@contextmanager
def fake_hub(folder, cache, monkeypatch):
    """The only server that huggingface_hub knows while it lasts; yields the handler's class."""
    from huggingface_hub import constants

    kind = type("OwnHub", (Hub,), {"folder": folder, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    with monkeypatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("no_proxy", "127.0.0.1")
        patch.setattr("time.sleep", lambda seconds: None)  # a client waits before it asks again
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(constants, "ENDPOINT", address)
        url = address + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
        yield kind
    server.shutdown()
    server.server_close()
    thread.join()
