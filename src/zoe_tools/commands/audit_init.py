"""`zoe audit init`: make the key that signs the audit log's heads, and sign them."""

from __future__ import annotations

import typer

from zoe_tools.commands.invocation import Invocation
from zoe_tools.domain.account import Account
from zoe_tools.domain.audit import AuditKind
from zoe_tools.runtime.audit_home import AuditHome, key_id_of
from zoe_tools.runtime.auditing import books_of
from zoe_tools.runtime.context import Context
from zoe_tools.runtime.gates import author_of
from zoe_tools.runtime.known_accounts import run_with_books
from zoe_tools.store.store import Transaction


def audit_init(ctx: typer.Context) -> None:
    """Make the key that signs the audit log, and sign what there is of it.

    The key stays in ZOE_HOME/audit and is made once; run it as often as you like. From then on each
    command signs the head of the log when it ends, and the loop every minute that has news.

    Examples:
      zoe audit init
    """
    invocation: Invocation = ctx.obj
    settings = invocation.settings(lenient=True)
    printer = invocation.printer()
    home = AuditHome(settings.home)
    is_new = not home.has_key
    accounts = books_of(settings, None)
    public = home.make_key()
    key_id = key_id_of(public)
    if complaint := home.complaint():
        printer.warn(complaint)
    for account in accounts:
        run_with_books(
            account, settings, lambda context: _sign(context, invocation, public, is_new=is_new)
        )
    invocation.announce(settings)
    printer.report(
        "",
        (
            ("key", f"{key_id} ({'made' if is_new else 'was there'})"),
            ("public key", public),
            ("signs", _told(accounts)),
            ("private key", home.key_path),
            ("trusted keys", home.trusted_path),
        ),
    )
    printer.line()
    printer.wrapped("", "Write the public key down somewhere else: whoever can change this folder")
    printer.wrapped("", "can make a new key. Next: zoe audit verify")
    printer.result(
        {
            "key_id": key_id,
            "public_key": public,
            "is_new": is_new,
            "key_file": home.key_path,
            "trusted_keys_file": home.trusted_path,
            "accounts": [account.account_id for account in accounts],
        }
    )


async def _sign(context: Context, invocation: Invocation, public: str, *, is_new: bool) -> None:
    now = context.clock.now()
    author = author_of(context, command="audit init", environ=invocation.environ)
    facts = {
        "key_id": key_id_of(public),
        "public_key": public,
        "operator": author.operator,
        "host": author.host,
    }

    def work(books: Transaction) -> None:
        if is_new:
            books.audit.note(AuditKind.KEY, now, (key_id_of(public),), facts)
        books.audit.sign()

    await context.store.run(work)


def _told(accounts: tuple[Account, ...]) -> str:
    return ", ".join(each.account_id for each in accounts) or "nothing yet: no account has books"
