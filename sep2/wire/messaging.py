"""Messaging."""

from __future__ import annotations

from dataclasses import field

from sep2.wire.base import Event, PollRate, SubscribableIdentifiedObject, SubscribableList
from sep2.wire.codes import PrimacyType, PriorityType
from sep2.wire.declare import wire
from sep2.wire.links import ActiveTextMessageListLink, TextMessageListLink
from sep2.wire.types import LocaleType, String20


@wire
class TextMessage(Event):
    """A message to be shown."""

    originator: String20 | None = None
    priority: PriorityType | int
    textMessage: str


@wire
class TextMessageList(SubscribableList):
    """The messages of one programme."""

    TextMessage: list[TextMessage] = field(default_factory=list)


@wire
class MessagingProgram(SubscribableIdentifiedObject):
    """A source of messages."""

    ActiveTextMessageListLink: ActiveTextMessageListLink | None = None
    locale: LocaleType
    primacy: PrimacyType | int
    TextMessageListLink: TextMessageListLink | None = None


@wire
class MessagingProgramList(SubscribableList):
    """The sources of messages."""

    pollRate: PollRate = None
    MessagingProgram: list[MessagingProgram] = field(default_factory=list)
