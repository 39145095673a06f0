"""The threads of a process share a few connections to PostgreSQL."""

import gc
import queue
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier, Event, Semaphore, Thread, Timer
from typing import Any, cast
from uuid import uuid4

import psycopg2
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from pytest_django import Settings

from development.postgres import Postgres
from killthenoise.api.connection_pool import release_connection
from killthenoise.postgresql import base

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no pool"),
]


@pytest.fixture(autouse=True)
def pool(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A pool of two connections, of which this thread has none."""
    settings.DATABASE_CONNECTIONS = 2
    monkeypatch.setattr(base, "WAIT_S", 0.2)
    forget_pool()
    yield
    forget_pool()


def forget_pool() -> None:
    connection.close()
    cast(base.DatabaseWrapper, connection).close_pool()
    base.get_pool.cache_clear()


def query(sql: str = "SELECT pg_backend_pid()") -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_many_threads_share_two_connections() -> None:
    def work(_: int) -> Any:
        try:
            return query()
        finally:
            release_connection()

    with ThreadPoolExecutor(8) as threads:
        pids = set(threads.map(work, range(64)))

    assert len(pids) <= 2


def test_thread_without_a_free_connection_gives_up() -> None:
    done, borrowed = Event(), Semaphore(0)

    def hold() -> None:
        query()
        borrowed.release()
        done.wait(10)

    holders = [Thread(target=hold) for _ in range(2)]
    for holder in holders:
        holder.start()
        borrowed.acquire()

    with pytest.raises(OperationalError, match="all connections of this process"):
        query()

    done.set()
    for holder in holders:
        holder.join()
    gc.collect()
    assert query()  # a thread that ended gave its connection back


def test_destructor_may_run_while_its_thread_borrows_a_connection() -> None:
    """The garbage collector may start at any moment, even inside of a queue."""
    pool = base.Pool(1)
    files = {module.__file__ for module in (base, queue, threading)}

    def run_destructor(frame: Any, event: str, arg: Any) -> None:
        if frame.f_code.co_filename in files:
            pool.give_back()

    def borrow() -> None:
        sys.setprofile(run_destructor)
        pool.borrow()
        sys.setprofile(None)

    thread = Thread(target=borrow, daemon=True)
    thread.start()
    thread.join(5)

    assert not thread.is_alive()


def test_connection_that_the_server_closed_is_replaced() -> None:
    pid = query()
    connection.close()
    terminate({pid})

    assert query() != pid


def terminate(pids: set[int]) -> None:
    """End connections as PostgreSQL does when it stops."""
    other = psycopg2.connect(**connection.get_connection_params())
    with closing(other), other.cursor() as cursor:
        for pid in pids:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_connections_are_proved_after_one_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Behind PgBouncer, those to a PostgreSQL that restarted look open."""
    monkeypatch.setattr(base, "is_open", lambda connection: True)
    terminate(fill_pool())
    with pytest.raises(OperationalError):
        query()
    connection.close()

    assert query()


def fill_pool() -> set[int]:
    """Open the two connections of the pool, and return their processes."""
    both = Barrier(2)

    def work() -> Any:
        pid = query()
        both.wait(10)
        release_connection()
        return pid

    with ThreadPoolExecutor(2) as threads:
        return {future.result() for future in [threads.submit(work) for _ in range(2)]}


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A PostgreSQL of its own, to stop."""
    with ExitStack() as running:
        yield Postgres(running, tmp_path)


@pytest.fixture
def wrapper(postgres: Postgres) -> Iterator[base.DatabaseWrapper]:
    """A thread's connection to it."""
    database = {"NAME": "postgres", "HOST": postgres.url.partition("host=")[2]}
    settings = {**connection.settings_dict, **database, "USER": "postgres"}
    wrapper = base.DatabaseWrapper(settings, "other")
    yield wrapper
    wrapper.close()
    wrapper.close_pool()


def test_restart_is_waited_for(
    postgres: Postgres, wrapper: base.DatabaseWrapper
) -> None:
    wrapper.ensure_connection()
    wrapper.close()
    postgres.stop()
    starting = Timer(0.3, postgres.start)
    starting.start()

    wrapper.ensure_connection()

    starting.join()


def test_only_the_first_seconds_of_an_outage_are_waited_for(
    postgres: Postgres, wrapper: base.DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "RESTART_S", 0.5)
    postgres.stop()
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(OperationalError):
            wrapper.ensure_connection()
        seconds.append(time.monotonic() - began)

    assert seconds[0] >= 0.5
    assert seconds[1] < 0.4

    postgres.start()
    wrapper.ensure_connection()


def test_connection_with_a_failed_transaction_is_not_used_again() -> None:
    pid = query()
    connection.set_autocommit(False)
    query()
    connection.close()

    assert query() != pid
    assert connection.get_autocommit()


def test_connection_is_kept_inside_a_transaction() -> None:
    with transaction.atomic():
        pid = query()
        release_connection()

        assert query() == pid


def test_slow_reader_keeps_no_connection(client: Client) -> None:
    """The server closes a response only when its client has read the whole of it."""
    client.get("/api/issues/ai", headers={"X-Tenant-ID": str(uuid4())})

    assert connection.connection is None


def test_server_that_vanished_is_noticed_within_20_seconds() -> None:
    """Without these options libpq waits as long as Linux does: 15 minutes."""
    options = connection.get_connection_params()
    probes = options["keepalives_interval"] * options["keepalives_count"]

    assert options["tcp_user_timeout"] <= 20_000
    assert options["keepalives_idle"] + probes <= 20
