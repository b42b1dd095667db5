"""The needles that LCCP ships: facts that no text states, each with one question."""

from lccp.contract.cel import Rule
from lccp.probes.settings.prompts import Needle

ENOUGH = Rule(
    "!has(self.needlesPerHaystack) || size(self.needles) == 0 "
    "|| self.needlesPerHaystack <= size(self.needles)",
    "needlesPerHaystack exceeds the number of needles: give more needles, or request fewer",
    ".needlesPerHaystack",
)
"""Of settings with both fields."""

_STEM_KEY_QUESTION = (
    (
        "The best thing to do in San Francisco is",
        "eat a sandwich and sit in Dolores Park on a sunny day.",
        "What is the best thing to do in San Francisco?",
    ),
    (
        "The night baker of Aldermoor hides her spare key",
        "inside the third blue flowerpot beside the well.",
        "Where does the night baker of Aldermoor hide her spare key?",
    ),
    (
        "The lighthouse at Cape Verrin was painted green because",
        "the keeper's daughter had run out of white paint.",
        "Why was the lighthouse at Cape Verrin painted green?",
    ),
    (
        "The secret ingredient of grandmother Halloway's plum jam is",
        "a pinch of smoked salt and two crushed juniper berries.",
        "What is the secret ingredient of grandmother Halloway's plum jam?",
    ),
    (
        "The clock in the town hall of Brennick stops",
        "for eleven minutes whenever a red train crosses the bridge.",
        "When does the clock in the town hall of Brennick stop?",
    ),
    (
        "The password to the old observatory is",
        "seven silver herons over a frozen lake.",
        "What is the password to the old observatory?",
    ),
    (
        "Captain Orlow steered home through the fog by",
        "listening for the bell of the fishmonger's donkey.",
        "How did Captain Orlow steer home through the fog?",
    ),
    (
        "The cheapest way to cross the Marren desert is",
        "to join the salt caravan that leaves Teskra on Thursdays.",
        "What is the cheapest way to cross the Marren desert?",
    ),
)

DEFAULT_NEEDLES = tuple(
    Needle(stem=stem, key=key, question=question) for stem, key, question in _STEM_KEY_QUESTION
)
