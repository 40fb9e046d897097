"""A server that speaks as much of Hugging Face's protocol as huggingface_hub asks of it."""

import hashlib
import http.server
import json
import threading
import urllib.parse

TOKEN = "hf_of_the_tests"


class Hub:
    """Repositories in memory, served at `endpoint` while the context is open.

    Attributes:
      files: dict of (repository, revision) to {file name: bytes}.
      private: set of repositories that take TOKEN.
      breaks: set of file names whose bodies end half-way.
      asked: list of str, the paths asked for.
    """

    def __init__(self):
        self.files, self.private, self.breaks, self.asked = {}, set(), set(), []

    def __enter__(self):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                hub.answer(self, True)

            def do_HEAD(self):
                hub.answer(self, False)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def sha(self, repository, revision):
        """The commit of a revision: a made-up one, of 40 digits."""
        return hashlib.sha1(f"{repository}@{revision}".encode()).hexdigest()

    def answer(self, request, body):
        path = urllib.parse.unquote(request.path.split("?")[0]).strip("/")
        self.asked.append(path)
        for (repository, revision), files in self.files.items():
            sha = self.sha(repository, revision)
            if not path.startswith((f"api/models/{repository}/", f"{repository}/resolve/")):
                continue
            allowed = request.headers.get("authorization") == f"Bearer {TOKEN}"
            if repository in self.private and not allowed:
                return self.refuse(request, 401, "RepoNotFound")
            for name in (revision, sha):
                if path == f"api/models/{repository}/revision/{name}":
                    siblings = [{"rfilename": file} for file in files]
                    about = {"id": repository, "sha": sha, "siblings": siblings, "private": False}
                    about |= {"tags": [], "downloads": 0, "likes": 0}
                    return self.send(request, json.dumps(about).encode(), body)
                if path == f"api/models/{repository}/tree/{name}":
                    tree = [
                        {"type": "file", "path": file, "size": len(content), "oid": sha}
                        for file, content in files.items()
                    ]
                    return self.send(request, json.dumps(tree).encode(), body)
                file = path.removeprefix(f"{repository}/resolve/{name}/")
                if file in files:
                    return self.send_file(request, files[file], sha, body, file in self.breaks)
        known = any(path.startswith(f"api/models/{name}/") for name, _ in self.files)
        return self.refuse(request, 404, "RevisionNotFound" if known else "RepoNotFound")

    def send(self, request, content, body, headers=(), status=200):
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        for name, value in headers:
            request.send_header(name, value)
        request.end_headers()
        if body:
            request.wfile.write(content)

    def send_file(self, request, content, sha, body, broken):
        etag = hashlib.sha1(content).hexdigest()
        headers = [("ETag", f'"{etag}"'), ("X-Repo-Commit", sha), ("Accept-Ranges", "bytes")]
        start = int(request.headers.get("Range", "bytes=0-").split("=")[1].split("-")[0])
        if broken and body:
            request.send_response(200)
            request.send_header("Content-Length", str(len(content)))
            for name, value in headers:
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(content[: len(content) // 2])
            request.close_connection = True
            return
        if start:
            place = f"bytes {start}-{len(content) - 1}/{len(content)}"
            headers.append(("Content-Range", place))
        self.send(request, content[start:], body, headers, 206 if start else 200)

    def refuse(self, request, status, code):
        self.send(request, b"{}", True, [("X-Error-Code", code)], status)
