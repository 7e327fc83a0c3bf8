"""The wire language of IEEE 2030.5-2018 and CSIP-AUS: every class under the standard's name, and the codec."""

from sep2.wire.base import *  # noqa: F403
from sep2.wire.billing import *  # noqa: F403
from sep2.wire.check import check as check
from sep2.wire.codes import *  # noqa: F403
from sep2.wire.csipaus import *  # noqa: F403
from sep2.wire.declare import WIRE as WIRE
from sep2.wire.declare import layout as layout
from sep2.wire.declare import wire as wire
from sep2.wire.decode import decode as decode
from sep2.wire.decode import other_csipaus as other_csipaus
from sep2.wire.der import *  # noqa: F403
from sep2.wire.der_codes import *  # noqa: F403
from sep2.wire.der_info import *  # noqa: F403
from sep2.wire.device import *  # noqa: F403
from sep2.wire.drlc import *  # noqa: F403
from sep2.wire.encode import encode as encode
from sep2.wire.failures import WireError as WireError
from sep2.wire.failures import WireValueError as WireValueError
from sep2.wire.flow import *  # noqa: F403
from sep2.wire.hexbinary import HexBinary as HexBinary
from sep2.wire.information import *  # noqa: F403
from sep2.wire.links import *  # noqa: F403
from sep2.wire.messaging import *  # noqa: F403
from sep2.wire.metering import *  # noqa: F403
from sep2.wire.metering_codes import *  # noqa: F403
from sep2.wire.network import *  # noqa: F403
from sep2.wire.prepayment import *  # noqa: F403
from sep2.wire.pricing import *  # noqa: F403
from sep2.wire.profile import Profile as Profile
from sep2.wire.quantities import *  # noqa: F403
from sep2.wire.response import *  # noqa: F403
from sep2.wire.subscription import *  # noqa: F403
from sep2.wire.types import *  # noqa: F403
