import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from certs.hardware import HardwareModule

ARCS = st.lists(st.integers(0, 2**40), max_size=8)
PRODUCTS = st.builds(
    lambda top, arcs: ".".join(map(str, (*top, *arcs))),
    st.one_of(st.tuples(st.integers(0, 1), st.integers(0, 39)), st.tuples(st.just(2), st.integers(0, 2**20))),
    ARCS,
)


@given(PRODUCTS, st.binary(max_size=300))
def test_what_is_written_is_read_back(product, serial):
    module = HardwareModule(product, serial)
    assert HardwareModule.decode(module.general_name().value) == module


@given(st.lists(st.integers(0, 2**30), min_size=1, max_size=6))
def test_the_product_is_encoded_as_another_library_encodes_it(arcs):
    product = ".".join(map(str, (1, 3, 6, 1, *arcs)))
    theirs = x509.ExtendedKeyUsage([x509.ObjectIdentifier(product)]).public_bytes()
    ours = HardwareModule(product, b"").general_name().value
    # Both are a SEQUENCE with the OID first; ours has an empty OCTET STRING behind it.
    assert ours[2:-2] == theirs[2:]


@given(st.binary(max_size=60))
def test_other_octets_are_refused(octets):
    try:
        module = HardwareModule.decode(octets)
    except ValueError:
        return
    assert module.general_name().value[0] == octets[0]


@pytest.mark.parametrize(
    "der", ["", "30", "3000", "300c060a2b06", "0403010203", "300706012a0402414200", "30060601aa04014100"]
)
def test_broken_ones_are_refused(der):
    with pytest.raises(ValueError):
        HardwareModule.decode(bytes.fromhex(der))


def test_a_serial_number_is_shown_as_text_or_in_hexadecimal():
    assert HardwareModule("1.3.6.1", b"A-17").serial_text == "A-17"
    assert HardwareModule("1.3.6.1", b"\x00\xff").serial_text == "00FF"
