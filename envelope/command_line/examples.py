"""Examples for the help of each envelope command, and which command comes next."""

from __future__ import annotations

OVERVIEW = """Example: sep2 envelope run european-lv --out limits.csv

Next: compare shows the cost of each guarantee, explain the reason for one limit; run --plan hands the limits to a
server, and status shows what that server publishes."""

OF_COMMAND = {
    "run": """Example: sep2 envelope run european-lv --day today --plan utility/envelope-plan.npz

Many feeders: sep2 envelope run feeders/* --out limits.parquet --workers 8

Next: sep2 serve utility publishes the plan's limits; sep2 envelope explain european-lv LOAD53 explains one of them.""",
    "compare": """Example: sep2 envelope compare european-lv --export-kw 8 --picture policies.png

Next: sep2 envelope run european-lv --guarantee one-sided --allocation equal calculates with one of the policies.""",
    "explain": """Example: sep2 envelope explain european-lv LOAD53 --direction import

Next: change what relieves the limit (rating, phase, policy), and sep2 envelope run european-lv calculates again.""",
    "verify": """Example: sep2 envelope verify utility/envelope-plan.npz limits.csv

Next: exit code 0 is the auditor's proof that the limits hold; --solver opendss repeats it with another solver.""",
    "ledger": """Example: sep2 envelope ledger curtailed.csv --most 5

Next: sep2 envelope run FEEDER --ledger curtailed.csv --past 1 favours the connections that were curtailed most.""",
    "status": """Example: sep2 envelope status utility

Next: sep2 connection add and sep2 device add register missing clients; sep2 envelope deactivate ends envelopes.""",
    "deactivate": """Example: sep2 envelope deactivate utility --to contract

Next: sep2 envelope status utility shows the limits in force; sep2 envelope activate utility publishes envelopes
again.""",
    "activate": """Example: sep2 envelope activate utility

Next: sep2 envelope status utility shows the limits in force, and until when they are published.""",
    "topology": """Example: sep2 envelope topology utility abnormal --reason "fed from the north"

Next: sep2 envelope topology utility normal once the feeder is switched as planned, or a new plan by
sep2 envelope run.""",
    "balance": """Example: sep2 envelope balance TX118 --dir utility

Next: sep2 grid check FEEDER --meters, which names wrong phases and transformers, where losses do not explain it.""",
    "model": """Example: sep2 envelope model --dir utility

Next: sep2 envelope take-model takes the later extract's model; until then the model in use stays.""",
    "take-model": """Example: sep2 envelope take-model --dir utility --reason surveyed --dry-run

Next: sep2 approval approve by somebody else, where a second person is asked for; sep2 envelope run FEEDER --plan makes
a plan of the new model.""",
    "stage": """Example: sep2 envelope stage utility publish

Next: sep2 envelope status utility shows how the latest round ended, and whether one waits.""",
    "release": """Example: sep2 envelope release utility

Next: sep2 envelope status utility shows the limits in force once the next round has published it.""",
    "evaluate": """Example: sep2 envelope evaluate utility --plan tomorrow.npz

Next: sep2 envelope release utility publishes a round that waits; a plan that is copied to utility/envelope-plan.npz
is taken over by the next round.""",
    "replay": """Example: sep2 envelope replay 1f0c2d3e4a5b6c7d utility

Next: sep2 envelope status utility names the run that is published; the audit log names earlier ones.""",
    "outages": """Example: sep2 envelope outages utility --from 2026-12-01T09:00Z --until 2026-12-01T15:00Z

Next: sep2 envelope evaluate utility shows the limits that the next round gives; --remove takes one out again.""",
    "safe-limits": """Example: sep2 envelope safe-limits utility contract

Next: sep2 envelope status utility shows the choice, and any violated assumption as an alarm.""",
}
