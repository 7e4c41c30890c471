module meshtrust/interop/verifiers

go 1.26
