"""The building blocks of the contract's types: their base, errors, quantities, rules in CEL."""
