#pragma once

#include "mesh/check.h"

// Checks about who and where the clusters are: servers, namespaces, networks, names.

namespace meshtrust::mesh {

void check_servers_answer(const CheckSubject& subject, Answer& answer);
void check_clusters_distinct(const CheckSubject& subject, Answer& answer);
void check_kubernetes_supported(const CheckSubject& subject, Answer& answer);
void check_namespace_usable(const CheckSubject& subject, Answer& answer);
void check_network_agrees(const CheckSubject& subject, Answer& answer);
void check_trust_domain_agrees(const CheckSubject& subject, Answer& answer);
void check_twin_agrees(const CheckSubject& subject, Answer& answer);

}  // namespace meshtrust::mesh
