"""`zoe paper serve`: the embedded exchange on its own, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.runtime.paper_serving import ServeOrder, faults_in, serve_paper

_IDLE_S = 0.0


def paper_serve(
    ctx: typer.Context,
    *,
    port: Annotated[int, typer.Option(help="0 lets the system choose.", min=0, max=65535)] = 0,
    speed: Annotated[float, typer.Option(help="Venue seconds per second.", min=0.01)] = 1.0,
    market_data: Annotated[
        Path | None, typer.Option(help="Replay this file instead of the synthetic market.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The synthetic market's seed.")] = 1,
    pretend_live: Annotated[
        bool, typer.Option("--pretend-live", help="Prove nothing: for tests of live behaviour.")
    ] = False,
    faults: Annotated[
        Path | None, typer.Option(help="Arm the faults of this JSON file; see zoe paper fault.")
    ] = None,
    idle_timeout: Annotated[
        float, typer.Option(help="Stop after so many idle seconds; 0: never.", min=0)
    ] = _IDLE_S,
) -> int:
    """Serve the paper exchange in the foreground.

    Any command starts it by itself when it needs it; serve it here to watch it, or at a speed of
    your own. Ctrl-C stops it; its state stays.

    Examples:
      zoe paper serve --speed 60
      zoe paper serve --market-data ETHUSD_60.csv --port 8080
    """
    invocation: Invocation = ctx.obj
    settings = invocation.for_account("paper").settings()
    order = ServeOrder(
        port=port,
        speed=speed,
        market_data=market_data,
        seed=seed,
        pretend_live=pretend_live,
        idle_timeout_s=idle_timeout,
        faults=faults_in(faults) if faults is not None else (),
    )
    return serve_paper(settings, order, invocation.printer())
