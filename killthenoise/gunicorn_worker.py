"""A gunicorn worker that drops no connection when it stops."""

from socket import socket

from gunicorn.workers.gthread import ThreadWorker


class DrainingWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Accepts waiting connections, and then closes its listeners at once.

    gunicorn stops accepting, but closes the listeners only after the last request. With
    `reuse_port`, the kernel keeps assigning connections to them until then, and finally
    resets these connections. Once they are closed, it assigns all connections to the
    other workers.
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
