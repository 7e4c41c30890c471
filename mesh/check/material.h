#pragma once

#include "istio/acceptance.h"
#include "mesh/check.h"
#include "pki/certificate.h"

#include <string>
#include <vector>

// Checks about the trust material: the live `cacerts`, and who accepts whom.

namespace meshtrust::mesh {

/// By name and the beginning of its fingerprint.
std::string describe(const pki::Certificate& certificate);

/// What is wrong with the bundle of `cluster`, or with a bundle of that name; "" for the only one.
Finding finding_about(const istio::BundleProblem& problem, const std::string& cluster);

/// How a cluster gets another CA in place of the one that it has, and the price.
std::vector<std::string> how_to_replace_cacerts(const CheckSubject& subject,
                                                const profiles::Cluster& cluster);

void check_cacerts_ours(const CheckSubject& subject, Answer& answer);
void check_cacerts_sound(const CheckSubject& subject, Answer& answer);
void check_renewal_not_due(const CheckSubject& subject, Answer& answer);
void check_revocation_lists(const CheckSubject& subject, Answer& answer);
void check_store_newest(const CheckSubject& subject, Answer& answer);
void check_mutual_trust(const CheckSubject& subject, Answer& answer);

}  // namespace meshtrust::mesh
