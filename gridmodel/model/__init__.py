"""The model of a network: equipment, terminals, admittances, regulators, devices and feeders."""
