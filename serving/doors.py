"""Workers that share a port get the connections in equal parts.

Where they listen at one socket, libuv takes whatever waits there in one go: of sixteen callers who
come together one worker then has all, for as long as they keep their connections, and the other
cores rest. With a socket for each, of one port (SO_REUSEPORT), the system deals connections out.
"""

from __future__ import annotations

import socket
from typing import Any

import uvloop


class SharingLoop(uvloop.Loop):
    """uvloop, but with a socket of its own where it is given one that others listen at, too.

    For uvicorn's `loop`, whose parent process binds the port and gives the socket to its workers.
    """

    async def create_server(self, protocol_factory: Any, *where: Any, **options: Any) -> Any:
        """As asyncio's."""
        given = options.get("sock")
        if given is not None:
            options["sock"] = own_socket(given)
        return await super().create_server(protocol_factory, *where, **options)


def own_socket(given: socket.socket) -> socket.socket:
    """Another socket at the address of `given`, which is bound and at which nobody listens."""
    own = socket.socket(given.family, given.type)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    own.bind(given.getsockname())
    return own
