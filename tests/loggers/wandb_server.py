"""A stand-in for the server of Weights & Biases on this machine: it accepts, refuses or hangs, and remembers."""

from __future__ import annotations

import gzip
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Manner = Literal["accept", "refuse", "forbid", "hang"]
PROJECT = {"id": "cA==", "name": "resnet-zoo", "entity": {"id": "ZQ==", "name": "somebody"}}


class StandIn:
    """Answers as much of the protocol as wandb needs to start a run, stream its rows and end it.

    Args:
        manner: "accept" answers; "refuse" answers 500, "forbid" 401; "hang" takes requests and never answers. May be
            changed at any time.
    """

    def __init__(self, manner: Manner = "accept") -> None:
        self.manner: Manner = manner
        self.ended = threading.Event()
        self.requests: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.offsets: list[int] = []
        self.files: dict[str, bytes] = {}
        self.exit_codes: list[int] = []
        self.upserts = 0
        outer = self

        class Handler(_Handler):
            stand_in = outer

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The answer to a GraphQL request."""
        run = {"id": "cnVu", "name": "given", "displayName": "given", "historyLineCount": len(self.rows),
               "sweepName": None, "config": "{}",
               "project": PROJECT}  # fmt: skip
        if "upsertBucket" in query:
            self.upserts += 1
            run["name"] = variables.get("name") or "given"
            return {"upsertBucket": {"bucket": run, "inserted": self.upserts == 1}}
        if "createRunFiles" in query:
            names = [item if isinstance(item, str) else item["name"] for item in variables["files"]]
            made = [{"name": name, "uploadUrl": f"{self.url}/upload/{name}"} for name in names]
            return {"createRunFiles": {"runID": "cnVu", "uploadHeaders": [], "files": made}}
        if "viewer" in query:
            return {"viewer": {"id": "dg==", "entity": "somebody", "username": "somebody", "email": "a@b.invalid",
                               "flags": "{}", "teams": {"edges": []}}}  # fmt: skip
        if "model(name" in query or "RunResumeStatus" in query:
            return {"model": {**PROJECT, "bucket": self._resume_status() if self.rows else None}}
        return {}

    def _resume_status(self) -> dict[str, Any]:
        last = self.rows[-1]
        return {"id": "cnVu", "name": "given", "summaryMetrics": json.dumps(last), "displayName": "given",
                "logLineCount": 0, "historyLineCount": len(self.rows), "eventsLineCount": 0,
                "historyTail": json.dumps([json.dumps(last)]), "eventsTail": "[]", "config": "{}", "tags": [],
                "wandbConfig": '{"t": 1}'}  # fmt: skip

    def stream(self, content: dict[str, Any]) -> None:
        """Take rows and the end of the run."""
        history = content.get("files", {}).get("wandb-history.jsonl")
        if history:
            self.offsets.append(history["offset"])
            self.rows += [json.loads(line) for line in history["content"]]
        if content.get("complete"):
            self.exit_codes.append(content.get("exitcode", 0))


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing on the screen: a client that is ended in the middle of a request is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""

    def _serve(self) -> None:
        stand_in = self.stand_in
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        stand_in.requests.append(f"{self.command} {self.path}")
        if stand_in.manner == "hang":
            stand_in.ended.wait(600)
            return
        if stand_in.manner in ("refuse", "forbid"):
            self._reply(500 if stand_in.manner == "refuse" else 401, {"error": "no"})
        elif self.path.endswith("/graphql"):
            content = json.loads(body)
            stand_in.requests[-1] += " " + " ".join(re.findall(r"(?:query|mutation) (\w+)", content["query"]))
            self._reply(200, {"data": stand_in.answer(content["query"], content.get("variables") or {})})
        elif self.path.endswith("/file_stream"):
            stand_in.stream(json.loads(body))
            self._reply(200, {})
        else:
            stand_in.files[self.path.removeprefix("/upload/")] = body
            self._reply(200, {})

    def _reply(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
