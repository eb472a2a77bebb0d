"""`tally gateway` as it runs: one process, its HTTP in one thread, its work in another."""

import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import uvicorn

from api.gateway.app import create_app
from api.gateway.folder import Folder
from api.gateway.gateway import Gateway
from api.service.protocol import Http
from api.service.settings import Settings

STOP_SECONDS = 30
CONNECTIONS_MAX = 256
FORGET_SECONDS = 3_600


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one."""
    return socket.create_server((host, port))


def run(gateway: Gateway, folder: Folder | None, at: socket.socket) -> None:
    """Serve and work until SIGTERM or SIGINT."""
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(gateway),
            http=Http.with_settings(Settings(connections=CONNECTIONS_MAX)),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )
    # The server raises them again when it has ended.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    stopped = threading.Event()
    with ThreadPoolExecutor(1, "gateway") as pool:
        work = pool.submit(_work, gateway, folder, stopped)
        # Whatever ends it, the gateway may not go on as if nothing had been.
        work.add_done_callback(lambda _: setattr(server, "should_exit", True))
        try:
            server.run(sockets=[at])
        finally:
            stopped.set()
        work.result()


def _work(gateway: Gateway, folder: Folder | None, stopped: threading.Event) -> None:
    """Step after step, and between them the files, and what is to be forgotten."""
    due = 0

    def forget() -> bool:
        nonlocal due
        # A file that is open may name lines that are old.
        if gateway.now >= due and not (folder and folder.is_open):
            gateway.forget()
            due = gateway.now + FORGET_SECONDS
        return False

    parts = (folder.step, forget) if folder else (forget,)
    seconds = 0.0
    while not stopped.wait(seconds):
        seconds = gateway.step(*parts)
