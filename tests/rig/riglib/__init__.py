"""The parts of `rig`, which starts Kubernetes control planes on this machine. See ../README.md."""
