"""Where a server of a test may listen."""
import os
import socket


def free_address():
    """HOST:PORT on this machine, of a host that is this process's alone: nobody else takes the port
    before it is used."""
    pid = os.getpid()
    host = f"127.{pid >> 16 & 255}.{pid >> 8 & 255}.{pid & 255}"
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"
