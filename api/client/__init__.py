"""A client of the service, sync and async: it computes, signs, sends, and believes nothing.

What a platform has sent is *recorded* here only when the log has receipted it: the receipt holds,
under a log key of the caller's trust policy, for the very bytes of the statement, and the answer
agrees with what was signed; if not, that is a `VerificationError`.  The receipt shows that the
statement is in the log; which of its reductions were refused is as the service says, until a
bundle (`Client.bundle`) or an audit shows it.

Nothing is recorded twice, however often it is sent: what is sent again are the same signed bytes,
which the ledger knows by their id and answers alike.  Before all of a statement is believed to be
refused, the ledger is asked whether it has it from an earlier attempt.  And whoever signs anew
what the log holds after all meets there the spans of the very same reductions.

What passes by itself is tried again: a connection that fails, a time that runs out, and the
statuses 408, 429, 502, 503 and 504; after a pause, each longer than the last, or as Retry-After
says, until the pauses come to ``patience`` seconds.  So long is also asked after what waits for a
block.

Errors: `Unreadable` and `Busy` if the service cannot be reached or cannot do it now, and the same
may be tried later; `Refusal` if all of it was refused, and is not in the log; `VerificationError`
if what the service says does not hold; `Usage` for what it does not know.

`flows` says once what is done and believed; `clients` has the two classes that do it, with threads
or on an event loop; `answers` reads what the service says.
"""

from api.client.clients import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
