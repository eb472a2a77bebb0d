"""A ledger with the whole library in force: a scenario for each methodology, of the same name."""

from pathlib import Path

from support.activities import ISSUERS
from support.city import FIRST_DAY, SCENARIOS, City, founding_actions, scenario_document

from chain.genesis import default_classes, library, publish_methodology


def found_town(folder: Path) -> City:
    """Open it, with everyone who gives numbers in the examples."""
    more = library().keys() - set(SCENARIOS.values())
    actions = [
        *founding_actions(),
        *(publish_methodology(library()[name], FIRST_DAY) for name in sorted(more)),
        *(
            {"action": "scenario", "document": scenario_document(name, name).decode()}
            for name in library()
        ),
    ]
    return City.found(folder, actions=actions, classes=default_classes(ISSUERS))
