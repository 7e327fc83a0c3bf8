"""The kinds of alarm by their code: how soon a person must act on each, and what it tells them."""

from typing import NamedTuple

ACT_NOW, ACT_SOON, THIS_DAY = 1, 2, 3
"""Priorities: act within 5 minutes, within 30 minutes, this day."""


class Kind(NamedTuple):
    """What is known of all alarms with one code."""

    priority: int
    """unless the alarm itself is raised with another"""
    meaning: str


KINDS: dict[str, Kind] = {
    "audit_broken": Kind(ACT_NOW, "the audit log was changed after it was written"),
    "certificate_expiring": Kind(THIS_DAY, "a certificate of the server, a CA or a client ends soon, or has ended"),
    "certificate_unused": Kind(ACT_SOON, "a new certificate was never used, and the one before is no longer accepted"),
    "client_clock": Kind(THIS_DAY, "a client's clock differs from the server's"),
    "client_silent": Kind(ACT_SOON, "a client that has to poll or to post does neither; its limits fall to defaults"),
    "clock_jump": Kind(ACT_NOW, "the wall clock of the server jumped; time goes on without it until it holds"),
    "control_too_short": Kind(THIS_DAY, "a polling client can not see a control before it ends"),
    "curtailment_budget": Kind(THIS_DAY, "a connection was curtailed more than its agreement allows"),
    "database": Kind(ACT_NOW, "the database can not be read or written"),
    "default_in_force": Kind(THIS_DAY, "nobody set limits for a device; the utility's defaults hold"),
    "default_looser_than_envelope": Kind(ACT_SOON, "a default is looser than what was published"),
    "delivery_dead": Kind(ACT_SOON, "notifications were given up"),
    "delivery_failing": Kind(THIS_DAY, "a receiver takes no notifications"),
    "device_moved": Kind(ACT_SOON, "a device says that it is at another connection"),
    "device_silent": Kind(THIS_DAY, "an aggregator speaks, and some of its devices neither poll, post nor answer"),
    "disk_low": Kind(ACT_SOON, "the disk of the server is nearly full"),
    "envelope_failed": Kind(ACT_SOON, "the engine's round failed; the last limits stand"),
    "envelope_infeasible_base": Kind(ACT_SOON, "uncontrolled load breaks a limit of the network by itself"),
    "envelope_invalid": Kind(ACT_SOON, "what the envelope rests on no longer holds; safe limits are published"),
    "envelope_unverified": Kind(ACT_SOON, "calculated limits did not pass verification; the last limits stand"),
    "group_order": Kind(THIS_DAY, "a group's primacy puts it above the operators' own programs"),
    "infeasible_firm": Kind(ACT_SOON, "the network can not hold what contracts guarantee"),
    "limit_breach": Kind(ACT_SOON, "a connection was measured beyond its limit"),
    "mass_silence": Kind(ACT_NOW, "many fell silent at once: look at the server's own network, certificate and clock"),
    "local_login": Kind(ACT_SOON, "an operator signed in by password, although there is a sign-in provider"),
    "mode_unsupported": Kind(THIS_DAY, "a device can not carry a limit or mode that is in force for it"),
    "name_clash": Kind(THIS_DAY, "names that were equal had to be told apart when the tables were brought up to date"),
    "mode_not_followed": Kind(THIS_DAY, "inverters do not do what limits rely on; nothing of it is counted for them"),
    "no_client": Kind(THIS_DAY, "nobody is registered who could keep limits"),
    "no_safe_limits": Kind(ACT_NOW, "there are no limits that are known to be safe"),
    "no_such_group": Kind(THIS_DAY, "the group that devices are to join does not exist"),
    "notifier_stalled": Kind(ACT_NOW, "notifications are not sent"),
    "obedience_low": Kind(ACT_SOON, "an aggregator's devices keep too few of the limits that bind them"),
    "operator_control": Kind(ACT_SOON, "an operator's limit is looser than what the network holds"),
    "operator_logins": Kind(ACT_SOON, "many logins of operators fail from one address"),
    "profile_mismatch": Kind(THIS_DAY, "a client speaks another profile than it is registered with"),
    "set_max_w": Kind(ACT_SOON, "a device's setMaxW is absent or not plausible; its limit falls to the tighter"),
    "tls_refused": Kind(THIS_DAY, "handshakes from one address fail"),
    "too_many_requests": Kind(THIS_DAY, "a client asks more often than it may"),
    "unregistered_device": Kind(THIS_DAY, "power is measured that no known device explains"),
    "unregistered_lfdi": Kind(THIS_DAY, "a valid certificate that nobody registered knocks again and again"),
    "worker_dead": Kind(ACT_NOW, "background work of the server has ended"),
}


def priority_of(code: str) -> int:
    """The priority of alarms with this code; one that is not in the catalogue waits until the day's end."""
    kind = KINDS.get(code)
    return THIS_DAY if kind is None else kind.priority
