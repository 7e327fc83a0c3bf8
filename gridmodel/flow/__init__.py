"""Power flow: Kron reduction, the batched solver, inverters, sensitivities and tap positions."""
