"""A mail host that everybody knows, which says in EHLO from which address it sees its clients: what stands in a file, else
the truth. Run as a program in the other network: `seen.py NAME ADDRESS FILE CERTIFICATE KEY`.
"""
import pathlib
import socketserver
import ssl
import sys


class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.say(f"220 {self.server.name} ESMTP ready")
        while line := self.rfile.readline(2000):
            verb = line[:4].upper()
            if verb == b"EHLO":
                seen = self.server.file.read_text().strip() or self.client_address[0]
                self.say(f"250-{self.server.name} at your service, [{seen}]\r\n250-STARTTLS\r\n250 SIZE 1000000")
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


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


def main():
    name, address, file, certificate, key = sys.argv[1:]
    with Server((address, 25), Mail) as smtp:
        smtp.name, smtp.file = name, pathlib.Path(file)
        smtp.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        smtp.tls.load_cert_chain(certificate, key)
        smtp.serve_forever()


if __name__ == "__main__":
    main()
