# SPDX-License-Identifier: BSD-3-Clause
"""nginx as the yardstick: the same bytes, the same key and cipher, one worker, nothing logged.

Twice, at two ports: as it comes, the answer a file; and tuned to the utmost, the answer in its
configuration (`return 200 ...`), so that only the network is touched, and no session tickets.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import time

CONFIGURATION = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    server_tokens off;
    etag off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 100000000;
    keepalive_timeout 75s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    default_type '{content_type}';
{headers}
    server {{
        listen 127.0.0.1:{port} ssl backlog=1024;
        location = {path} {{
            alias {folder}/answer;
        }}
    }}
    server {{
        listen 127.0.0.1:{tuned_port} ssl backlog=1024;
        ssl_session_tickets off;
        location = {path} {{
            return 200 '{body}';
        }}
    }}
}}
"""
NOT_COPIED = ("content-type", "content-length", "connection")


def quoted(text):
    assert "$" not in text and "\\" not in text
    return text.replace("'", "\\'")


class Nginx:
    """One worker that answers one path with the given answer, at port and at tuned_port."""

    def __init__(self, folder, path, answer, tls_folder, ports):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.tuned_port = ports
        (self.folder / "answer").write_bytes(answer.body)
        headers = "\n".join(
            f"    add_header {name} '{quoted(value)}';"
            for name, value in answer.headers
            if name.lower() not in NOT_COPIED
        )
        (self.folder / "nginx.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder,
                # its worker must reach the folder, which is its owner's only
                user="user root;" if os.geteuid() == 0 else "",
                path=path,
                port=self.port,
                tuned_port=self.tuned_port,
                certificate=tls_folder / "file.crt",
                key=tls_folder / "private.pem",
                content_type=answer.header("Content-Type"),
                headers=headers,
                body=quoted(answer.text),
            )
        )

    def __enter__(self):
        name = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen(
            [name, "-e", str(self.folder / "error.log"), "-c", str(self.folder / "nginx.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not self.worker():
            assert time.monotonic() < deadline and self.process.poll() is None, self.errors()
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)

    def errors(self):
        return (self.folder / "error.log").read_text(errors="replace")

    def worker(self):
        """The process that does the work; its master only waits."""
        master = self.process.pid
        children = pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return int(children[0]) if children else None

    @property
    def pid(self):
        return self.worker()

    @property
    def tuned(self):
        """The same worker by its other port."""
        return Tuned(self)


class Tuned:
    def __init__(self, nginx):
        self.port = nginx.tuned_port
        self.pid = nginx.pid


def version():
    name = shutil.which("nginx") or "/usr/sbin/nginx"
    if not os.path.exists(name):
        return None
    return subprocess.run([name, "-v"], capture_output=True, text=True).stderr.strip()
