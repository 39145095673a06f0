"""A gunicorn worker that loses no connection when it stops."""

from socket import socket

from gunicorn.workers.gthread import ThreadWorker


class DrainingWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Accepts what waits for it, and then closes its listeners at once.

    gunicorn stops accepting, but closes the listeners when the last request has ended.
    With `reuse_port` the kernel goes on to give connections to them until then, and
    resets these connections in the end. Once they are closed, it gives all connections
    to the other workers.
    """

    sockets: list[socket]

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.setblocking(False)
                while self._accept_one(listener):
                    pass
                listener.close()
            self.sockets = []

    def _accept_one(self, listener: socket) -> bool:
        """Accept a connection; False if none waits."""
        connections = self.nr_conns
        self.accept(listener)
        return bool(self.nr_conns > connections)
