"""Any valid path counts: authorities that were renewed or cross-signed, in whatever order they are named."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from certs import Authority
from certs.identity import Identity, pem
from certs.trust import Trust
from tests.certs.forge import PAST, forge, named
from tests.raw import Raw, context
from tests.server.opening import knock
from tests.server.world import serving

OVER = PAST, datetime(2021, 1, 1, tzinfo=UTC)


def ca(name, issuer=None, **how):
    return forge(issuer, as_ca=True, subject=named(name), **how)


def renewed_ca():
    root = ca("Root")
    old = ca("CA", root, dates=OVER)
    new = ca("CA", root, key=old.key)
    return [root, old, new], new, old


def renewed_root():
    old = ca("Root", dates=OVER)
    new = ca("Root", key=old.key)
    middle = ca("CA", old)
    return [old, new, middle], middle, middle


def root_with_another_key():
    old, new = ca("Root", dates=OVER), ca("Root")
    before = ca("CA", old)
    middle = ca("CA", new, key=before.key)
    return [old, new, before, middle], middle, before


def cross_signed():
    one, other = ca("Root of one", dates=OVER), ca("Root of another")
    under_one = ca("CA", one)
    under_other = ca("CA", other, key=under_one.key)
    return [one, other, under_one, under_other], under_other, under_one


def two_keys_of_one_name():
    root = ca("Root")
    one, other = ca("CA", root), ca("CA", root)
    return [root, one, other], one, one


CASES = [renewed_ca, renewed_root, root_with_another_key, cross_signed, two_keys_of_one_name]


@pytest.mark.parametrize("make", CASES)
@pytest.mark.parametrize("sends", ["the leaf alone", "the valid CA", "the other CA"])
async def test_a_client_with_one_valid_path_is_let_in(people, on_sqlite, tmp_path, make, sends):
    trusted, valid, other = make()
    leaf = forge(valid)
    sent = {"the leaf alone": (), "the valid CA": (valid,), "the other CA": (other,)}[sends]
    files = Identity(leaf.certificate, leaf.key, tuple(each.certificate for each in sent)).save(tmp_path, "client")
    for number, order in enumerate((trusted, trusted[::-1])):
        file = tmp_path / f"authorities{number}.pem"
        file.write_bytes(pem(*(each.certificate for each in order)))
        async with serving(people, on_sqlite.url, ids=on_sqlite.ids, tls={"authorities": [str(file)]}) as world:
            raw = await Raw.open(world.port, context(people.pki.folder / "root.pem", files))
            # Nobody has registered it: that is for the register to say, not for TLS.
            assert (await raw.get("/dcap")).status == 404
            await raw.close()


@pytest.mark.parametrize("make", CASES)
def test_no_order_of_the_authorities_hides_a_path(make):
    trusted, valid, _ = make()
    der = forge(valid).certificate_der
    for order in permutations(each.certificate for each in trusted):
        assert Trust(order).admit([der]).expires > datetime.now(UTC).timestamp()


def test_without_a_valid_path_the_reason_is_that_of_the_nearest():
    old, new = Authority.create("Root"), ca("Root", dates=OVER)
    under = ca("CA", old, dates=OVER)
    with pytest.raises(Exception, match="issuer 1: it expired on 2021-01-01"):
        Trust([old.certificate, new.certificate, under.certificate]).admit([forge(under).certificate_der])


def test_an_authority_leaves_the_store_when_it_ends_and_its_successor_begins():
    begins, ends = (datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) for days in (10, 20))
    root = ca("Root")
    old = ca("CA", root, dates=(PAST, ends))
    new = ca("CA", root, key=old.key, dates=(begins, ends + timedelta(days=900)))
    trust = Trust([root.certificate, old.certificate, new.certificate])
    now = datetime.now(UTC).timestamp()
    assert trust.next_change(now) == begins.timestamp()
    assert trust.next_change(begins.timestamp()) == ends.timestamp()
    for at, held in ((now, {old}), (begins.timestamp() + 1, {old, new}), (ends.timestamp() + 1, {new})):
        assert {each for each in (old, new) if each.certificate_pem.decode() in trust.pem_at(at)} == held


async def test_a_client_brings_the_successor_of_an_expired_authority(people, on_sqlite, tmp_path):
    """And who does not is told that it is over, not that nobody knows it."""
    (root, old, new), *_ = renewed_ca()
    leaf = forge(new)
    file = tmp_path / "authorities.pem"
    file.write_bytes(pem(root.certificate, old.certificate))
    brings = Identity(leaf.certificate, leaf.key, (new.certificate,)).save(tmp_path, "brings")
    alone = Identity(leaf.certificate, leaf.key).save(tmp_path, "alone")
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, tls={"authorities": [str(file)]}) as world:
        raw = await Raw.open(world.port, context(people.pki.folder / "root.pem", brings))
        assert (await raw.get("/dcap")).status == 404
        await raw.close()
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, tls={"authorities": [str(file)]}) as world:
        heard = await asyncio.to_thread(knock, world.port, context(people.pki.folder / "root.pem", alone))
        assert heard.alert == 45
