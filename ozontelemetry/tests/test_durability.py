"""Which settings of a PostgreSQL keep a server from starting."""

import pytest

from ozontelemetry.durability import Facts, judge


@pytest.mark.parametrize(
    ("facts", "alone", "with_standby"),
    [
        (Facts(), [], []),
        (Facts(fsync=False), ["ozone.E021"], ["ozone.E021"]),
        (Facts(synchronous_commit="remote_apply"), [], []),
        (Facts(synchronous_commit="off"), ["ozone.E022"], ["ozone.E022"]),
        (Facts(synchronous_commit="local"), ["ozone.E022"], ["ozone.E022"]),
        (Facts(waits_for_standby=False, standbys=()), [], ["ozone.E023"]),
        (Facts(standbys=()), [], ["ozone.W021"]),
        (Facts(standbys=("potential", "async")), [], ["ozone.W021"]),
        (Facts(standbys=("quorum", "quorum")), [], []),
        (Facts(standbys=(None,)), [], []),
        (Facts(wal_sender_timeout=60_000), [], ["ozone.E024"]),
        (Facts(wal_sender_timeout=0), [], ["ozone.E024"]),
    ],
)
def test_what_is_said(facts: Facts, alone: list[str], with_standby: list[str]) -> None:
    assert [message.id for message in judge(facts, has_standby=False)] == alone
    found = list(judge(facts, has_standby=True))
    assert [message.id for message in found] == with_standby
    assert all(message.hint and message.msg.endswith(".") for message in found)
