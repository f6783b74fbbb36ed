"""What `repute check` asks of the wide internet, beside DNS: mail hosts that everybody knows (a greeting, EHLO, STARTTLS)
and web hosts with a date, with registration data (RDAP) and with what is known of routes.

Run as a program in the other network: `wide.py MAIL-ADDRESS WEB-ADDRESS CERTIFICATE KEY`.
"""
import http.server
import json
import socketserver
import ssl
import sys
import threading

MAIL = ("gmail-smtp-in.l.google.com", "mx01.mail.icloud.com", "mta5.am0.yahoodns.net")
WEB = ("www.google.com", "www.cloudflare.com", "rdap.org", "stat.ripe.net", "www.spamhaus.org")

#: Whatever is asked about has been registered for long.
REGISTRATION = {
    "name": "NET-SHOP", "events": [{"eventAction": "registration", "eventDate": "2015-03-01T00:00:00Z"}],
    "entities": [{"roles": ["abuse"], "vcardArray": ["vcard", [["version", {}, "text", "4.0"], ["email", {}, "text", "abuse@hoster.example"]]]}],
}
ROUTE = {"data": {"status": "valid"}}


class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 mx.google.com ESMTP ready")
        while line := self.rfile.readline(2000):
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say(f"250-mx.google.com at your service, [{self.client_address[0]}]\r\n250-STARTTLS\r\n250 SIZE 1000000")
            elif verb == b"STAR":
                self.say("220 go on")
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
                self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)
            elif verb == b"QUIT":
                return self.say("221 bye")
            else:
                self.say("250 ok")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        host = self.headers.get("Host", "").partition(":")[0]
        body = {"rdap.org": json.dumps(REGISTRATION), "stat.ripe.net": json.dumps(ROUTE), "www.spamhaus.org": '{"asn":64999}\n'}.get(host, "hello\n")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


def main():
    mail, web, certificate, key = sys.argv[1:]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    plain = http.server.ThreadingHTTPServer((web, 80), Web)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    with Server((mail, 25), Mail) as smtp, http.server.ThreadingHTTPServer((web, 443), Web) as https:
        smtp.tls = tls
        https.socket = tls.wrap_socket(https.socket, server_side=True)
        threading.Thread(target=smtp.serve_forever, daemon=True).start()
        https.serve_forever()


if __name__ == "__main__":
    main()
