"""A server as older Windows ones are: DOS listings and no MLSD, names in Latin-1, an account to name
after the password, XMD5 and XCRC for checksums, and an address in its replies to PASV that isn't its own.

Serves FOLDER/root at 127.0.0.1:PORT, logs every command to FOLDER/log. `tests/run` installs
pyftpdlib.
"""

import hashlib
import logging
import os
import stat
import sys
import time
import zlib

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

folder, port, user, password, account = sys.argv[1:]


class DosFilesystem(AbstractedFS):
    def format_list(self, basedir, listing, ignore_err=True):
        for name in listing:
            it = self.lstat(os.path.join(basedir, name))
            when = time.strftime("%m-%d-%y  %I:%M%p", time.gmtime(it.st_mtime))
            what = "<DIR>         " if stat.S_ISDIR(it.st_mode) else f"{it.st_size:14}"
            yield f"{when}  {what:>20} {name}\r\n".encode("latin-1")


class Handler(FTPHandler):
    abstracted_fs = DosFilesystem
    encoding = "latin-1"
    masquerade_address = "192.0.2.1"
    proto_cmds = {name: command for name, command in FTPHandler.proto_cmds.items() if name not in ("MLSD", "MLST")}
    proto_cmds["ACCT"] = dict(perm=None, auth=False, arg=True, help="")
    proto_cmds["XCRC"] = proto_cmds["XMD5"] = dict(perm="r", auth=True, arg=True, help="")
    waiting = None

    def handle_auth_success(self, home, password, msg_login):
        self.waiting = (home, password, msg_login)
        self.respond("332 Need account for login.")

    def ftp_ACCT(self, line):
        if self.waiting and line == account:
            super().handle_auth_success(*self.waiting)
        else:
            self.respond("530 No such account.")

    def ftp_FEAT(self, line):
        self.push("211-Features:\r\n MDTM\r\n MFMT\r\n REST STREAM\r\n SIZE\r\n XCRC\r\n XMD5\r\n")
        self.respond("211 End")

    def ftp_XCRC(self, path):
        with open(path, "rb") as file:
            self.respond(f"250 {zlib.crc32(file.read()):08X}")

    def ftp_XMD5(self, path):
        with open(path, "rb") as file:
            self.respond(f"250 {hashlib.md5(file.read()).hexdigest().upper()}")


logging.basicConfig(filename=os.path.join(folder, "log"), level=logging.DEBUG)
Handler.authorizer = DummyAuthorizer()
Handler.authorizer.add_user(user, password, os.path.join(folder, "root"), perm="elradfmwMT")
FTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
