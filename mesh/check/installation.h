#pragma once

#include "mesh/check.h"

// Checks about what a mesh is made of beyond its trust: control planes, gateways, access.

namespace meshtrust::mesh {

void check_installable(const CheckSubject& subject, Answer& answer);
void check_installations(const CheckSubject& subject, Answer& answer);
void check_api_servers(const CheckSubject& subject, Answer& answer);
void check_managers(const CheckSubject& subject, Answer& answer);
void check_pod_addresses(const CheckSubject& subject, Answer& answer);
void check_gateway_api(const CheckSubject& subject, Answer& answer);
void check_orphaned_webhooks(const CheckSubject& subject, Answer& answer);
void check_remote_secrets(const CheckSubject& subject, Answer& answer);
void check_stated_addresses(const CheckSubject& subject, Answer& answer);
void check_open_gateways(const CheckSubject& subject, Answer& answer);
void check_known_clusters(const CheckSubject& subject, Answer& answer);
void check_access(const CheckSubject& subject, Answer& answer);

}  // namespace meshtrust::mesh
