module meshtrust/bench/apiservers

go 1.26
