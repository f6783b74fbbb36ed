"""What `repute check` asks of the wide internet, beside DNS: web hosts with a date, with registration data (RDAP) and with
what is known of routes, and the names of mail hosts that everybody knows, as which `seen.py` answers.

Run as a program in the other network: `wide.py ADDRESS CERTIFICATE KEY`.
"""
import http.server
import json
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


def main():
    web, certificate, key = sys.argv[1:]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    plain = http.server.ThreadingHTTPServer((web, 80), Web)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    with http.server.ThreadingHTTPServer((web, 443), Web) as https:
        https.socket = tls.wrap_socket(https.socket, server_side=True)
        https.serve_forever()


if __name__ == "__main__":
    main()
