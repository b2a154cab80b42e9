"""Runs a command on a terminal of 40 lines and 120 columns, waits until it shows some words, presses a key, and ends as
the command does: terminal.py KEY WORD[,WORD...] COMMAND..."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

SECONDS = 60

key, words, command = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
shown, pressed, until = b"", False, time.monotonic() + SECONDS
while time.monotonic() < until:
    ready, _, _ = select.select([terminal], [], [], 0.2)
    if ready:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    if not pressed and all(word.encode() in shown for word in words):
        os.write(terminal, key.encode())
        pressed = True
else:
    os.kill(child, 9)
    sys.exit(f"not all of {words} were shown, or it went on: {shown!r}")
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(status if pressed else f"it ended by itself ({status}): {shown!r}")
