"""One plausible object of each kind that utility, aggregators and devices send to each other."""

from sep2 import wire as w

LFDI = w.HexBinary("3E4F45AB31EDFE5B67E343E5E4562E31984E23E5")
NOW = 1_700_000_000


def mrid(number: int) -> w.HexBinary:
    return w.HexBinary(number << 32 | 0x00032473, 16)


def power(value: int, multiplier: int = 0) -> w.ActivePower:
    return w.ActivePower(multiplier=multiplier, value=value)


TIME = w.Time(
    href="/tm",
    pollRate=900,
    currentTime=NOW,
    dstEndTime=0,
    dstOffset=0,
    dstStartTime=0,
    localTime=NOW + 36000,
    quality=w.TimeQuality.UNCOORDINATED,
    tzOffset=36000,
)
CAPABILITY = w.DeviceCapability(
    href="/dcap",
    pollRate=300,
    TimeLink=w.TimeLink(href="/tm"),
    EndDeviceListLink=w.EndDeviceListLink(href="/edev", all=2),
    MirrorUsagePointListLink=w.MirrorUsagePointListLink(href="/mup", all=0),
)
DEVICE = w.EndDevice(
    href="/edev/2",
    subscribable=0,
    DERListLink=w.DERListLink(href="/edev/2/der", all=1),
    deviceCategory=w.HexBinary("00200000"),
    lFDI=LFDI,
    sFDI=167261211391,
    changedTime=NOW,
    enabled=True,
    FunctionSetAssignmentsListLink=w.FunctionSetAssignmentsListLink(href="/edev/2/fsa", all=1),
    postRate=300,
    RegistrationLink=w.RegistrationLink(href="/edev/2/rg"),
)
DEVICES = w.EndDeviceList(href="/edev", all=2, pollRate=900, subscribable=1, EndDevice=[DEVICE])
ASSIGNMENTS = w.FunctionSetAssignmentsList(
    href="/edev/2/fsa",
    all=1,
    FunctionSetAssignments=[
        w.FunctionSetAssignments(
            href="/edev/2/fsa/1",
            DERProgramListLink=w.DERProgramListLink(href="/edev/2/derp", all=2),
            TimeLink=w.TimeLink(href="/tm"),
            mRID=mrid(1),
            description="feeder 7 & café",
        )
    ],
)
LIMITS = w.DERControlBase(
    opModEnergize=True,
    opModMaxLimW=5000,
    opModImpLimW=power(4600),
    opModExpLimW=power(1500),
    opModGenLimW=power(500, 1),
    opModLoadLimW=power(0),
)
CONTROL = w.DERControl(
    href="/edev/2/derp/1/derc/9",
    replyTo="/rsps/1/rsp",
    responseRequired=w.HexBinary("03"),
    mRID=mrid(9),
    creationTime=NOW,
    EventStatus=w.EventStatus(currentStatus=w.CurrentStatus.ACTIVE, dateTime=NOW, potentiallySuperseded=False),
    interval=w.DateTimeInterval(duration=300, start=NOW),
    randomizeDuration=-30,
    randomizeStart=60,
    DERControlBase=LIMITS,
)
CONTROLS = w.DERControlList(href="/edev/2/derp/1/derc", all=7, subscribable=1, DERControl=[CONTROL])
DEFAULT = w.DefaultDERControl(
    href="/edev/2/derp/1/dderc", mRID=mrid(8), DERControlBase=LIMITS, setGradW=100, setESDelay=30000
)
PROGRAM = w.DERProgram(
    href="/edev/2/derp/1",
    mRID=mrid(2),
    description="limits",
    version=3,
    DefaultDERControlLink=w.DefaultDERControlLink(href="/edev/2/derp/1/dderc"),
    DERControlListLink=w.DERControlListLink(href="/edev/2/derp/1/derc", all=7),
    primacy=1,
)
PROGRAMS = w.DERProgramList(href="/edev/2/derp", all=1, pollRate=60, DERProgram=[PROGRAM])
DER_CAPABILITY = w.DERCapability(
    href="/edev/2/der/1/dercap",
    modesSupported=w.HexBinary("00500088"),
    rtgMaxA=w.CurrentRMS(multiplier=0, value=22),
    rtgMaxVA=w.ApparentPower(multiplier=0, value=5000),
    rtgMaxVar=w.ReactivePower(multiplier=0, value=2200),
    rtgMaxW=power(5000),
    type=w.DERType.PHOTOVOLTAIC_AND_STORAGE,
    doeModesSupported=w.HexBinary("0F"),
)
DER_SETTINGS = w.DERSettings(
    modesEnabled=w.HexBinary("00500088"),
    setGradW=27,
    setMaxVA=w.ApparentPower(multiplier=0, value=5000),
    setMaxW=power(5000),
    updatedTime=NOW,
    doeModesEnabled=w.HexBinary("03"),
)
DER_STATUS = w.DERStatus(
    alarmStatus=w.HexBinary("00000002"),
    genConnectStatus=w.ConnectStatusType(dateTime=NOW, value=w.HexBinary("07")),
    inverterStatus=w.InverterStatusType(dateTime=NOW, value=w.InverterStatus.TRACKING_POWER_POINT),
    operationalModeStatus=w.OperationalModeStatusType(dateTime=NOW, value=2),
    readingTime=NOW,
    stateOfChargeStatus=w.StateOfChargeStatusType(dateTime=NOW, value=8123),
)
DER_AVAILABILITY = w.DERAvailability(readingTime=NOW, reservePercent=1200, statWAvail=power(-3000))
RESPONSE = w.DERControlResponse(
    createdDateTime=NOW, endDeviceLFDI=LFDI, status=w.ResponseStatus.STARTED, subject=mrid(9)
)
READING_TYPE = w.ReadingType(
    accumulationBehaviour=w.AccumulationBehaviourType.INSTANTANEOUS,
    commodity=w.CommodityType.ELECTRICITY_SECONDARY,
    dataQualifier=w.DataQualifierType.AVERAGE,
    flowDirection=w.FlowDirectionType.REVERSE,
    intervalLength=300,
    kind=w.KindType.POWER,
    phase=w.PhaseCode.NOT_APPLICABLE,
    powerOfTenMultiplier=0,
    uom=w.UomType.W,
)
READINGS = w.MirrorReadingSet(
    mRID=mrid(21),
    timePeriod=w.DateTimeInterval(duration=300, start=NOW),
    Reading=[w.Reading(timePeriod=w.DateTimeInterval(duration=300, start=NOW), value=-1234, localID=w.HexBinary("01"))],
)
MIRROR_READING = w.MirrorMeterReading(
    mRID=mrid(20), description="power", MirrorReadingSet=[READINGS], ReadingType=READING_TYPE
)
MIRROR = w.MirrorUsagePoint(
    mRID=mrid(19),
    description="site",
    roleFlags=w.HexBinary("0049"),
    serviceCategoryKind=w.ServiceKind.ELECTRICITY,
    status=w.UsagePointStatus.ON,
    deviceLFDI=LFDI,
    MirrorMeterReading=[MIRROR_READING],
    postRate=300,
)
SUBSCRIPTION = w.Subscription(
    subscribedResource="/edev/2/derp/1/derc",
    encoding=w.Encoding.XML,
    level="+S1",
    limit=100,
    notificationURI="https://aggregator.example/ntfy",
)
NOTIFICATION = w.Notification(
    subscribedResource="/edev/2/derp/1/derc", Resource=CONTROLS, status=0, subscriptionURI="/edev/1/sub/3"
)
LOG_EVENT = w.LogEvent(
    createdDateTime=NOW,
    details="over voltage",
    functionSet=w.FunctionSet.DER,
    logEventCode=2,
    logEventID=17,
    logEventPEN=40732,
    profileID=w.ProfileID.IEEE_2030_5,
)
REGISTRATION = w.Registration(href="/edev/2/rg", pollRate=3600, dateTimeRegistered=NOW, pIN=123455)
CONNECTION_POINT = w.ConnectionPoint(href="/edev/2/cp", connectionPointId="NMI1234567")
CURVE = w.DERCurve(
    mRID=mrid(30),
    creationTime=NOW,
    CurveData=[w.CurveData(xvalue=207, yvalue=100), w.CurveData(xvalue=265, yvalue=20)],
    curveType=w.DERCurveType.opModVoltWatt,
    xMultiplier=0,
    yMultiplier=0,
    yRefType=w.DERUnitRefType.setMaxW,
)
ERROR = w.Error(maxRetryDuration=30, reasonCode=w.ReasonCode.INVALID_VALUES)
