import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.errors import BadIdentifier
from certs.identifiers import has_check_digit, lfdi_of, new_pin, pin_with_check, sfdi_of, spoken, with_check_digit

WORKED_EXAMPLE = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"  # 2030.5 6.3


def test_the_worked_example_of_the_standard():
    assert sfdi_of(WORKED_EXAMPLE) == 167261211391
    assert sfdi_of(WORKED_EXAMPLE.lower()) == 167261211391
    assert spoken(167261211391) == "167-261-211-391"


def test_an_lfdi_is_the_first_160_bits_of_the_sha_256():
    # FIPS 180-2, the example of one block.
    assert lfdi_of(b"abc") == "BA7816BF8F01CFEA414140DE5DAE2223B00361A3"


@given(st.binary(max_size=64))
def test_an_sfdi_fits_its_type_and_ends_in_its_check_digit(der):
    sfdi = sfdi_of(lfdi_of(der))
    assert 0 <= sfdi <= 687194767359
    assert sum(map(int, str(sfdi))) % 10 == 0
    assert sfdi // 10 == int(lfdi_of(der), 16) >> 124


@given(st.integers(0, 2**36 - 1))
def test_one_digit_in_ten_is_the_check_digit(number):
    assert [digit for digit in range(10) if has_check_digit(number * 10 + digit)] == [with_check_digit(number) % 10]


@given(st.integers(0, 99999))
def test_a_pin_keeps_its_five_digits(digits):
    pin = pin_with_check(digits)
    assert pin // 10 == digits
    assert sum(map(int, str(pin))) % 10 == 0


def test_the_pin_of_the_conformance_tests():
    assert pin_with_check(11111) == 111115
    assert pin_with_check(0) == 0


def test_a_new_pin_is_a_pin():
    pins = {new_pin() for _ in range(50)}
    assert all(0 <= pin <= 999999 and has_check_digit(pin) for pin in pins)
    assert len(pins) > 40


@pytest.mark.parametrize(
    "lfdi", ["", "3E4F", WORKED_EXAMPLE + "00", "G" + WORKED_EXAMPLE[1:], " " + WORKED_EXAMPLE[1:]]
)
def test_what_is_no_lfdi_has_no_sfdi(lfdi):
    with pytest.raises(BadIdentifier):
        sfdi_of(lfdi)


@pytest.mark.parametrize("digits", [-1, 100000])
def test_a_pin_has_five_digits(digits):
    with pytest.raises(BadIdentifier):
        pin_with_check(digits)
