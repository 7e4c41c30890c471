module meshtrust.test/rig/workload

go 1.26
