#pragma once

#include "mesh/check.h"
#include "pki/certificate.h"

#include <string>

// Checks about the trust material: the live `cacerts`, and who accepts whom.

namespace meshtrust::mesh {

/// By name and the beginning of its fingerprint.
std::string describe(const pki::Certificate& certificate);

void check_cacerts_ours(const CheckSubject& subject, Answer& answer);
void check_cacerts_sound(const CheckSubject& subject, Answer& answer);
void check_istiod_uses_cacerts(const CheckSubject& subject, Answer& answer);
void check_renewal_not_due(const CheckSubject& subject, Answer& answer);
void check_revocation_lists(const CheckSubject& subject, Answer& answer);
void check_mutual_trust(const CheckSubject& subject, Answer& answer);

}  // namespace meshtrust::mesh
