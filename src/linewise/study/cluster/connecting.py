"""From `--on` to a cluster, and what can be wrong with it."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import warnings
from pathlib import Path
from typing import Any

from linewise.foundations.errors import ConfigError, missing_extra
from linewise.study.cluster.place import LOCAL, Place
from linewise.study.cluster.signals import own_signals

PATIENCE_S = 10.0
ATTEMPTS = 3
STILLBORN = "Initialization failure from server"
"""Ray's client server forks one for each client, which now and then does not come to life; another try does."""
MEND = "see `ray status` on the cluster, and docs/cluster.md"
PORTS = "the port of the cluster (6379 where none was chosen), or with ray:// that of its client server (10001)"
TOKEN = "the cluster's token has to be here too, and the same (RAY_AUTH_TOKEN, or ~/.ray/auth_token); "


def require_ray() -> None:
    """Say what to install where Ray is missing.

    Raises:
        ConfigError: it is.
    """
    for package in ("ray", "grpc"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "cluster", "--on")


def connect(place: Place, cores: int) -> bool:
    """Have a connection.

    Args:
        cores: of this machine, where Ray is begun on it.

    Returns:
        Whether it was made here; False where this process has had one, which `--on ray` uses.

    Raises:
        ConfigError: there is no cluster, or none that can be used.
    """
    ray = _quiet_ray(place)
    if ray.is_initialized():
        if place.text != LOCAL:
            raise ConfigError(
                "this process is connected to a Ray cluster already", where=f"--on {place.text}",
                mend="on='ray' uses that connection; ray.shutdown() ends it",
            )  # fmt: skip
        return False
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    if place.host:
        _knock(place)
        options["address"] = place.text
    else:
        options |= {"address": "local", "num_cpus": cores, "include_dashboard": False}
    with own_signals(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a connection that times out, which is told below
        for left in reversed(range(ATTEMPTS if place.outside else 1)):
            try:
                ray.init(**options)
                break
            except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
                ray.shutdown()
                if not left or STILLBORN not in str(error):
                    raise _refused(place, error) from None
    return True


def loss(place: Place, error: BaseException) -> ConfigError | None:
    """What to say where an error tells that the connection was lost; None where it tells of something else."""
    import grpc

    if not isinstance(error, grpc.RpcError | ConnectionError):
        return None
    details = error.details() if isinstance(error, grpc.Call) else error
    return ConfigError(
        f"the connection was lost ({str(details).strip().splitlines()[0]})",
        where=f"--on {place.text}",
        mend="see that the cluster is there; what has ended is kept, and the same command goes on",
    )


def _quiet_ray(place: Place) -> Any:
    """Ray, which tells nobody that it is used, and says nothing that is not asked for."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = (
        "0"  # where a connection was lost, a call would make another, to anywhere
    )
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else a FutureWarning
    if not place.host:
        os.environ.setdefault("RAY_worker_niceness", "0")  # as worker processes have it, not 15
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # listens to this machine alone
    if place.host and _has_token():  # of Ray's own commands only `ray start --head` sees to it
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    logging.getLogger("ray").setLevel(logging.ERROR)
    import ray

    return ray


def _has_token() -> bool:
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return True
    return Path("~/.ray/auth_token").expanduser().is_file()


def _knock(place: Place) -> None:
    """Ray tries for minutes to reach an address; whether something like it is there shows in seconds."""
    where = f"--on {place.text}"
    try:
        socket.create_connection((place.host, place.port), PATIENCE_S).close()
    except OSError as error:
        raise ConfigError(
            f"no connection ({error.strerror or error})", where=where, expected="a Ray cluster", mend=MEND
        ) from None
    if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return
    import grpc

    host = f"[{place.host}]" if ":" in place.host else place.host
    channel = grpc.insecure_channel(f"{host}:{place.port}", [("grpc.enable_http_proxy", 0)])
    try:
        grpc.channel_ready_future(channel).result(timeout=PATIENCE_S)
    except grpc.FutureTimeoutError:
        raise ConfigError(
            "something answers there, but it is not Ray", where=where,
            expected=PORTS, mend=MEND,
        ) from None  # fmt: skip
    finally:
        channel.close()


def _refused(place: Place, error: Exception) -> ConfigError:
    text = str(error).strip()
    where = f"--on {place.text}"
    if "version" in text.lower() and ("mismatch" in text.lower() or "python" in text.lower()):
        one_line = " ".join(text.split())
        return ConfigError(
            f"another version runs there ({one_line})", where=where,
            expected="the same versions of Ray and Python", mend="install the same here and on every node",
        )  # fmt: skip
    first = text.splitlines()[0] if text else type(error).__name__
    if "node info" in text.lower() and place.host and not place.outside:
        mend = f"this machine has to be a node of it (`ray start --address={place.text}`); from outside: ray://HOST:10001"
    else:
        mend = TOKEN + MEND
    return ConfigError(f"cannot be used ({first})", where=where, expected=PORTS if place.host else "", mend=mend)
