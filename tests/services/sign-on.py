#!/usr/bin/python3
"""Stands for any program that signs people on and that nginx can ask by auth_request, such as a single sign-on.

Whoever has the cookie session=NAME is NAME. Its answers are those that such programs have in common: 202 with the user
and the groups in headers, or 401.
"""

from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GROUPS = {"ada": "operators", "bob": "viewers"}


class SignOn(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        session = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        user = session.value if session else None
        if user in GROUPS:
            self.send_response(202)
            self.send_header("X-Auth-Request-User", user)
            self.send_header("X-Auth-Request-Groups", GROUPS[user])
        else:
            self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", 4180), SignOn).serve_forever()
