"""Reference solvers: the same network in power-grid-model, OpenDSS and pandapower."""
