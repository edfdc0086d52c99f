"""`zoe paper serve`: the embedded exchange on its own, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.observe.outlet import EDGE
from zoe_tools.runtime.paper_serving import ServeOrder, faults_in, quirks_of, serve_paper

_IDLE_S = 0.0


_Host = Annotated[str, typer.Option(help="Where to listen; others than this machine need it told.")]
_Port = Annotated[int, typer.Option(help="0 lets the system choose.", min=0, max=65535)]
_Speed = Annotated[float, typer.Option(help="Venue seconds per second.", min=0.01, max=10_000)]
_MarketData = Annotated[
    Path | None, typer.Option(help="Replay this file instead of the synthetic market.")
]
_Await = Annotated[
    bool, typer.Option("--await-subscriber", help="Begin when a socket has subscribed.")
]
_MarketParams = Annotated[
    Path | None, typer.Option(help="Parameters of the synthetic market, a JSON file.")
]
_Mirror = Annotated[
    bool, typer.Option("--mirror", help="Follow the live public market of KRAKEN_WS_PUBLIC_URL.")
]
_Latency = Annotated[
    float,
    typer.Option(help="Venue milliseconds until a private request arrives.", min=0, max=60_000),
]
_Seed = Annotated[int, typer.Option(help="The synthetic market's seed.")]
_PretendLive = Annotated[
    bool, typer.Option("--pretend-live", help="Prove nothing: for tests of live behaviour.")
]
_Faults = Annotated[
    Path | None, typer.Option(help="Arm the faults of this JSON file; see zoe paper fault.")
]
_Tier = Annotated[
    Literal["starter", "intermediate", "pro"],
    typer.Option(help="Whose limits of calls, transactions and open orders apply."),
]
_NoLimits = Annotated[bool, typer.Option("--no-limits", help="Count nothing and refuse nobody.")]
_Quirks = Annotated[
    Path | None, typer.Option(help="What is unsure of Kraken, as switches: a JSON file.")
]
_Idle = Annotated[float, typer.Option(help="Stop after so many idle seconds; 0: never.", min=0)]


def paper_serve(
    ctx: typer.Context,
    *,
    host: _Host = "127.0.0.1",
    port: _Port = 0,
    speed: _Speed = 1.0,
    market_data: _MarketData = None,
    await_subscriber: _Await = False,
    market_params: _MarketParams = None,
    mirror: _Mirror = False,
    latency: _Latency = 0.0,
    seed: _Seed = 1,
    pretend_live: _PretendLive = False,
    faults: _Faults = None,
    tier: _Tier = "intermediate",
    no_limits: _NoLimits = False,
    quirks: _Quirks = None,
    idle_timeout: _Idle = _IDLE_S,
) -> int:
    """Serve the paper exchange in the foreground.

    Any command starts it by itself when it needs it; serve it here to watch it, or at a speed of
    your own. Ctrl-C stops it; its state stays.

    Examples:
      zoe paper serve --speed 60
      zoe paper serve --market-data ETHUSD_60.csv --port 8080
      zoe paper serve --mirror --latency 40
    """
    invocation: Invocation = ctx.obj
    settings = invocation.for_account("paper").settings()
    order = ServeOrder(
        host=host,
        port=port,
        speed=speed,
        market_data=market_data,
        waits=await_subscriber,
        seed=seed,
        pretend_live=pretend_live,
        idle_timeout_s=idle_timeout,
        market_params=market_params,
        is_mirror=mirror,
        latency_s=latency / 1000,
        tier=None if no_limits else tier,
        faults=faults_in(faults) if faults is not None else (),
        quirks=quirks_of(quirks),
    )
    EDGE.unblock()  # an exchange waits for nobody who reads of it
    return serve_paper(settings, order, invocation.printer())
