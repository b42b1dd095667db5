"""What types of the contract are written with: their base, errors, quantities, rules in CEL."""
